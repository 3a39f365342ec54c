package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/store"
)

// The folder of day keys is lost: the operator is told which days, and they are
// destroyed only when asked for.
func TestDayKeysLost(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "registry")
	must(t, "init", folder)
	config := filepath.Join(folder, "registry.toml")
	f, err := load(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Put(t.Context(), []store.Visit{{Kiosk: "k", Facility: "f", Issuer: "kko", ID: pass.ID{1}, Issued: t0, Scanned: t0, Received: t0}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "day-keys", "lost", "-config", config); !strings.Contains(out, "every day") {
		t.Error(out)
	}
	if err := os.Rename(f.DayKeys, f.DayKeys+".away"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // listing destroys nothing
		if out := must(t, "day-keys", "lost", "-config", config); !strings.Contains(out, "2026-11-22") || !strings.Contains(out, "bring the folder back") {
			t.Error(out)
		}
	}
	if out := must(t, "day-keys", "lost", "-config", config, "-destroy"); !strings.Contains(out, "2026-11-22: 1 visits destroyed") {
		t.Error(out)
	}
	if out := must(t, "day-keys", "lost", "-config", config); !strings.Contains(out, "every day") {
		t.Error(out)
	}
	if out := must(t, "audit", "show", "-config", config); !strings.Contains(out, "visits-deleted") {
		t.Error(out)
	}
}

// The operator's word is a date, and a wrong one destroys nothing.
func TestRetain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "registry")
	must(t, "init", folder)
	config := filepath.Join(folder, "registry.toml")
	f, err := load(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := t0.AddDate(0, 0, -store.Days)
	if _, err := db.Put(t.Context(), []store.Visit{{Kiosk: "k", Facility: "f", Issuer: "kko", ID: pass.ID{1}, Issued: old, Scanned: old, Received: old}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "retain", "-config", config, "2026-10-25"); err == nil || !strings.Contains(err.Error(), "2026-11-22") {
		t.Errorf("another date than the clock's: %v", err)
	}
	if out := must(t, "retain", "-config", config, "2026-11-22"); !strings.HasPrefix(out, "1 visits") {
		t.Error(out)
	}
}
