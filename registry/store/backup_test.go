package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// A backup that is made under load is a state that was there at one instant:
// whatever was durable before it began is in it, with the audit log.
func TestBackup(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		db := storetest.Open(t, url, keys)
		put(t, db, visits("door-1", 0, 500, t0)...)
		log := audit(db, "one")
		if err := log.Append(t.Context(), "test", nil); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() {
			for n := 0; ; n += 20 {
				select {
				case <-stop:
					return
				default:
					put(t, db, visits("door-2", n, n+20, t0)...)
				}
			}
		})
		file := filepath.Join(t.TempDir(), "backup")
		err := store.Backup(t.Context(), url, file)
		close(stop)
		wait.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		if err := store.Backup(t.Context(), url, file); err == nil {
			t.Error("a backup is overwritten")
		}

		to := storetest.File(t)
		if db.Dialect() == store.Postgres {
			to = storetest.Database(t)
		}
		if err := store.Restore(t.Context(), to, file); err != nil {
			t.Fatal(err)
		}
		back := storetest.Open(t, to, keys)
		exactlyOnce(t, back, []string{"door-1"}, 500)
		if head, err := back.Verify(t.Context(), nil, nil); head.Seq != 0 || err == nil {
			t.Error("the audit log verifies without a key")
		}
		// It goes on from there: what was sent again is known, the log continues.
		if n := put(t, back, visits("door-1", 400, 600, t0)...); n != 100 {
			t.Errorf("%d are fresh, want 100", n)
		}
		if err := audit(back, "one").Append(t.Context(), "test", nil); err != nil {
			t.Error(err)
		}
		if err := store.Restore(t.Context(), to, file); err == nil {
			t.Error("a database is overwritten")
		}
		exactlyOnce(t, back, []string{"door-1"}, 600)
	})
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{damaged, filepath.Join(dir, "nothing")} {
		for _, url := range []string{storetest.File(t), storetest.Database(t)} {
			if err := store.Restore(t.Context(), url, file); err == nil {
				t.Errorf("%s is restored to %s", file, url)
			}
			if _, err := os.Stat(url); err == nil {
				t.Errorf("%s was made", url)
			}
		}
	}
	if err := store.Backup(t.Context(), filepath.Join(dir, "no.db"), filepath.Join(dir, "backup")); err == nil {
		t.Error("nothing is backed up")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
