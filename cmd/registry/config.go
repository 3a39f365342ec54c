package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// file is registry.toml as it is written; configs/registry.toml documents it.
type file struct {
	Name        string              `toml:"name"`
	Address     string              `toml:"address"`
	Admin       string              `toml:"admin"`
	CACert      string              `toml:"ca_cert"`
	CAKey       string              `toml:"ca_key"`
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
	Authority   configs.PublicKey   `toml:"authority"`
	Roster      string              `toml:"roster"`
	Mail        struct {
		Hook string `toml:"hook"`
	} `toml:"mail"`
	TLS struct {
		Cert string `toml:"cert"`
		Key  string `toml:"key"`
	} `toml:"tls"`
	Issuers  []issuerBlock          `toml:"issuers"`
	Policies map[string]policyBlock `toml:"policies"`
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

// load reads a configuration, with its paths made relative to its folder.
func load(path string) (*file, error) {
	f := &file{
		Name: "문지기 registry", Address: "https://127.0.0.1:8082", Admin: "127.0.0.1:8083", CACert: "ca.crt", CAKey: "ca.key",
		Listen: "127.0.0.1:8082", Database: "registry.db", DayKeys: "day-keys", RootKey: "root.key", ReceiptKey: "receipt.key",
		Bundle: "bundle.cbor", BundleDays: int(pass.BundleLife / (24 * time.Hour)), Skew: registry.DefaultSkew, Roster: "roster.cbor",
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
	if err := wire.CheckName(f.Name); err != nil {
		return nil, fmt.Errorf("%s: name is %q: %w", path, f.Name, err)
	}
	if err := wire.CheckAddress(f.Address); err != nil {
		return nil, fmt.Errorf("%s: address is %q: %w", path, f.Address, err)
	}
	if (f.TLS.Cert == "") != (f.TLS.Key == "") {
		return nil, fmt.Errorf("%s: tls needs both cert and key, or neither", path)
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&f.DayKeys, &f.RootKey, &f.ReceiptKey, &f.Bundle, &f.Roster, &f.CACert, &f.CAKey, &f.TLS.Cert, &f.TLS.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if !strings.Contains(f.Database, "://") && !filepath.IsAbs(f.Database) {
		f.Database = filepath.Join(dir, f.Database)
	}
	return f, nil
}

// open opens the database.
func (f *file) open(ctx context.Context) (*store.DB, error) {
	keys, err := store.OpenDayKeys(f.DayKeys)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, f.Database, keys)
}

// book opens the book of facilities and kiosks.
func (f *file) book(db *store.DB) (*devices.Book, error) {
	if err := configs.CheckPrivate(f.CAKey); err != nil {
		return nil, err
	}
	ca, err := devices.LoadCA(f.CACert, f.CAKey)
	if err != nil {
		return nil, err
	}
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return nil, err
	}
	return devices.New(devices.Config{SQL: db.SQL(), CA: ca, Receipt: receipt, Root: ed25519.PublicKey(f.Root), Name: f.Name, Address: f.Address})
}

// contents is what the bundle says at now, but for its number and its times.
// Several blocks of one issuer are one issuer; a key that last signed more than
// 35 days ago is left out, since no visit is as old as that.
func (f *file) contents(receipt ed25519.PublicKey, now time.Time) (pass.Contents, error) {
	c := pass.Contents{Policies: map[string]pass.Policy{}, Receipts: [][]byte{receipt}}
	for _, k := range f.ReceiptAlso {
		c.Receipts = append(c.Receipts, k)
	}
	place := map[string]int{}
	listed := map[string]bool{}
	for _, i := range f.Issuers {
		at, ok := place[i.ID]
		if !ok {
			at = len(c.Issuers)
			place[i.ID] = at
			c.Issuers = append(c.Issuers, pass.Issuer{ID: i.ID, Keys: []pass.Key{}})
		}
		issuer := &c.Issuers[at]
		if since := unix(i.RevokedAt); since != 0 && (issuer.RevokedAt == 0 || since < issuer.RevokedAt) {
			issuer.RevokedAt = since
		}
		if len(i.Keys) == 0 {
			return c, fmt.Errorf("issuer %q has no key: issuer init prints one", i.ID)
		}
		for _, k := range i.Keys {
			if len(k.Public) == 0 || k.NotBefore.IsZero() || k.NotAfter.IsZero() {
				return c, fmt.Errorf("issuer %q: a key needs public, not_before and not_after", i.ID)
			}
			if entry := string(k.Public) + k.NotBefore.String(); listed[entry] {
				return c, fmt.Errorf("issuer %q: the key %s stands there twice", i.ID, k.Public)
			} else {
				listed[entry] = true
			}
			if k.NotAfter.Add(pass.KeyLead).Before(now) {
				continue
			}
			key := pass.NewKey(ed25519.PublicKey(k.Public), k.NotBefore, k.NotAfter)
			key.RevokedAt = unix(k.RevokedAt)
			issuer.Keys = append(issuer.Keys, key)
		}
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
