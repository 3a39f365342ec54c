package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/store"
)

// From a registry with visits to a new one that has them, but for those whose
// time has passed meanwhile.
func TestBackupAndRestore(t *testing.T) {
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
	defer db.Close()
	for d := range 2 {
		at := t0.AddDate(0, 0, -d)
		if _, err := db.Put(t.Context(), []store.Visit{{Kiosk: "k", Facility: "f", Issuer: "kko", ID: pass.ID{1}, Issued: at, Scanned: at, Received: at, Seq: uint64(d)}}); err != nil {
			t.Fatal(err)
		}
	}
	backups := filepath.Join(t.TempDir(), "backups")
	if out := must(t, "backup", "-config", config, backups); !strings.Contains(out, "no day key") {
		t.Error(out)
	}
	files, err := os.ReadDir(backups)
	if err != nil || len(files) != 1 || files[0].Name() != "registry-2026-11-22T124000.backup" {
		t.Fatalf("%v %v", files, err)
	}
	file := filepath.Join(backups, files[0].Name())
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(f.DayKeys, link); err != nil {
		t.Fatal(err)
	}
	for _, among := range []string{f.DayKeys, filepath.Join(f.DayKeys, "backups"), filepath.Join(link, "backups"), folder} {
		if _, _, err := do(t, "backup", "-config", config, among); err == nil {
			t.Errorf("a backup lies with the day keys in %s", among)
		}
	}
	if _, _, err := do(t, "restore", "-config", config, file); err == nil {
		t.Error("a database is overwritten")
	}

	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"", "-wal", "-shm"} {
		os.Remove(f.Database + old)
	}
	later := func() time.Time { return t0.AddDate(0, 0, store.Days-1) } // yesterday is past its time
	var out strings.Builder
	if err := run(t.Context(), []string{"restore", "-config", config, file}, later, strings.NewReader(""), &out, &out); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if !strings.Contains(out.String(), "1 visits were past") {
		t.Error(&out)
	}
	if db, err = f.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	visits, err := db.Visits(t.Context(), "f", t0.AddDate(0, 0, -5), t0.AddDate(0, 0, 5))
	if err != nil || len(visits) != 1 || visits[0].ID != (pass.ID{1}) || !visits[0].Issued.Equal(t0) {
		t.Errorf("%v %v", visits, err)
	}
}
