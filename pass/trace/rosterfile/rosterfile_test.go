package rosterfile_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/pass/trace/rosterfile"
)

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.cbor")
	log := slog.New(slog.DiscardHandler)
	authority := key("authority").Public().(ed25519.PublicKey)
	f, err := rosterfile.Open(path, authority, log)
	if err != nil || f.Roster() != nil {
		t.Fatal(f.Roster(), err)
	}
	put := func(raw []byte) {
		t.Helper()
		// By rename, as an operator does it: another file each time.
		if err := renameio.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sign := func(number uint64) []byte {
		t.Helper()
		issued := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		raw, err := trace.SignRoster(key("authority"), trace.Contents{Number: number, Issued: issued.Unix(), Expires: issued.AddDate(0, 0, 60).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, step := range []struct {
		why  string
		raw  []byte
		want uint64
	}{
		{"a first roster is not taken", sign(5), 5},
		{"an older roster is taken: a revoked officer would be back", sign(4), 5},
		{"the last good one is thrown away", []byte("torn"), 5},
		{"a newer roster is not taken", sign(6), 6},
	} {
		put(step.raw)
		if got := f.Roster().Number(); got != step.want {
			t.Errorf("%s: %d", step.why, got)
		}
	}
	put([]byte("torn"))
	if _, err := rosterfile.Open(path, authority, log); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("started on a torn roster: %v", err)
	}
	put(sign(5))
	if _, err := rosterfile.Open(path, key("root").Public().(ed25519.PublicKey), log); !errors.Is(err, trace.ErrAuthority) {
		t.Errorf("another authority's roster: %v", err)
	}
}
