package store_test

import (
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// The hour of a silent kiosk's oldest visit goes with its day.
func TestOldestIsForgotten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, query := range []string{
			`INSERT INTO facilities (id, name, kind, owner, created) VALUES ('f', 'f', 'cafe', '', 0)`,
			`INSERT INTO kiosks (id, facility, name, enrolled, version, bundle) VALUES ('k', 'f', '', 0, '', 0)`,
		} {
			if _, err := db.SQL().ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.SQL().ExecContext(t.Context(), `UPDATE kiosks SET oldest = $1`, t0.UnixMilli()); err != nil {
			t.Fatal(err)
		}
		checkOldest(t, db, store.Days-1, t0.UnixMilli())
		checkOldest(t, db, store.Days, 0)
	})
}

func checkOldest(t *testing.T, db *store.DB, days int, want int64) {
	t.Helper()
	if _, err := db.Retain(t.Context(), audit(db, "one"), t0.AddDate(0, 0, days)); err != nil {
		t.Fatal(err)
	}
	var oldest int64
	if err := db.SQL().QueryRowContext(t.Context(), `SELECT oldest FROM kiosks`).Scan(&oldest); err != nil || oldest != want {
		t.Errorf("behind day %d: %d, want %d, %v", days, oldest, want, err)
	}
}
