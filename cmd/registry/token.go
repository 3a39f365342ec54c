package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry"
)

var kioskID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// kioskAdd appends a kiosk's block to the configuration and prints its token.
func kioskAdd(_ context.Context, c *call, args []string) error {
	var k kioskBlock
	c.flags.StringVar(&k.ID, "id", "", "the kiosk's `name`: a–z, 0–9, . _ -")
	c.flags.StringVar(&k.Facility, "facility", "", "the facility's `name`; counts are kept by it")
	c.flags.StringVar(&k.Kind, "kind", "", "`kind` of facility: chooses the policy")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	if !kioskID.MatchString(k.ID) {
		return fmt.Errorf("-id %q: a kiosk's name has 1 to 64 of a–z, 0–9, . _ -", k.ID)
	}
	for name, value := range map[string]string{"facility": k.Facility, "kind": k.Kind} {
		if value == "" || len(value) > 100 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7F }) {
			return fmt.Errorf("-%s %q: want 1 to 100 bytes without quotes, backslashes and control characters", name, value)
		}
	}
	path := *c.path
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
		fmt.Fprintf(c.stderr, "note: there is no policy for the kind %q: such facilities record\n", k.Kind)
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	hash := registry.TokenHash(token)
	block := fmt.Sprintf("\n[[kiosks]]\nid           = %q\nfacility     = \"%s\"\nkind         = \"%s\"\ntoken_sha256 = %q\n", k.ID, k.Facility, k.Kind, hex.EncodeToString(hash[:]))
	if err := appendBlock(path, block); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "# for the kiosk's kiosk.toml; the token is shown this once\nid    = %q\ntoken = %q\n", k.ID, token)
	fmt.Fprintln(c.stderr, "restart the registry: it reads its kiosks at the start")
	return nil
}

// appendBlock adds text to the end of the configuration, if it fits there.
func appendBlock(path, block string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
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
	return nil
}
