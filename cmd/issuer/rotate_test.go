package main

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass"
)

// TestHundredDays lives through 100 days with two rotations. Every day the
// registry publishes a bundle of the blocks that were printed so far, and every
// hour a code is made; kiosks whose bundle is up to 35 days old admit it.
func TestHundredDays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path := filepath.Join(dir, "issuer.toml")
	now := t0
	command := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), args, func() time.Time { return now }, &out, &bytes.Buffer{})
		return out.String(), err
	}
	blocks, err := command("init", dir)
	if err != nil {
		t.Fatal(err)
	}
	rootPublic, root, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(n int) *pass.Bundle {
		t.Helper()
		var file struct {
			Issuers []struct {
				ID   string `toml:"id"`
				Keys []struct {
					Public    configs.PublicKey `toml:"public"`
					NotBefore time.Time         `toml:"not_before"`
					NotAfter  time.Time         `toml:"not_after"`
				} `toml:"keys"`
			} `toml:"issuers"`
		}
		if err := configs.Decode("printed", []byte(blocks), &file); err != nil {
			t.Fatal(err)
		}
		c := pass.Contents{Number: uint64(n + 1), Issued: now.Unix(), Expires: now.Add(pass.BundleLife).Unix()}
		at := map[string]int{}
		for _, i := range file.Issuers {
			if _, ok := at[i.ID]; !ok {
				at[i.ID] = len(c.Issuers)
				c.Issuers = append(c.Issuers, pass.Issuer{ID: i.ID})
			}
			for _, k := range i.Keys {
				owner := &c.Issuers[at[i.ID]]
				owner.Keys = append(owner.Keys, pass.NewKey(ed25519.PublicKey(k.Public), k.NotBefore, k.NotAfter))
			}
		}
		raw, err := pass.SignBundle(root, c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pass.OpenBundle(raw, rootPublic)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	f, brands, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := issuer.New(issuer.Config{Brands: brands, Helpline: issuer.Helpline(f.Helpline), Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var bundles []*pass.Bundle
	for day := range 100 {
		switch day {
		case 10, 60:
			more, err := command("rotate", "-config", path, "kko")
			if err != nil {
				t.Fatal(err)
			}
			blocks += more
			next, err := nextKeys(brands[0].KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Rotate("kko", dated(next)); err != nil { // as follow does
				t.Fatal(err)
			}
		case 11:
			if _, err := command("rotate", "-config", path, "kko"); err == nil || !strings.Contains(err.Error(), "wait") {
				t.Errorf("a second key before the first signs: %v", err)
			}
		}
		bundles = append(bundles, publish(day))
		for range 24 {
			text, err := server.Issue(now, "kko", nil)
			if err != nil {
				t.Fatal(err)
			}
			u, err := pass.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for age, b := range bundles[max(0, len(bundles)-36):] {
				_, err := u.Verify(now, b, pass.Conditions{Skew: pass.Skew, Clock: pass.ClockSure})
				if err != nil {
					t.Fatalf("day %d: bundle %d of the last 36 refuses: %v", day, age, err)
				}
			}
			now = now.Add(time.Hour)
		}
	}
	_, brands, err = load(path)
	if err != nil || len(brands[0].Next) != 2 {
		t.Fatalf("%d next keys, want 2: %v", len(brands[0].Next), err)
	}
	// The keys did change: who knows the first one only refuses today.
	text, err := server.Issue(now, "kko", nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Verify(now, bundles[0], pass.Conditions{Skew: pass.Skew, Clock: pass.ClockSure}); err == nil {
		t.Error("no key was changed")
	}
	if _, err := command("rotate", "-config", path, "nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Error(err)
	}
}
