package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
)

// sampleBlocks is where the sample's issuers begin, which are nobody's.
const sampleBlocks = "\n# Who may issue passes."

// initCommand makes a folder with keys and a configuration; what is there stays.
func initCommand(_ context.Context, c *call, args []string) error {
	name := c.flags.String("name", "문지기 registry", "the registry's `name`, as kiosks and owners see it")
	address := c.flags.String("address", "https://127.0.0.1:8082", "the https `URL` under which kiosks and owners reach it")
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	dir := args[0]
	if err := wire.CheckName(*name); err != nil {
		return fmt.Errorf("-name %q: %w", *name, err)
	}
	if err := wire.CheckAddress(*address); err != nil {
		return fmt.Errorf("-address %q: %w", *address, err)
	}
	path := filepath.Join(dir, "registry.toml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already and is kept: choose another folder", path)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	root, err := configs.CreateKey(filepath.Join(dir, "root.key"))
	if err != nil {
		return err
	}
	if _, err := configs.CreateKey(filepath.Join(dir, "receipt.key")); err != nil {
		return err
	}
	if _, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), *name, c.now()); err != nil {
		return err
	}
	head, _, _ := strings.Cut(string(configs.Registry), sampleBlocks)
	for key, value := range map[string]string{
		"root": configs.Public(root).String(), "name": *name, "address": *address, "listen": listenFor(*address),
	} {
		head = regexp.MustCompile(`(?m)^`+key+` = .*$`).ReplaceAllLiteralString(head, key+" = "+quote(value))
	}
	head += policies(c.now())
	if err := renameio.WriteFile(path, []byte(head), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(c.stdout, `made %s with root.key, receipt.key, the device CA and registry.toml

registry:           %s
address:            %s
root = "%s"
fingerprint words:  %s

Everybody who enrols a kiosk compares the words: write them down.

next:
  1. registry issuer add -config %[6]s FILE    for each issuer: what its issuer init printed
  2. registry bundle -config %[6]s
  3. move root.key off this machine: only registry bundle needs it
  4. registry serve -config %[6]s
  5. registry facility add -config %[6]s -name NAME -kind restaurant
  6. registry kiosk code -config %[6]s -facility ID
`, dir, *name, *address, configs.Public(root), strings.Join(wire.Words(root.Public().(ed25519.PublicKey)), " "), path)
	return nil
}

// keyCommand prints what others may know of a key.
func keyCommand(_ context.Context, c *call, args []string) error {
	fresh := c.flags.Bool("new", false, "make the key; a file that is there is kept")
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	read := configs.ReadKey
	if *fresh {
		read = configs.CreateKey
	}
	key, err := read(args[0])
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, configs.Public(key))
	return nil
}

// policies is the part of a fresh configuration about kinds of facility. Owners
// choose among the kinds that stand there.
func policies(now time.Time) string {
	var b strings.Builder
	b.WriteString(`
# What a kind of facility does: "record" (verify and keep the visit),
# "verify-only" (keep nothing) or "off", and since when; before it: record.
# Owners choose among these kinds. Sign a bundle after a change.
[policies]
`)
	for _, kind := range []string{
		"restaurant", "cafe", "bar", "karaoke", "gym", "pc-room", "cinema", "museum",
		"academy", "bathhouse", "department", "hospital", "religious", "office", "other",
	} {
		fmt.Fprintf(&b, "%-10s = { mode = \"record\", since = %s }\n", kind, now.UTC().Format("2006-01-02T00:00:00Z"))
	}
	b.WriteString("\n# Who may issue passes: registry issuer add enters what issuer init printed.\n")
	return b.String()
}

// listenFor is where a registry with this address listens by default.
func listenFor(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "127.0.0.1:8082"
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	host := ""
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// quote writes a TOML basic string; CheckName and CheckAddress have let no
// control character through.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
