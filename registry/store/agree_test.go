package store_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// The folder of day keys is lost, or a second machine has one of its own: no
// new key is made for a day that has visits, nothing is stored twice and nothing
// opens to nonsense; when the folder is back, all is as it was.
func TestLostDayKeys(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		first := storetest.Open(t, url, keys)
		sent := visits("door-1", 0, 10, t0)
		put(t, first, sent...)
		for _, tt := range []struct {
			name string
			keys *store.DayKeys
		}{{"an empty folder", storetest.Keys(t)}, {"another machine's", otherKeys(t)}} {
			second := storetest.Open(t, url, tt.keys)
			if _, err := second.Put(t.Context(), visits("door-1", 5, 15, t0)); !errors.Is(err, store.ErrSealed) {
				t.Errorf("%s: Put: %v", tt.name, err)
			}
			if _, err := second.Visits(t.Context(), "cafe-1", t0.Add(-time.Hour), t0.Add(time.Hour)); !errors.Is(err, store.ErrSealed) {
				t.Errorf("%s: Visits: %v", tt.name, err)
			}
			if lost, err := second.Lost(t.Context()); err != nil || len(lost) != 1 || lost[0] != store.DayOf(t0) {
				t.Errorf("%s: lost %v, %v", tt.name, lost, err)
			}
		}
		if entries, err := os.ReadDir(keys.Dir()); err != nil || len(entries) != 1 {
			t.Errorf("%v, %v", entries, err)
		}
		back := storetest.Open(t, url, openKeys(t, keys.Dir()))
		if n := put(t, back, visits("door-1", 5, 15, t0)...); n != 5 {
			t.Errorf("%d are new with the folder back, want 5", n)
		}
		if diff := cmp.Diff(visits("door-1", 0, 15, t0), list(t, back, t0)); diff != "" {
			t.Error(diff)
		}
	})
}

// otherKeys is a folder with a key of its own for the day of t0.
func otherKeys(t *testing.T) *store.DayKeys {
	keys := storetest.Keys(t)
	if _, err := keys.Seal(store.DayOf(t0), "kko", idOf(1)); err != nil {
		t.Fatal(err)
	}
	return keys
}

// The keys are gone for good: the operator gives the day up, and it begins anew.
func TestGiveUp(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		first := storetest.Open(t, url, storetest.Keys(t))
		put(t, first, visits("door-1", 0, 10, t0)...)
		if _, err := first.GiveUp(t.Context(), audit(first, "one"), store.DayOf(t0)); err == nil {
			t.Error("a day whose key is there was given up")
		}
		db := storetest.Open(t, url, storetest.Keys(t))
		if n, err := db.GiveUp(t.Context(), audit(db, "one"), store.DayOf(t0)); n != 10 || err != nil {
			t.Errorf("%d given up, %v", n, err)
		}
		checkLog(t, db, store.DayOf(t0), 10)
		if n := put(t, db, visits("door-1", 5, 15, t0)...); n != 10 {
			t.Errorf("%d new, want 10", n)
		}
		if diff := cmp.Diff(visits("door-1", 5, 15, t0), list(t, db, t0)); diff != "" {
			t.Error(diff)
		}
	})
}
