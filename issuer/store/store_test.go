package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func fresh(t testing.TB) (*DB, string) {
	t.Helper()
	dir := t.TempDir()
	if err := CreateDataKey(filepath.Join(dir, "data.key")); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir), dir
}

func reopen(t testing.TB, dir string) *DB {
	t.Helper()
	keys, err := OpenKeys(filepath.Join(dir, "data.key"), filepath.Join(dir, "days"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), filepath.Join(dir, "issuer.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func hong() Person {
	return Person{Brand: "nv", Name: "홍길동", Phone: "01012345678", Birth: "1990-03-01", More: More{Carrier: "skt"}}
}

func id(n byte) (p [16]byte) {
	for i := range p {
		p[i] = n ^ byte(i*37)
	}
	return p
}

func TestPerson(t *testing.T) {
	db, dir := fresh(t)
	ctx := t.Context()
	agreed := []Agreement{{Item: "use", Version: "2021-07-01", Title: "수집·이용", Text: "무엇을", At: t0}}
	who, err := db.Verify(ctx, hong(), "sms", t0, agreed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := db.Verify(ctx, hong(), "pass", t0.Add(time.Hour), nil)
	if err != nil || again != who {
		t.Fatalf("the same identity is another person: %v", err)
	}
	other := hong()
	other.Name = "김철수" // the number was given to somebody else
	if o, err := db.Verify(ctx, other, "sms", t0, nil); err != nil || o == who {
		t.Fatalf("another identity is the same person: %v", err)
	}
	db.Close()
	db = reopen(t, dir)
	p, got, err := db.Person(ctx, who)
	if err != nil {
		t.Fatal(err)
	}
	want := hong()
	want.ID, want.Created, want.Verified = who, t0, t0.Add(time.Hour)
	if diff := cmp.Diff(want, p, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Error(diff)
	}
	if got["use"].Text != "무엇을" || !got["use"].At.Equal(t0) {
		t.Errorf("%+v %v", got, err)
	}
	v, err := db.Verifications(ctx, who)
	if err != nil || len(v) != 2 || v[0].Method != "pass" {
		t.Errorf("%+v %v", v, err)
	}
}

// TestNobodyIsNamedByTheDatabase holds that the files say nothing without the
// keys: neither who, nor which pass.
func TestNobodyIsNamedByTheDatabase(t *testing.T) {
	db, dir := fresh(t)
	who, err := db.Verify(t.Context(), hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(t.Context(), id(7), who, t0); err != nil {
		t.Fatal(err)
	}
	if err := db.Change(t.Context(), "session", []byte("s"), t0, func(d *Document) error {
		d.Data, d.Expires = []byte(`{"name":"홍길동"}`), t0.Add(time.Hour)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	pass := id(7)
	for _, secret := range []string{"홍길동", "01012345678", "1990-03-01", string(pass[:])} {
		if where := holds(t, dir, []byte(secret)); where != "" {
			t.Errorf("%q stands in %s", secret, where)
		}
	}
}

// holds is the file below dir that contains what, "" for none.
func holds(t *testing.T, dir string, what []byte) (found string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, what) {
			found = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDay29 holds that nothing of a code of day 1 is left on day 29: no row, no
// sealed byte in any file, no key to a copy taken before.
func TestDay29(t *testing.T) {
	db, dir := fresh(t)
	ctx := t.Context()
	day1 := time.Date(2026, 11, 1, 14, 59, 59, 0, time.UTC) // a second to midnight in Korea
	who, err := db.Verify(ctx, hong(), "sms", day1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(ctx, id(1), who, day1); err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(ctx, id(2), who, day1.Add(time.Second)); err != nil { // day 2
		t.Fatal(err)
	}
	key, err := db.keys.day(Day(day1), false)
	if err != nil {
		t.Fatal(err)
	}
	sealed, sealedPerson := key.seal(id(1), who)
	if holds(t, dir, sealed) == "" || holds(t, dir, sealedPerson) == "" {
		t.Fatal("the test looks for the wrong bytes")
	}
	dayKey, err := os.ReadFile(db.keys.path(Day(day1)))
	if err != nil {
		t.Fatal(err)
	}

	day28 := day1.AddDate(0, 0, 27)
	if r, err := db.Retain(ctx, day28, nil); err != nil || r.Passes != 0 {
		t.Fatalf("day 28: %+v %v", r, err)
	}
	if got, err := db.Whose(ctx, id(1), day1); err != nil || got != who {
		t.Fatalf("day 28: %v", err)
	}
	r, err := db.Retain(ctx, day28.Add(time.Second), nil)
	if err != nil || r.Passes != 1 || r.Keys != 1 {
		t.Fatalf("day 29: %+v %v", r, err)
	}
	if _, err := db.Whose(ctx, id(1), day1); !errors.Is(err, ErrNobody) {
		t.Errorf("day 29: %v", err)
	}
	if got, err := db.Whose(ctx, id(2), day1.Add(time.Second)); err != nil || got != who {
		t.Errorf("what was made on day 2 went too: %v", err)
	}
	for name, bytes := range map[string][]byte{"sealed pass": sealed, "sealed person": sealedPerson, "day key": dayKey} {
		if where := holds(t, dir, bytes); where != "" {
			t.Errorf("day 29: the %s is still readable in %s", name, where)
		}
	}
}

func TestWithdraw(t *testing.T) {
	db, dir := fresh(t)
	ctx := t.Context()
	who, err := db.Verify(ctx, hong(), "sms", t0, []Agreement{{Item: "use", Version: "1", Title: "t", Text: "x", At: t0}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Edit(ctx, who, func(m *More) error { m.Health = json.RawMessage(`{"doses":2}`); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(ctx, id(1), who, t0); err != nil {
		t.Fatal(err)
	}
	until, err := db.Withdraw(ctx, who, t0.Add(time.Hour))
	if err != nil || until.Format(time.DateOnly) != "2026-12-20" {
		t.Fatalf("%v %v", until, err)
	}
	if _, _, err := db.Person(ctx, who); !errors.Is(err, ErrNobody) {
		t.Errorf("who has withdrawn is still here: %v", err)
	}
	if err := db.Edit(ctx, who, func(*More) error { return nil }); !errors.Is(err, ErrNobody) {
		t.Errorf("who has withdrawn can be edited: %v", err)
	}
	p, err := db.Named(ctx, who)
	if err != nil || p.Name != "홍길동" || p.Health != nil || p.Device != nil {
		t.Errorf("%+v %v", p, err)
	}
	if a, err := db.agreements(ctx, who); len(a) != 0 || err != nil {
		t.Errorf("%+v %v", a, err)
	}
	if r, err := db.Retain(ctx, t0.AddDate(0, 0, 27), nil); err != nil || r.People != 0 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := db.Retain(ctx, t0.AddDate(0, 0, 28), nil); err != nil || r.People != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if where := holds(t, dir, who[:]); where != "" {
		t.Errorf("the pseudonym is still readable in %s", where)
	}

	// Who never made a code goes at once.
	who, err = db.Verify(ctx, hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if until, err := db.Withdraw(ctx, who, t0); err != nil || !until.IsZero() {
		t.Errorf("%v %v", until, err)
	}
	if where := holds(t, dir, who[:]); where != "" {
		t.Errorf("the pseudonym is still readable in %s", where)
	}
}

// TestWithdrawErases holds that of guardian, phone, record, consents and
// verifications not one sealed byte is left in any file once Withdraw returns,
// while the name waits for a trace; and that a guardian is asked anew after it.
func TestWithdrawErases(t *testing.T) {
	db, dir := fresh(t)
	ctx := t.Context()
	child := hong()
	child.Birth = "2015-05-05"
	who, err := db.Verify(ctx, child, "sms", t0, []Agreement{{Item: "use", Version: "1", Title: "t", Text: "x", At: t0}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Bind(ctx, who, Device{Session: []byte("s"), Key: []byte("k"), PIN: "p"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Edit(ctx, who, func(m *More) error {
		m.Guardian, m.Health = &Guardian{Name: "홍판서", Phone: "01033334444", At: t0}, json.RawMessage(`{"doses":2}`)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(ctx, id(1), who, t0); err != nil {
		t.Fatal(err)
	}
	sealed := func(column string) (blob []byte) {
		t.Helper()
		if err := db.read.QueryRowContext(ctx, `SELECT `+column+` FROM people WHERE id = ?`, who[:]).Scan(&blob); err != nil {
			t.Fatal(err)
		}
		return blob
	}
	more, name := sealed("sealed_more"), sealed("sealed_name")
	if holds(t, dir, more) == "" || holds(t, dir, name) == "" {
		t.Fatal("the test looks for the wrong bytes")
	}
	if until, err := db.Withdraw(ctx, who, t0.Add(time.Hour)); err != nil || until.IsZero() {
		t.Fatalf("%v %v", until, err)
	}
	if where := holds(t, dir, more); where != "" {
		t.Errorf("guardian, phone and record can still be opened with the key from %s", where)
	}
	if holds(t, dir, name) == "" {
		t.Error("the name is gone before its day")
	}
	if p, err := db.Named(ctx, who); err != nil || p.Name != child.Name || !cmp.Equal(p.More, More{}) {
		t.Errorf("%+v %v", p, err)
	}
	for table, column := range map[string]string{"consents": "person", "verifications": "person"} {
		var n int
		if err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE `+column+` = ?`, who[:]).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows of %s are left: %v", n, table, err)
		}
	}
	// Who comes back begins anew, with the carrier of today.
	child.Carrier = "kt"
	again, err := db.Verify(ctx, child, "pass", t0.Add(2*time.Hour), nil)
	if err != nil || again != who {
		t.Fatal(err)
	}
	if p, agreed, err := db.Person(ctx, who); err != nil || len(agreed) != 0 || !cmp.Equal(p.More, More{Carrier: "kt"}) {
		t.Errorf("%+v %v %v", p.More, agreed, err)
	}
}

// TestLapse holds that a month after the verification what was kept for it is
// destroyed, but for the guardian's consent, which is asked once.
func TestLapse(t *testing.T) {
	db, _ := fresh(t)
	ctx := t.Context()
	month := map[string]time.Duration{"nv": 30 * 24 * time.Hour}
	who, err := db.Verify(ctx, hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Bind(ctx, who, Device{Session: []byte("s"), PIN: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Edit(ctx, who, func(m *More) error { m.Guardian = &Guardian{Name: "홍판서", At: t0}; return nil }); err != nil {
		t.Fatal(err)
	}
	late := t0.AddDate(0, 0, 29)
	if err := db.Issued(ctx, id(1), who, late); err != nil {
		t.Fatal(err)
	}
	if r, err := db.Retain(ctx, late, month); err != nil || r.Lapsed != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := db.Retain(ctx, t0.AddDate(0, 0, 30), month); err != nil || r.Lapsed != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	p, _, err := db.Person(ctx, who)
	if err != nil || p.Verified.UnixMilli() != 0 || p.Device != nil || p.Guardian == nil {
		t.Errorf("%+v %v", p, err)
	}
	if r, err := db.Retain(ctx, late.AddDate(0, 0, 28), month); err != nil || r.People != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestOnePhone(t *testing.T) {
	db, _ := fresh(t)
	ctx := t.Context()
	first, err := db.Verify(ctx, hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	heir := hong()
	heir.Name = "김철수"
	second, err := db.Verify(ctx, heir, "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []PersonID{first, second} {
		if err := db.Bind(ctx, who, Device{Session: who[:]}); err != nil {
			t.Fatal(err)
		}
	}
	if p, _, _ := db.Person(ctx, first); p.Device != nil {
		t.Error("two people have one number")
	}
	if p, _, _ := db.Person(ctx, second); p.Device == nil {
		t.Error("the number's owner has no phone")
	}
}

// TestChangesAreOneByOne holds that parallel guesses are all counted.
func TestChangesAreOneByOne(t *testing.T) {
	db, _ := fresh(t)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if err := db.Change(context.Background(), "count", []byte("c"), t0, func(d *Document) error {
				d.Data, d.Expires = append(d.Data, '0'), t0.Add(time.Hour)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := db.Change(t.Context(), "count", []byte("c"), t0, func(d *Document) error { n = len(d.Data); d.Data = nil; return nil }); err != nil || n != 32 {
		t.Errorf("%d changes, want 32: %v", n, err)
	}
	var v any
	if ok, err := db.Document(t.Context(), "count", []byte("c"), t0, &v); ok || err != nil {
		t.Errorf("a removed document is read: %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data.key")
	if _, err := OpenKeys(path, dir); err == nil {
		t.Error("no key is accepted")
	}
	if err := CreateDataKey(path); err != nil {
		t.Fatal(err)
	}
	if err := CreateDataKey(path); err == nil {
		t.Error("a key is overwritten")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(path, dir); err == nil {
		t.Error("a key everybody can read is accepted")
	}

	// A database with another key's rows says so.
	db, dir := fresh(t)
	who, err := db.Verify(t.Context(), hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := os.Remove(filepath.Join(dir, "data.key")); err != nil {
		t.Fatal(err)
	}
	if err := CreateDataKey(filepath.Join(dir, "data.key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reopen(t, dir).Person(t.Context(), who); err == nil {
		t.Error("a person is read with another key")
	}
}

func TestMemory(t *testing.T) {
	db, err := Memory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := db.Verify(t.Context(), hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Issued(t.Context(), id(1), who, t0); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Whose(t.Context(), id(1), t0); err != nil || got != who {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := db.Issued(context.Background(), id(2), who, t0); err == nil {
		t.Error("a closed store accepts a pass")
	}
}

// BenchmarkIssued is the issue log with many phones at once: one commit is
// shared by those that wait.
func BenchmarkIssued(b *testing.B) {
	db, _ := fresh(b)
	who, err := db.Verify(b.Context(), hong(), "sms", t0, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var pass [16]byte
			rand.Read(pass[:])
			if err := db.Issued(context.Background(), pass, who, t0); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// TestReadAfterChange holds that no reader sees what was before a change that
// has returned, however many read at the time.
func TestReadAfterChange(t *testing.T) {
	db, _ := fresh(t)
	ctx := context.Background()
	who, err := db.Verify(ctx, hong(), "sms", t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, _, err := db.Person(ctx, who); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for n := 1; n <= 100; n++ {
		if err := db.Edit(ctx, who, func(m *More) error { m.Device = &Device{Wrong: n}; return nil }); err != nil {
			t.Fatal(err)
		}
		if p, _, err := db.Person(ctx, who); err != nil || p.Device.Wrong != n {
			t.Fatalf("%+v after change %d: %v", p.Device, n, err)
		}
	}
	close(stop)
	readers.Wait()
}
