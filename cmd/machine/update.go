package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/machine"
)

// What is kept of updates, on the data partition: a new root shares it.
const (
	folder     = "/data/update"
	bundleFile = folder + "/munjigi.raucb"
	tagFile    = folder + "/tag"   // the server's ETag of the newest bundle looked at
	triedFile  = folder + "/tried" // the version installed last: where it does not run, it failed here
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
	waits, err := fetch(ctx, http.DefaultClient, c.Update.URL, folder)
	if err != nil || !waits || !c.Update.May(now()) { // a slow network may have brought it too late
		return err
	}
	return errors.Join(install(ctx, bundleFile), os.RemoveAll(bundleFile))
}

// fetch brings the bundle at url into dir, unless it is the one that was looked
// at last (RFC 9110, section 13.1.2). It says whether a bundle waits there: this
// one, or one that came too late or before a cut.
func fetch(ctx context.Context, client *http.Client, url, dir string) (waits bool, err error) {
	bundle := filepath.Join(dir, "munjigi.raucb")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, fmt.Errorf("update.url: %w", err)
	}
	if tag, err := os.ReadFile(filepath.Join(dir, "tag")); err == nil {
		req.Header.Set("If-None-Match", string(tag))
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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("make the folder of updates: %w", err)
	}
	part := bundle + ".part"
	f, err := os.Create(part)
	if err != nil {
		return false, fmt.Errorf("keep the update: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(resp.Body, largest+1))
	if err == nil && n > largest {
		err = fmt.Errorf("the bundle is larger than %d MiB", largest>>20)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, errors.Join(fmt.Errorf("fetch the update: %w", err), os.Remove(part))
	}
	if err := os.Rename(part, bundle); err != nil {
		return false, fmt.Errorf("keep the update: %w", err)
	}
	// Looked at, whatever comes of it: a bad bundle is fetched once.
	return true, os.WriteFile(filepath.Join(dir, "tag"), []byte(resp.Header.Get("ETag")), 0o600)
}

// install installs a bundle that is another than what runs, were it older, and starts anew. The old
// root stays as it is and starts again where the new one does not prove itself.
func install(ctx context.Context, bundle string) error {
	if !exists(bundle) {
		return nil
	}
	out, err := exec.CommandContext(ctx, "rauc", "info", "--output-format=json", bundle).Output()
	if err != nil {
		return fmt.Errorf("the bundle %s is not signed for this device, or damaged: %w", bundle, err)
	}
	var info struct{ Version string }
	if err := json.Unmarshal(out, &info); err != nil {
		return fmt.Errorf("read what the bundle is: %w", err)
	}
	for _, known := range []string{"/etc/munjigi-version", triedFile} {
		if v, err := os.ReadFile(known); err == nil && string(bytes.TrimSpace(v)) == info.Version {
			return nil // it runs, or has failed here
		}
	}
	c := exec.CommandContext(ctx, "rauc", "install", bundle)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("install %s: %w", info.Version, err)
	}
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(triedFile, []byte(info.Version), 0o600)); err != nil {
		return fmt.Errorf("remember the update: %w", err)
	}
	fmt.Println("installed", info.Version, "and starting anew")
	return exec.CommandContext(ctx, "systemctl", "reboot").Run()
}
