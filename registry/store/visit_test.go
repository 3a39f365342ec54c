package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC) // 12:40 in Seoul, a Sunday

func idOf(n int) (id pass.ID) {
	copy(id[:], "visitor:")
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// visit is the n-th visitor's, at a kiosk of cafe-1.
func visit(kiosk string, n int, at time.Time) store.Visit {
	return store.Visit{
		Kiosk: kiosk, Facility: "cafe-1", Issuer: "kko", ID: idOf(n), Issued: at, Scanned: at.Add(3 * time.Second),
		Received: at.Add(time.Minute), Seq: uint64(n), Flags: wire.FlagClockUnsure,
	}
}

func visits(kiosk string, from, to int, at time.Time) []store.Visit {
	var all []store.Visit
	for n := from; n < to; n++ {
		all = append(all, visit(kiosk, n, at))
	}
	return all
}

func put(t testing.TB, db *store.DB, visits ...store.Visit) (fresh int) {
	t.Helper()
	all, err := db.Put(t.Context(), visits)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f {
			fresh++
		}
	}
	return fresh
}

// list is what is stored of cafe-1 on the day around at.
func list(t testing.TB, db *store.DB, at time.Time) []store.Visit {
	t.Helper()
	all, err := db.Visits(t.Context(), "cafe-1", at.Add(-12*time.Hour), at.Add(12*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sent := visits("door-1", 1, 301, t0)
		if n := put(t, db, sent...); n != 300 {
			t.Errorf("%d fresh, want 300", n)
		}
		if diff := cmp.Diff(sent, list(t, db, t0)); diff != "" {
			t.Error(diff)
		}
		// Sent again with what came meanwhile, one of them twice.
		again := append(visits("door-1", 200, 400, t0), visit("door-1", 399, t0))
		fresh, err := db.Put(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range fresh[:199] {
			if want := again[i].Seq > 300; f != want {
				t.Errorf("visit %d: fresh is %v", again[i].Seq, f)
			}
		}
		if fresh[199] == fresh[200] {
			t.Errorf("of one visit twice in a batch %v and %v are fresh", fresh[199], fresh[200])
		}
		if n := len(list(t, db, t0)); n != 399 {
			t.Errorf("%d rows, want 399", n)
		}
		if n := put(t, db); n != 0 {
			t.Errorf("%d of nothing", n)
		}
	})
}

// Two kiosks, two issuers, two days: each is another visit.
func TestIdempotencyKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		one := visit("door-1", 1, t0)
		kiosk, issuer, day := one, one, one
		kiosk.Kiosk = "door-2"
		issuer.Issuer = "nv"
		day.Issued, day.Scanned, day.Received = t0.AddDate(0, 0, 1), t0.AddDate(0, 0, 1), t0.AddDate(0, 0, 1)
		if n := put(t, db, one, kiosk, issuer, day, one); n != 4 {
			t.Errorf("%d are fresh, want 4", n)
		}
		for _, v := range list(t, db, t0) {
			if want := v.Issuer == "kko"; v.Relayed != want {
				t.Errorf("at %s of %s: relayed is %v", v.Kiosk, v.Issuer, v.Relayed)
			}
			if v.ID != one.ID {
				t.Errorf("at %s of %s: the id is not the one put", v.Kiosk, v.Issuer)
			}
		}
	})
}

// Doors that send the same passes at the same time, each several times over:
// every visit is there once, and each is flagged as taken by another door too.
func TestManyDoorsAtOnce(t *testing.T) {
	const doors, passes, times = 8, 120, 3
	storetest.EachURL(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		dbs := []*store.DB{storetest.Open(t, url, keys), storetest.Open(t, url, keys)} // two processes
		var mu sync.Mutex
		fresh := 0
		var wait sync.WaitGroup
		for d := range doors {
			for n := range times {
				wait.Go(func() {
					for from := 0; from < passes; from += 20 {
						all, err := dbs[(d+n)%2].Put(t.Context(), visits(fmt.Sprint("door-", d), from, from+20, t0))
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						for _, f := range all {
							if f {
								fresh++
							}
						}
						mu.Unlock()
					}
				})
			}
		}
		wait.Wait()
		all := list(t, dbs[0], t0)
		if fresh != doors*passes || len(all) != doors*passes {
			t.Errorf("%d fresh and %d stored, want %d", fresh, len(all), doors*passes)
		}
		for _, v := range all {
			if !v.Relayed {
				t.Fatalf("the visit %d of %s is not flagged", v.Seq, v.Kiosk)
			}
		}
	})
}

func TestCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		day := store.DayOf(t0)
		midnight := day.Midnight()
		put(t, db, visit("a", 1, midnight.Add(-4*time.Second)), visit("a", 2, midnight.Add(-3*time.Second)),
			visit("a", 3, midnight.Add(12*time.Hour)), visit("b", 3, midnight.Add(12*time.Hour)), visit("a", 4, midnight.Add(24*time.Hour-4*time.Second)))
		other := visit("c", 5, t0)
		other.Facility = "cafe-2"
		put(t, db, other)
		hours, err := db.Hours(t.Context(), "cafe-1", day)
		if err != nil {
			t.Fatal(err)
		}
		if want := (store.Hours{0: 1, 12: 2, 23: 1}); hours != want {
			t.Errorf("got %v, want %v", hours, want)
		}
		days, err := db.Daily(t.Context(), "cafe-1", day-2, 4)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{0, 1, 4, 0}, days); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDay(t *testing.T) {
	for _, tt := range []struct{ at, want string }{
		{"2026-11-22T14:59:59Z", "2026-11-22"}, {"2026-11-22T15:00:00Z", "2026-11-23"},
		{"1970-01-01T00:00:00+09:00", "1970-01-01"}, {"1969-12-31T23:59:59+09:00", "1969-12-31"},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := store.DayOf(at).String(); got != tt.want {
			t.Errorf("%s lies on %s, want %s", tt.at, got, tt.want)
		}
		if m := store.DayOf(at).Midnight(); m.After(at) || at.Sub(m) >= 24*time.Hour || store.DayOf(m) != store.DayOf(at) {
			t.Errorf("%s: midnight is %s", tt.at, m)
		}
	}
	midnight := store.DayOf(t0).Midnight()
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{-48 * time.Hour, false}, {-47 * time.Hour, false}, {-24 * time.Hour, true}, {0, true}, {28*24*time.Hour - 1, true}, {28 * 24 * time.Hour, false}} {
		if got := store.Keeps(midnight, midnight.Add(tt.after)); got != tt.want {
			t.Errorf("keeps %s behind midnight: %v", tt.after, got)
		}
	}
}

func TestNotKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		late := visit("door-1", 1, t0)
		late.Received = t0.AddDate(0, 0, store.Days)
		if _, err := db.Put(t.Context(), []store.Visit{visit("door-1", 2, t0), late}); !errors.Is(err, store.ErrRetention) {
			t.Errorf("got %v", err)
		}
	})
}

// A caller that goes away is let go, and one that comes too late is told.
func TestPutEnds(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		db, err := store.Open(t.Context(), url, storetest.Keys(t))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			if _, err := db.Put(ctx, visits("door-1", 1, 10, t0)); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		for n := range 50 {
			wait.Go(func() { db.Put(t.Context(), visits("door-2", n*10, n*10+10, t0)) })
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
		if _, err := db.Put(t.Context(), visits("door-3", 1, 10, t0)); err == nil {
			t.Error("a closed store takes visits")
		}
	})
}
