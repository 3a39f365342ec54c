package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry"
)

// sampleBlocks is where the sample's issuers begin, which are nobody's.
const sampleBlocks = "\n# Who may issue passes."

// initialise makes a folder with keys and a configuration; what is there stays.
func initialise(dir string, stdout io.Writer) error {
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
	head, _, _ := strings.Cut(string(configs.Registry), sampleBlocks)
	head = regexp.MustCompile(`(?m)^root = .*$`).ReplaceAllString(head, `root = "`+configs.Public(root).String()+`"`)
	head += `
# Below: [[issuers]] as issuer init prints them, [policies.KIND], and [[kiosks]]
# as registry kiosk add writes them.
`
	if err := renameio.WriteFile(path, []byte(head), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(stdout, `made %s with root.key, receipt.key and registry.toml

the root key's public half, for kiosk.toml:
root = "%s"

next:
  1. paste the [[issuers]] blocks of issuer init into %s
  2. registry bundle -config %s
  3. registry kiosk add -config %s -id door-1 -facility NAME -kind restaurant
  4. move root.key off this machine: only registry bundle needs it
  5. registry serve -config %s
`, dir, configs.Public(root), path, path, path, path)
	return nil
}

var kioskID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// addKiosk appends a kiosk's block to the configuration and prints its token.
func addKiosk(path string, k kioskBlock, stdout, stderr io.Writer) error {
	if !kioskID.MatchString(k.ID) {
		return fmt.Errorf("-id %q: a kiosk's name has 1 to 64 of a–z, 0–9, . _ -", k.ID)
	}
	for name, value := range map[string]string{"facility": k.Facility, "kind": k.Kind} {
		if value == "" || len(value) > 100 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7F }) {
			return fmt.Errorf("-%s %q: want 1 to 100 bytes without quotes, backslashes and control characters", name, value)
		}
	}
	f, err := load(path)
	if err != nil {
		return err
	}
	for _, other := range f.Kiosks {
		if other.ID == k.ID {
			return fmt.Errorf("kiosk %q stands in %s already: remove its block first to give it a new token", k.ID, path)
		}
	}
	if _, ok := f.Policies[k.Kind]; !ok {
		fmt.Fprintf(stderr, "note: there is no policy for the kind %q: such facilities record\n", k.Kind)
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	hash := registry.TokenHash(token)
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	block := fmt.Sprintf("\n[[kiosks]]\nid           = %q\nfacility     = \"%s\"\nkind         = \"%s\"\ntoken_sha256 = %q\n", k.ID, k.Facility, k.Kind, hex.EncodeToString(hash[:]))
	next := append(bytes.TrimRight(old, "\n"), append([]byte("\n"), block...)...)
	if err := configs.Decode(path, next, &file{}); err != nil {
		return fmt.Errorf("the block does not fit behind what is there: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if err := renameio.WriteFile(path, next, info.Mode().Perm()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(stdout, "# for the kiosk's kiosk.toml; the token is shown this once\nid    = %q\ntoken = %q\n", k.ID, token)
	fmt.Fprintln(stderr, "restart the registry: it reads its kiosks at the start")
	return nil
}

// signBundle writes the next trust bundle. Its number continues above the one
// on disk and above the given one.
func signBundle(path string, above uint64, now time.Time, stdout, stderr io.Writer) error {
	f, err := load(path)
	if err != nil {
		return err
	}
	root, err := configs.ReadKey(f.RootKey)
	if err != nil {
		return err
	}
	public := ed25519.PublicKey(f.Root)
	if !root.Public().(ed25519.PublicKey).Equal(public) {
		return fmt.Errorf("%s is not the private half of root in %s: kiosks would refuse the bundle", f.RootKey, path)
	}
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	c, err := f.contents(receipt.Public().(ed25519.PublicKey))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch raw, err := os.ReadFile(f.Bundle); {
	case err == nil:
		last, err := pass.OpenBundle(raw, public)
		if err != nil {
			return fmt.Errorf("%s is there, but: %w; move it away and give -above the highest number kiosks have seen", f.Bundle, err)
		}
		above = max(above, last.Number())
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read the last bundle: %w", err)
	}
	c.Number, c.Issued = above+1, now.Unix()
	c.Expires = now.AddDate(0, 0, f.BundleDays).Unix()
	raw, err := pass.SignBundle(root, c)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := pass.OpenBundle(raw, public); err != nil {
		return err
	}
	for _, i := range c.Issuers {
		for _, k := range i.Keys {
			if begins := time.Unix(k.NotBefore, 0).UTC(); begins.After(now) && begins.Before(now.Add(pass.KeyLead)) {
				fmt.Fprintf(stderr, "note: a key of %q signs from %s, in less than 35 days: a kiosk that is offline till then will not know it\n", i.ID, begins.Format(time.DateOnly))
			}
		}
	}
	// The rename lets a running registry see all of it or nothing.
	if err := renameio.WriteFile(f.Bundle, raw, 0o644); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	fmt.Fprintf(stdout, "signed bundle %d: %d issuers, %d policies, %d bytes, to be used until %s\n",
		c.Number, len(c.Issuers), len(c.Policies), len(raw), time.Unix(c.Expires, 0).UTC().Format(time.DateOnly))
	return nil
}
