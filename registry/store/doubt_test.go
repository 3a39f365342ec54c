package store_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// round is one of the retention task's.
func round(t *testing.T, db *store.DB, now time.Time) (log string) {
	t.Helper()
	var b strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	r := store.NewRetention(db, audit(db, "one"), func() time.Time { return now }, slog.New(slog.NewTextHandler(&b, nil)))
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	<-r.Ready()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return b.String()
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	if err := db.SQL().QueryRowContext(t.Context(), "SELECT count(*) FROM visits").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The registry boots with its clock 29 days ahead, or after 29 days: from inside
// it looks the same. Nothing is destroyed until a kiosk or the operator says so.
func TestClockAhead(t *testing.T) {
	later := t0.AddDate(0, 0, 29)
	for _, tt := range []struct {
		name string
		word func(*testing.T, *store.DB)
		left int
	}{
		{"nobody", func(*testing.T, *store.DB) {}, 20},
		{"a kiosk still brings what is of today", func(t *testing.T, db *store.DB) { put(t, db, visits("door-2", 0, 10, t0)...) }, 30},
		{"a kiosk brings a fresh visit", func(t *testing.T, db *store.DB) { put(t, db, visit("door-1", 99, later)) }, 1},
		{"the operator", func(t *testing.T, db *store.DB) {
			if _, err := db.Retain(t.Context(), audit(db, "one"), later); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.EachURL(t, func(t *testing.T, url string) {
				keys := storetest.Keys(t)
				db := storetest.Open(t, url, keys)
				put(t, db, visits("door-1", 0, 10, t0)...)
				put(t, db, visits("door-1", 10, 20, t0.AddDate(0, 0, -1))...)
				if log := round(t, db, t0); strings.Contains(log, "ERROR") {
					t.Error(log)
				}
				log := round(t, db, later)
				if n := count(t, db); n != 20 || !strings.Contains(log, "registry retain") {
					t.Errorf("%d visits are left of 20: %s", n, log)
				}
				if files, err := os.ReadDir(keys.Dir()); err != nil || len(files) != 2 {
					t.Errorf("keys: %v, %v", files, err)
				}
				tt.word(t, db)
				round(t, db, later)
				if n := count(t, db); n != tt.left {
					t.Errorf("%d visits are left, want %d", n, tt.left)
				}
			})
		})
	}
}

// A registry that runs, though no kiosk sends anything, destroys each day when
// its time has come; and one that was off for a weekend.
func TestQuietRegistryGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		put(t, db, visits("door-1", 0, 10, t0)...)
		for d := 0; d <= store.Days; d += 2 {
			if log := round(t, db, t0.AddDate(0, 0, d)); strings.Contains(log, "ERROR") {
				t.Fatalf("day %d: %s", d, log)
			}
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d visits are left", n)
		}
		if err := db.Doubt(t.Context(), t0.AddDate(0, 0, store.Days+4)); !errors.Is(err, store.ErrClock) {
			t.Errorf("four days later: %v", err)
		}
	})
}
