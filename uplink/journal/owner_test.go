package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

func claim(t *testing.T, j *Journal, kiosk string, want int) {
	t.Helper()
	if n, err := j.Claim(kiosk); err != nil || n != want {
		t.Errorf("claimed for %s: %d set aside, %v, want %d", kiosk, n, err, want)
	}
}

// TestClaim holds that no visit is sent under another kiosk's name, and that
// none is lost by the mistake of enrolling a device as the wrong one.
func TestClaim(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	claim(t, j, "door-1", 0)
	admit(t, j, newPass(t, 1, "cafe"))
	admit(t, j, newPass(t, 2, "cafe"))
	claim(t, j, "door-1", 0)
	if v := queue(t, j); len(v) != 2 {
		t.Fatalf("%d visits wait after the same kiosk's claim", len(v))
	}
	claim(t, j, "door-2", 2)
	admit(t, j, newPass(t, 3, "cafe"))
	if v := queue(t, j); len(v) != 1 || v[0].Seq != 3 {
		t.Errorf("of another kiosk: %v", v)
	}
	claim(t, j, "door-1", 1)
	if v := queue(t, j); len(v) != 2 || v[0].Seq != 1 || v[1].Seq != 2 {
		t.Errorf("back to the first: %v", v)
	}
	if s, err := j.Stats(); err != nil || s.Aside != 1 || s.Destroyed != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := j.Claim(""); err == nil {
		t.Error("claimed for nobody")
	}
}

func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	oldFile := filepath.Join(dir, "old.db")
	old := open(t, oldFile)
	claim(t, old, "door-1", 0)
	for n := byte(1); n <= 3; n++ {
		admit(t, old, newPass(t, n, "cafe"))
	}
	old.Close()
	before, err := os.ReadFile(oldFile)
	if err != nil {
		t.Fatal(err)
	}

	j := open(t, filepath.Join(dir, "new.db"))
	take := func(path string, want int) {
		t.Helper()
		if n, err := j.TakeOver(path); err != nil || n != want {
			t.Errorf("took over %d, %v, want %d", n, err, want)
		}
	}
	if _, err := j.TakeOver(oldFile); err == nil {
		t.Error("taken over by a device that is no kiosk yet")
	}
	claim(t, j, "door-1", 0)
	admit(t, j, newPass(t, 9, "cafe"))
	take(oldFile, 3)
	take(oldFile, 0)
	v := queue(t, j)
	if len(v) != 4 {
		t.Fatalf("%d visits, want 4", len(v))
	}
	seen := map[string]bool{}
	for i, v := range v {
		if v.Seq != uint64(i+1) || !v.Time().Equal(t0) || seen[string(v.Pass)] {
			t.Errorf("visit %d: %+v", i, v)
		}
		seen[string(v.Pass)] = true
	}
	// A damaged file gives what can be read of it, and is not written to either.
	damaged := bytes.Clone(before)
	clear(damaged[:2*os.Getpagesize()]) // both of bbolt's meta pages
	damagedFile := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damagedFile, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	third := open(t, filepath.Join(dir, "third.db"))
	claim(t, third, "door-1", 0)
	if n, err := third.TakeOver(damagedFile); err != nil || n != 3 {
		t.Errorf("took over %d of a damaged file, %v, want 3", n, err)
	}
	if after, err := os.ReadFile(damagedFile); err != nil || !bytes.Equal(after, damaged) {
		t.Errorf("the damaged file was written to: %v", err)
	}
	if after, err := os.ReadFile(oldFile); err != nil || string(after) != string(before) {
		t.Errorf("the old file was written to: %v", err)
	}
	select {
	case <-j.Added():
	default:
		t.Error("the sender was not told")
	}

	// Sent meanwhile: the registry knows them; nothing breaks.
	if err := j.Settle([]wire.Result{{Seq: 2, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	take(oldFile, 1)

	// The old device became another kiosk before it broke: what it set aside counts.
	old = open(t, oldFile)
	claim(t, old, "door-7", 3)
	old.Close()
	if err := j.Settle([]wire.Result{{Seq: 3, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	take(oldFile, 1)

	claim(t, j, "door-2", 4)
	for name, path := range map[string]string{"another kiosk's": oldFile, "missing": filepath.Join(dir, "none.db"), "no journal": filepath.Join(dir, "text")} {
		if name == "no journal" {
			if err := os.WriteFile(path, make([]byte, 16<<10), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := j.TakeOver(path); err == nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// TestSettleDestroys holds that what nobody may keep is set aside nowhere.
func TestSettleDestroys(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	for n := byte(1); n <= 4; n++ {
		admit(t, j, newPass(t, n, "cafe"))
	}
	if err := j.Settle([]wire.Result{
		{Seq: 1, Status: wire.StatusRefused, Reason: wire.ReasonPolicyOff},
		{Seq: 2, Status: wire.StatusRefused, Reason: wire.ReasonVerifyOnly},
		{Seq: 3, Status: wire.StatusRefused, Reason: wire.ReasonRetention},
		{Seq: 4, Status: wire.StatusRefused, Reason: "signature"},
	}); err != nil {
		t.Fatal(err)
	}
	if s, err := j.Stats(); err != nil || s.Queue != 0 || s.Aside != 1 || s.Unkept != 2 || s.Destroyed != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestProbe(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	if err := j.Probe(); err != nil {
		t.Error(err)
	}
	j.commit = func(*bolt.Tx) error { return errors.New("no space left on device") }
	if err := j.Probe(); err == nil {
		t.Error("a disk that takes no write was called good")
	}
}

// TestPruneLongQueue prunes more than one transaction's worth.
func TestPruneLongQueue(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	n := 2*pruneStep + 7
	if err := j.update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketVisits)
		for seq := range uint64(n) {
			if err := put(b, seqKey(seq+1), wire.Visit{Seq: seq + 1, At: t0.UnixMilli() + int64(seq), Pass: []byte{1}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Prune(t0.Add(Keep+1001*1e6), 0); err != nil || got != 1001 {
		t.Errorf("destroyed %d, %v, want 1001", got, err)
	}
	if s, err := j.Stats(); err != nil || s.Queue != n-1001 || s.Destroyed != 1001 {
		t.Errorf("%+v, %v", s, err)
	}
}

// BenchmarkLongQueue is what a month without a network costs a visitor and the
// status strip.
func BenchmarkLongQueue(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal.db"))
	if err := j.update(func(tx *bolt.Tx) error {
		visits := tx.Bucket(bucketVisits)
		pass := make([]byte, 116)
		for range 100_000 {
			seq, err := visits.NextSequence()
			if err != nil {
				return err
			}
			if err := put(visits, seqKey(seq), wire.Visit{Seq: seq, At: t0.UnixMilli() + int64(seq), Pass: pass}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			if _, err := j.Stats(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pending", func(b *testing.B) {
		for b.Loop() {
			if _, err := j.Pending(0, wire.MaxVisits); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("prune", func(b *testing.B) {
		for b.Loop() {
			if _, err := j.Prune(t0, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compact", func(b *testing.B) {
		for b.Loop() {
			if err := j.Compact(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
