package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
)

func openKeys(t testing.TB, dir string) *store.DayKeys {
	t.Helper()
	k, err := store.OpenDayKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSeal(t *testing.T) {
	keys := openKeys(t, filepath.Join(t.TempDir(), "keys"))
	day := store.DayOf(t0)
	seen := map[[16]byte]bool{}
	for _, in := range []struct {
		day    store.Day
		issuer string
		n      int
	}{{day, "kko", 1}, {day, "kko", 2}, {day, "nv", 1}, {day + 1, "kko", 1}} {
		sealed, err := keys.Seal(in.day, in.issuer, idOf(in.n))
		if err != nil {
			t.Fatal(err)
		}
		if seen[sealed] {
			t.Errorf("%v is sealed like another", in)
		}
		seen[sealed] = true
		if again, err := openKeys(t, keys.Dir()).Seal(in.day, in.issuer, idOf(in.n)); err != nil || again != sealed {
			t.Errorf("%v is sealed otherwise by another process: %v", in, err)
		}
		if id, err := keys.Open(in.day, in.issuer, sealed); err != nil || id != idOf(in.n) {
			t.Errorf("%v is not opened: %v", in, err)
		}
	}
	if _, err := keys.Open(day+5, "kko", [16]byte{}); !errors.Is(err, store.ErrSealed) {
		t.Errorf("a day without a key: %v", err)
	}
}

// Processes that begin a day at the same instant agree on its key.
func TestDayKeysAgree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	day := store.DayOf(t0)
	var mu sync.Mutex
	seen := map[[16]byte]bool{}
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			sealed, err := openKeys(t, dir).Seal(day, "kko", idOf(1))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			seen[sealed] = true
			mu.Unlock()
		})
	}
	wait.Wait()
	if len(seen) != 1 {
		t.Errorf("%d keys for one day", len(seen))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "2026-11-22.key" {
		t.Errorf("%v %v", files, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "2026-11-22.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestDestroyedKey(t *testing.T) {
	keys := openKeys(t, filepath.Join(t.TempDir(), "keys"))
	day := store.DayOf(t0)
	var sealed [2][16]byte
	for i := range sealed {
		var err error
		if sealed[i], err = keys.Seal(day+store.Day(i), "kko", idOf(1)); err != nil {
			t.Fatal(err)
		}
	}
	// A hard link shows what became of the bytes themselves.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Link(filepath.Join(keys.Dir(), day.String()+".key"), link); err != nil {
		t.Fatal(err)
	}
	if n, err := keys.Destroy(day + 1); n != 1 || err != nil {
		t.Errorf("%d keys destroyed, %v", n, err)
	}
	if data, err := os.ReadFile(link); err != nil || [32]byte(data) != [32]byte{} {
		t.Errorf("the key's bytes are still there (%v)", err)
	}
	if _, err := keys.Open(day, "kko", sealed[0]); !errors.Is(err, store.ErrSealed) {
		t.Errorf("day one: %v", err)
	}
	if id, err := keys.Open(day+1, "kko", sealed[1]); err != nil || id != idOf(1) {
		t.Errorf("day two: %v", err)
	}
	if n, err := keys.Destroy(day + 1); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestDamagedKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "2026-11-22.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeys(t, dir).Seal(store.DayOf(t0), "kko", idOf(1)); err == nil {
		t.Error("a damaged key is used")
	}
}
