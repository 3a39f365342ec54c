package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/cmd/internal/machine"
)

// What is kept of updates, on the data partition: a new root shares it.
const (
	folder     = "/data/update"
	bundleName = "munjigi.raucb"
	bundleFile = folder + "/" + bundleName
	stickName  = "stick.raucb"     // what came on a stick: it must not cost a bundle that waits
	tagName    = "tag"             // the server's ETag of the bundle looked at last, behind the version that was asked for
	triedFile  = folder + "/tried" // the version installed last: where it does not run, it failed here

	versionFile = "/etc/munjigi-version" // of the root that runs
)

// largest is what a bundle may have, in bytes: the data partition has 512 MiB.
const largest = 320 << 20

// poll looks for a bundle at update.url and installs it in the hours when that is
// allowed. The bundle's signature is RAUC's to check, so that a server or network
// that lies can at most bring nothing.
func poll(ctx context.Context, now func() time.Time) error {
	c, err := machine.Load(filepath.Join("/", settings, "device.toml"))
	if err != nil {
		return err
	}
	if c.Update.URL == "" || !c.Update.May(now()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	unlock, err := alone()
	if err != nil {
		return err
	}
	defer unlock()
	waits, err := fetch(ctx, secure(http.Client{}), c.Update, folder)
	if err != nil || !waits || !c.Update.May(now()) { // a slow network may have brought it too late
		return err
	}
	err = errors.Join(install(ctx, c.Update, bundleFile), os.RemoveAll(bundleFile))
	if err != nil && !errors.Is(err, errRefused) {
		// It may go well the next time, but for its tag it would not be fetched again.
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, tagName)))
	}
	return err
}

// errRefused is returned for a bundle that will be refused the next time, too.
var errRefused = errors.New("the bundle is refused")

// secure makes a client one that is led to HTTPS alone.
func secure(c http.Client) *http.Client {
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case req.URL.Scheme != "https":
			return fmt.Errorf("the server leads to %s://: let it lead to https://", req.URL.Scheme)
		case len(via) >= 5:
			return errors.New("the server leads in circles")
		}
		return nil
	}
	return &c
}

// stick installs the bundle at path at once. It is copied first: what is checked must
// be what is installed, and a stick may be pulled, or lie.
func stick(ctx context.Context, path string) error {
	c, err := machine.Load(filepath.Join("/", settings, "device.toml"))
	if err != nil { // a mistake there must not keep the update away that mends it
		fmt.Fprintln(os.Stderr, "machine:", err)
		c = machine.Defaults()
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a stick with something else
	}
	if err != nil {
		return fmt.Errorf("open the bundle: %w", err)
	}
	defer f.Close()
	unlock, err := alone()
	if err != nil {
		return err
	}
	defer unlock()
	copied := filepath.Join(folder, stickName)
	if err := keep(f, folder, stickName); err != nil {
		return err
	}
	return errors.Join(install(ctx, c.Update, copied), os.RemoveAll(copied))
}

// alone lets one update at a time at what is kept of them.
func alone() (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of updates: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of updates: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another update is at work (%w): try again in some minutes", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks
}

// keep writes a bundle into dir under that name whole, or not at all.
func keep(from io.Reader, dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of updates: %w", err)
	}
	bundle := filepath.Join(dir, name)
	part := bundle + ".part"
	f, err := os.Create(part)
	if err != nil {
		return fmt.Errorf("keep the update: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(from, largest+1))
	if err == nil && n > largest {
		err = fmt.Errorf("the bundle is larger than %d MiB", largest>>20)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("fetch the update: %w", err), os.Remove(part))
	}
	if err := os.Rename(part, bundle); err != nil {
		return fmt.Errorf("keep the update: %w", err)
	}
	return nil
}

// fetch brings the bundle at u.URL into dir, unless it is the one that was looked
// at last (RFC 9110, section 13.1.2) while the same version was asked for. It says
// whether a bundle waits there: this one, or one that came too late or before a cut.
func fetch(ctx context.Context, client *http.Client, u machine.Update, dir string) (waits bool, err error) {
	bundle := filepath.Join(dir, bundleName)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.URL, nil)
	if err != nil {
		return false, fmt.Errorf("update.url: %w", err)
	}
	seen, err := os.ReadFile(filepath.Join(dir, tagName))
	if err == nil {
		if tag, ok := strings.CutPrefix(string(seen), u.Version+" "); ok {
			req.Header.Set("If-None-Match", tag)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, fmt.Errorf("look for an update: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified, http.StatusNotFound:
		return exists(bundle), nil
	default:
		return false, fmt.Errorf("look for an update: the server answers %s", resp.Status)
	}
	if err := keep(resp.Body, dir, bundleName); err != nil {
		return false, err
	}
	// Looked at, whatever comes of it: a bad bundle is fetched once.
	return true, os.WriteFile(filepath.Join(dir, tagName), []byte(u.Version+" "+resp.Header.Get("ETag")), 0o600)
}

// install installs the bundle at path, where it is signed, one that the settings
// take (machine.Update.Takes) and was not tried before, and starts anew. The old root
// stays as it is and starts again where the new one does not prove itself.
func install(ctx context.Context, settings machine.Update, path string) error {
	out, err := exec.CommandContext(ctx, "rauc", "info", "--output-format=json", path).Output()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: it is not signed for this device, or damaged: %w", errRefused, err)
	}
	var info struct{ Version string }
	if err := json.Unmarshal(out, &info); err != nil {
		return fmt.Errorf("read what the bundle is: %w", err)
	}
	runs, err := os.ReadFile(versionFile)
	if err != nil {
		return fmt.Errorf("read which version runs: %w", err)
	}
	tried, err := os.ReadFile(triedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read which version was tried: %w", err)
	}
	if v := info.Version; v == string(bytes.TrimSpace(runs)) || v == string(bytes.TrimSpace(tried)) {
		return nil // it runs, or has failed here
	}
	if err := settings.Takes(info.Version, string(bytes.TrimSpace(runs))); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	c := exec.CommandContext(ctx, "rauc", "install", path)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("install %s: %w", info.Version, err)
	}
	if err := os.WriteFile(triedFile, []byte(info.Version), 0o600); err != nil {
		return fmt.Errorf("remember the update: %w", err)
	}
	fmt.Println("installed", info.Version, "and starting anew")
	return exec.CommandContext(ctx, "systemctl", "reboot").Run()
}
