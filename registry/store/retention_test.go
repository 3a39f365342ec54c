package store_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

func TestRetentionTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01 00:00 UTC, 09:00 in Seoul
		var at []string
		r := store.RetentionOf(func(_ context.Context, now time.Time) (int64, error) {
			at = append(at, now.In(store.Seoul).Format("15:04:05"))
			if len(at) == 4 {
				return 0, errors.New("a backup reads")
			}
			return 1, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Hour+30*time.Minute)
		defer cancel()
		time.Sleep(30 * time.Minute)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
		<-r.Ready()
		want := "09:30:00 10:30:00 11:30:00 12:30:00 12:31:00 13:31:00"
		if got := strings.Join(at, " "); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "23:31:00 00:00:01") {
			t.Errorf("it ran at %s", got)
		}
		if r.String() == "" {
			t.Error("no name")
		}
	})
}

// The task on a store, run to its first round.
func TestRetentionRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		put(t, db, visits("door-1", 0, 10, t0)...)
		ctx, cancel := context.WithCancel(t.Context())
		now := t0.AddDate(0, 0, store.Days)
		put(t, db, visit("door-1", 10, now)) // or the clock would be doubted
		r := store.NewRetention(db, audit(db, "one"), func() time.Time { return now }, slog.New(slog.DiscardHandler))
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		<-r.Ready()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var n int
		if err := db.SQL().QueryRowContext(t.Context(), "SELECT count(*) FROM visits").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d visits, %v", n, err)
		}
	})
}

// Two processes destroy the same days at once: each day has one line.
func TestTwoRetain(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		dbs := []*store.DB{storetest.Open(t, url, keys), storetest.Open(t, url, keys)}
		for d := range 3 {
			put(t, dbs[0], visits("door-1", 0, 10, t0.AddDate(0, 0, d))...)
		}
		type outcome struct {
			n   int64
			err error
		}
		out := make(chan outcome)
		for _, db := range dbs {
			go func() {
				n, err := db.Retain(t.Context(), audit(db, "one"), t0.AddDate(0, 0, store.Days+2))
				out <- outcome{n, err}
			}()
		}
		a, b := <-out, <-out
		if a.err != nil || b.err != nil || a.n+b.n != 30 {
			t.Errorf("%v %v", a, b)
		}
		head, err := dbs[0].Verify(t.Context(), []ed25519.PublicKey{public("one")}, nil)
		if head.Seq != 3 || err != nil {
			t.Errorf("%d lines for three days, %v", head.Seq, err)
		}
	})
}

// While a backup reads every visit, a day cannot be dropped. Kiosks go on, the
// key is destroyed all the same, and the rest is done when the backup is.
func TestRetainBesideABackup(t *testing.T) {
	keys := storetest.Keys(t)
	db := storetest.Open(t, storetest.Database(t), keys)
	put(t, db, visits("door-1", 0, 10, t0)...)
	reader, err := db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	if _, err := reader.ExecContext(t.Context(), "LOCK TABLE visits IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	now := t0.AddDate(0, 0, store.Days)
	failed := make(chan error)
	go func() {
		_, err := db.Retain(t.Context(), audit(db, "one"), now)
		failed <- err
	}()
	today := visits("door-1", 0, 10, now)
	put(t, db, today...)
	if err := <-failed; err == nil {
		t.Fatal("a day was dropped under a reader: the test proves nothing")
	}
	if _, err := os.Stat(filepath.Join(keys.Dir(), store.DayOf(t0).String()+".key")); err == nil {
		t.Error("the day's key is still there")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Retain(t.Context(), audit(db, "one"), now); n != 10 || err != nil {
		t.Errorf("%d destroyed, %v", n, err)
	}
	if diff := cmp.Diff(today, list(t, db, now)); diff != "" {
		t.Error(diff)
	}
}
