package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry"
)

// file is registry.toml as it is written; configs/registry.toml documents it.
type file struct {
	Listen      string              `toml:"listen"`
	Database    string              `toml:"database"`
	DayKeys     string              `toml:"day_keys"`
	Root        configs.PublicKey   `toml:"root"`
	RootKey     string              `toml:"root_key"`
	ReceiptKey  string              `toml:"receipt_key"`
	ReceiptAlso []configs.PublicKey `toml:"receipt_also"`
	Bundle      string              `toml:"bundle"`
	BundleDays  int                 `toml:"bundle_days"`
	Skew        time.Duration       `toml:"skew"`
	TLS         struct {
		Cert string `toml:"cert"`
		Key  string `toml:"key"`
	} `toml:"tls"`
	Issuers  []issuerBlock          `toml:"issuers"`
	Policies map[string]policyBlock `toml:"policies"`
	Kiosks   []kioskBlock           `toml:"kiosks"`
}

type issuerBlock struct {
	ID        string     `toml:"id"`
	RevokedAt time.Time  `toml:"revoked_at"`
	Keys      []keyBlock `toml:"keys"`
}

type keyBlock struct {
	Public    configs.PublicKey `toml:"public"`
	NotBefore time.Time         `toml:"not_before"`
	NotAfter  time.Time         `toml:"not_after"`
	RevokedAt time.Time         `toml:"revoked_at"`
}

type policyBlock struct {
	Mode  string    `toml:"mode"`
	Since time.Time `toml:"since"`
}

type kioskBlock struct {
	ID       string `toml:"id"`
	Facility string `toml:"facility"`
	Kind     string `toml:"kind"`
	Token    string `toml:"token_sha256"`
}

// load reads a configuration, with its paths made relative to its folder.
func load(path string) (*file, error) {
	f := &file{
		Listen: "127.0.0.1:8082", Database: "registry.db", DayKeys: "day-keys", RootKey: "root.key", ReceiptKey: "receipt.key",
		Bundle: "bundle.cbor", BundleDays: int(pass.BundleLife / (24 * time.Hour)), Skew: registry.DefaultSkew,
	}
	if err := configs.Load(path, f); err != nil {
		return nil, err
	}
	if len(f.Root) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s: root is missing: it is the public key that registry init printed", path)
	}
	if most := int(pass.BundleLife / (24 * time.Hour)); f.BundleDays < 1 || f.BundleDays > most {
		return nil, fmt.Errorf("%s: bundle_days is %d, want 1 to %d", path, f.BundleDays, most)
	}
	if f.Skew < pass.Skew || f.Skew > time.Minute {
		return nil, fmt.Errorf("%s: skew is %s, want %s to 1m", path, f.Skew, pass.Skew)
	}
	if (f.TLS.Cert == "") != (f.TLS.Key == "") {
		return nil, fmt.Errorf("%s: tls needs both cert and key, or neither", path)
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&f.DayKeys, &f.RootKey, &f.ReceiptKey, &f.Bundle, &f.TLS.Cert, &f.TLS.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if !strings.Contains(f.Database, "://") && !filepath.IsAbs(f.Database) {
		f.Database = filepath.Join(dir, f.Database)
	}
	return f, nil
}

// kiosks are those that may upload.
func (f *file) kiosks() ([]registry.Kiosk, error) {
	all := make([]registry.Kiosk, len(f.Kiosks))
	for i, k := range f.Kiosks {
		hash, err := hex.DecodeString(k.Token)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("kiosk %q: token_sha256 is 64 hexadecimal digits, as registry kiosk add writes them", k.ID)
		}
		all[i] = registry.Kiosk{ID: k.ID, Facility: k.Facility, Kind: k.Kind, Token: [sha256.Size]byte(hash)}
	}
	return all, nil
}

// contents is what the bundle says, but for its number and its times.
func (f *file) contents(receipt ed25519.PublicKey) (pass.Contents, error) {
	c := pass.Contents{Policies: map[string]pass.Policy{}, Receipts: [][]byte{receipt}}
	for _, k := range f.ReceiptAlso {
		c.Receipts = append(c.Receipts, k)
	}
	for _, i := range f.Issuers {
		issuer := pass.Issuer{ID: i.ID, RevokedAt: unix(i.RevokedAt)}
		for _, k := range i.Keys {
			if len(k.Public) == 0 || k.NotBefore.IsZero() || k.NotAfter.IsZero() {
				return c, fmt.Errorf("issuer %q: a key needs public, not_before and not_after", i.ID)
			}
			key := pass.NewKey(ed25519.PublicKey(k.Public), k.NotBefore, k.NotAfter)
			key.RevokedAt = unix(k.RevokedAt)
			issuer.Keys = append(issuer.Keys, key)
		}
		if len(issuer.Keys) == 0 {
			return c, fmt.Errorf("issuer %q has no key: issuer init prints one", i.ID)
		}
		c.Issuers = append(c.Issuers, issuer)
	}
	for kind, p := range f.Policies {
		mode, err := modeOf(p.Mode)
		if err != nil {
			return c, fmt.Errorf("policy %q: %w", kind, err)
		}
		if p.Since.IsZero() {
			return c, fmt.Errorf("policy %q: since is missing: the time at which it took effect", kind)
		}
		c.Policies[kind] = pass.Policy{Mode: mode, Since: p.Since.Unix()}
	}
	return c, nil
}

func modeOf(word string) (pass.Mode, error) {
	for m := pass.ModeRecord; m <= pass.ModeOff; m++ {
		if m.String() == word {
			return m, nil
		}
	}
	return 0, errors.New(`mode is "record", "verify-only" or "off"`)
}

// unix is 0 for no time at all.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
