package store_test

import (
	"context"
	"os"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// A reader holds SQLite's write-ahead log while a day is destroyed, or the
// process dies before it is cut: the next round cuts it.
func TestScrubIsTriedAgain(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		path := storetest.File(t)
		keys := storetest.Keys(t)
		db := storetest.Open(t, path, keys)
		put(t, db, visits("door-1", 0, 200, t0)...)
		reader, err := db.SQL().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.ExecContext(t.Context(), "BEGIN DEFERRED"); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM visits").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Writer().ExecContext(t.Context(), "PRAGMA busy_timeout(10)"); err != nil {
			t.Fatal(err)
		}
		now := t0.AddDate(0, 0, store.Days)
		if n, err := db.Retain(t.Context(), audit(db, "one"), now); n != 200 || err == nil {
			t.Fatalf("%d destroyed, %v: the test proves nothing", n, err)
		}
		if _, err := reader.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
		if reopened {
			db = storetest.Open(t, path, keys)
		}
		if _, err := db.Retain(t.Context(), audit(db, "one"), now); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
			t.Errorf("reopened %t: the write-ahead log: %v, %v", reopened, info.Size(), err)
		}
	}
}
