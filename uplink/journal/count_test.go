package journal

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

func wantCounts(t *testing.T, j *Journal, want ...Count) {
	t.Helper()
	got, err := j.Counts(t0.Add(-2*Keep), t0.Add(2*Keep))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// TestCounts: a visit counts once, with it or not at all, and outlasts it.
func TestCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	wantCounts(t, j)
	p := newPass(t, 1, "cafe")
	admit(t, j, p)
	admit(t, j, p) // shown again before it was announced
	a := admit(t, j, newPass(t, 2, "cafe"))
	admit(t, j, newPass(t, 3, "museum")) // policy keeps nothing there
	if err := j.Announced(a, t0); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Admit(newPass(t, 2, "cafe"), t0); !errors.Is(err, ErrUsed) {
		t.Fatal(err)
	}
	for range 3 {
		if err := j.AdmitByStaff(t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Admit(newPass(t, 4, "cafe"), t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	hour := t0.Truncate(time.Hour)
	all := []Count{{Hour: hour, Visits: 2}, {Hour: hour.Add(time.Hour), Visits: 1, Staff: 3}}
	wantCounts(t, j, all...)

	// What the registry has taken is gone from the journal; the numbers are not.
	if err := j.Settle([]wire.Result{{Seq: 1, Status: wire.StatusStored}, {Seq: 2, Status: wire.StatusStored}, {Seq: 3, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Compact(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = open(t, path)
	if v := queue(t, j); len(v) != 0 {
		t.Fatalf("%d visits wait", len(v))
	}
	wantCounts(t, j, all...)

	// A part of a day: an end within an hour has that hour.
	for _, c := range []struct {
		from, until time.Time
		want        int
	}{{t0, t0.Add(time.Minute), 1}, {hour.Add(time.Hour), t0.Add(Keep), 1}, {hour, hour.Add(time.Hour), 1}, {hour.Add(2 * time.Hour), t0.Add(Keep), 0}} {
		if got, err := j.Counts(c.from, c.until); err != nil || len(got) != c.want {
			t.Errorf("%v to %v: %v, %v", c.from, c.until, got, err)
		}
	}
}

// TestCountsFail: a visit that is not on disk is not counted.
func TestCountsFail(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	good := j.commit
	j.commit = func(*bolt.Tx) error { return errors.New("no space left on device") }
	if _, err := j.Admit(newPass(t, 1, "cafe"), t0); err == nil {
		t.Error("kept a visit that was not written")
	}
	if err := j.AdmitByStaff(t0); err == nil {
		t.Error("counted what was not written")
	}
	j.commit = good
	wantCounts(t, j)
}

// TestCountsEnd: 28 days, by the highest time ever seen, and with the kiosk.
func TestCountsEnd(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	claim(t, j, "first", 0)
	admit(t, j, newPass(t, 1, "cafe"))
	if err := j.AdmitByStaff(t0.Add(3 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	hour := t0.Truncate(time.Hour)
	prune := func(now time.Time) {
		t.Helper()
		if _, err := j.Prune(now, 0); err != nil {
			t.Fatal(err)
		}
	}
	early, late := Count{Hour: hour, Visits: 1}, Count{Hour: hour.Add(3 * time.Hour), Staff: 1}
	prune(t0.Add(Keep))
	wantCounts(t, j, early, late)
	prune(hour.Add(Keep + time.Hour))
	wantCounts(t, j, late)
	prune(t0) // a clock set back revives nothing
	wantCounts(t, j, late)
	prune(t0.Add(Keep + 4*time.Hour))
	wantCounts(t, j)

	if err := j.AdmitByStaff(t0.Add(Keep)); err != nil {
		t.Fatal(err)
	}
	claim(t, j, "first", 0)
	wantCounts(t, j, Count{Hour: t0.Add(Keep).Truncate(time.Hour), Staff: 1})
	claim(t, j, "second", 0)
	wantCounts(t, j)
}
