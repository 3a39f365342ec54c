package journal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi journal test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// newPass issues and verifies pass number n, at the facility kind given.
func newPass(t testing.TB, n byte, kind string) *pass.Pass {
	t.Helper()
	issuer, root := testKey("issuer"), testKey("root")
	raw, err := pass.SignBundle(root, pass.Contents{
		Number: 1, Issued: t0.Add(-time.Hour).Unix(), Expires: t0.Add(time.Hour).Unix(),
		Issuers:  []pass.Issuer{{ID: "kko", Keys: []pass.Key{pass.NewKey(issuer.Public().(ed25519.PublicKey), t0.Add(-time.Hour), t0.Add(time.Hour))}}},
		Policies: map[string]pass.Policy{"museum": {Mode: pass.ModeVerifyOnly}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, root.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	text, err := pass.Issue(issuer, "kko", pass.ID{n}, t0, &pass.Health{Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	u, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Verify(t0, b, pass.Conditions{Facility: kind, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func admit(t testing.TB, j *Journal, p *pass.Pass) Admission {
	t.Helper()
	a, err := j.Admit(p, t0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func queue(t testing.TB, j *Journal) []wire.Visit {
	t.Helper()
	v, err := j.Pending(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	p := newPass(t, 1, "cafe")
	a := admit(t, j, p)
	if a.Seq != 1 || a.Again {
		t.Errorf("first showing: %+v", a)
	}
	// A crash before it was announced: shown again, it is admitted, not kept twice.
	j.Close()
	j = open(t, path)
	if a = admit(t, j, p); a.Seq != 1 || !a.Again {
		t.Errorf("shown again before it was announced: %+v", a)
	}
	if err := j.Announced(a, t0.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = open(t, path)
	_, err := j.Admit(p, t0)
	var used *UsedError
	if !errors.As(err, &used) || !errors.Is(err, ErrUsed) || !used.At.Equal(t0.Add(time.Second)) {
		t.Errorf("shown again after it was announced: %v", err)
	}
	if v := queue(t, j); len(v) != 1 || v[0].Seq != 1 || !v[0].Time().Equal(t0) || string(v[0].Pass) != string(p.Bytes()) {
		t.Errorf("journal holds %v", v)
	}
}

func TestVerifyOnlyKeepsNoVisit(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	p := newPass(t, 1, "museum")
	a := admit(t, j, p)
	if err := j.Announced(a, t0); err != nil {
		t.Fatal(err)
	}
	if v := queue(t, j); len(v) != 0 || a.Seq != 0 {
		t.Errorf("%d visits kept, admission %+v", len(v), a)
	}
	if _, err := j.Admit(p, t0); !errors.Is(err, ErrUsed) {
		t.Errorf("a second showing: %v", err)
	}
}

// TestWriteFaults fails every write of the journal's life twice: once lost,
// once on disk after all although an error came back. Either way the visitor
// was told nothing; showing the pass again ends with one visit, announced.
func TestWriteFaults(t *testing.T) {
	broken := errors.New("input/output error")
	faults := map[string]func(*bolt.Tx) error{
		"failed": func(tx *bolt.Tx) error { return broken },
		"failed but persisted": func(tx *bolt.Tx) error {
			if err := tx.Commit(); err != nil {
				return err
			}
			return broken
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			j := open(t, path)
			p := newPass(t, 1, "cafe")
			fail := func(call func() error) {
				t.Helper()
				j.commit = fault
				if err := call(); !errors.Is(err, broken) {
					t.Fatalf("the write answered %v", err)
				}
				// As after a restart.
				j.Close()
				j = open(t, path)
			}
			fail(func() error { _, err := j.Admit(p, t0); return err })
			a := admit(t, j, p)
			if v := queue(t, j); len(v) != 1 || v[0].Seq != a.Seq {
				t.Fatalf("admission %+v beside visits %v", a, v)
			}
			fail(func() error { return j.Announced(a, t0) })
			again, err := j.Admit(p, t0)
			if persisted := name != "failed"; errors.Is(err, ErrUsed) != persisted {
				t.Errorf("after a failed note: %+v %v", again, err)
			}
			fail(func() error { return j.Settle([]wire.Result{{Seq: a.Seq, Status: wire.StatusStored}}) })
			if err := j.Settle([]wire.Result{{Seq: a.Seq, Status: wire.StatusDuplicate}}); err != nil {
				t.Error(err)
			}
			if v := queue(t, j); len(v) != 0 {
				t.Errorf("%d visits left", len(v))
			}
			fail(func() error { _, err := j.Prune(t0.Add(time.Hour), pass.Skew); return err })
			if _, err := j.Prune(t0.Add(time.Hour), pass.Skew); err != nil {
				t.Error(err)
			}
			// Numbers go on: none is given twice, whatever failed.
			if next := admit(t, j, newPass(t, 2, "cafe")); next.Seq <= a.Seq {
				t.Errorf("sequence %d after %d", next.Seq, a.Seq)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	for n := byte(1); n <= 4; n++ {
		admit(t, j, newPass(t, n, "cafe"))
	}
	if err := j.Settle([]wire.Result{{Seq: 1, Status: wire.StatusStored}, {Seq: 2, Status: wire.StatusRefused, Reason: "signature"}, {Seq: 99, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	s, err := j.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.Queue != 2 || s.Aside != 1 || !s.Oldest.Equal(t0) {
		t.Errorf("%+v", s)
	}
	if v, _ := j.Pending(3, 10); len(v) != 1 || v[0].Seq != 4 {
		t.Errorf("behind 3: %v", v)
	}
}

func TestPrune(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	p := newPass(t, 1, "cafe")
	a := admit(t, j, p)
	if err := j.Announced(a, t0); err != nil {
		t.Fatal(err)
	}
	prune := func(now time.Time, want int) {
		t.Helper()
		if n, err := j.Prune(now, pass.Skew); err != nil || n != want {
			t.Errorf("pruned %d, %v, want %d", n, err, want)
		}
	}
	prune(p.Expires().Add(pass.Skew-time.Millisecond), 0)
	if _, err := j.Admit(p, t0); !errors.Is(err, ErrUsed) {
		t.Errorf("the mark went before its pass: %v", err)
	}
	prune(t0.Add(-24*time.Hour), 0)
	if _, err := j.Admit(p, t0); !errors.Is(err, ErrUsed) {
		t.Errorf("a clock set back revived a pass: %v", err)
	}
	prune(t0.Add(Keep), 0)
	prune(t0.Add(Keep+time.Millisecond), 1)
	s, err := j.Stats()
	if err != nil || s.Queue != 0 || s.Destroyed != 1 || !s.Clock.Equal(t0.Add(Keep+time.Millisecond)) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	j := open(t, path)
	if _, err := Open(path); err == nil || !contains(err, "another kiosk holds it") {
		t.Errorf("opened twice: %v", err)
	}
	j.Close()
	if _, err := Open(filepath.Join(dir, "none", "journal.db")); err == nil || !contains(err, "create its folder") {
		t.Errorf("no folder: %v", err)
	}
}

func contains(err error, s string) bool { return strings.Contains(err.Error(), s) }

func BenchmarkAdmit(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal.db"))
	passes := make([]*pass.Pass, 256)
	for i := range passes {
		passes[i] = newPass(b, byte(i), "cafe")
	}
	i := 0
	for b.Loop() {
		if i == len(passes) {
			b.StopTimer()
			if _, err := j.Prune(t0.Add(time.Hour), 0); err != nil {
				b.Fatal(err)
			}
			i = 0
			b.StartTimer()
		}
		if _, err := j.Admit(passes[i], t0); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// TestCompact holds that what was settled is gone from the file itself, and
// that visit numbers go on.
func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	gone := newPass(t, 1, "cafe")
	a := admit(t, j, gone)
	kept := newPass(t, 2, "cafe")
	admit(t, j, kept)
	if err := j.Settle([]wire.Result{{Seq: a.Seq, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	holds := func(p *pass.Pass) bool {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(data, p.Bytes())
	}
	if !holds(gone) {
		t.Fatal("bbolt overwrites what is deleted: Compact is not needed any more")
	}
	if err := j.Compact(); err != nil {
		t.Fatal(err)
	}
	if holds(gone) || !holds(kept) {
		t.Errorf("after compacting: settled pass there %v, waiting pass there %v", holds(gone), holds(kept))
	}
	if _, err := os.Stat(path + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy was left behind: %v", err)
	}
	if next := admit(t, j, newPass(t, 3, "cafe")); next.Seq != 3 {
		t.Errorf("sequence %d after 2", next.Seq)
	}
	j.Close()
	if v := queue(t, open(t, path)); len(v) != 2 {
		t.Errorf("%d visits after a restart, want 2", len(v))
	}
}

// TestCompactFailsBehindItsRename: the file that stays open then has no name,
// and a visit kept there would be announced and gone at the next start.
func TestCompactFailsBehindItsRename(t *testing.T) {
	for name, fault := range map[string]func(path string) error{
		"the rename is not durable": func(string) error { return errors.New("input/output error") },
		"the new file does not open": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			j := open(t, path)
			admit(t, j, newPass(t, 1, "cafe"))
			j.syncDir = func(string) error { return fault(path) }
			if err := j.Compact(); !errors.Is(err, ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
			if a, err := j.Admit(newPass(t, 2, "cafe"), t0); err == nil {
				t.Errorf("visit %d was kept in a file without a name", a.Seq)
			}
			if j.Probe() == nil {
				t.Error("the journal is said to take writes")
			}
			if err := j.Close(); err != nil {
				t.Errorf("close it once more: %v", err)
			}
		})
	}
}

// TestDamagedRecord holds that one record nobody can read holds up nothing.
func TestDamagedRecord(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal.db"))
	admit(t, j, newPass(t, 1, "cafe"))
	admit(t, j, newPass(t, 2, "cafe"))
	if err := j.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketVisits).Put(seqKey(1), []byte("rot")) }); err != nil {
		t.Fatal(err)
	}
	if s, err := j.Stats(); err != nil || s.Queue != 2 || !s.Oldest.Equal(t0) {
		t.Errorf("%+v, %v", s, err)
	}
	if v := queue(t, j); len(v) != 1 || v[0].Seq != 2 {
		t.Errorf("pending %v", v)
	}
	if n, err := j.Prune(t0, pass.Skew); err != nil || n != 1 {
		t.Errorf("pruned %d, %v", n, err)
	}
}
