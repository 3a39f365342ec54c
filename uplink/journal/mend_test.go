package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"
)

// lived makes a journal as it looks in the middle of a day: visits that wait,
// some sent, one set aside, one admitted and not announced.
func lived(t testing.TB, path string, passes []*pass.Pass) (waiting []wire.Visit) {
	t.Helper()
	j := open(t, path)
	if _, err := j.Claim("door-1"); err != nil {
		t.Fatal(err)
	}
	for i, p := range passes {
		a, err := j.Admit(p, t0.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if i == len(passes)-1 {
			break
		}
		if err := j.Announced(a, t0.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Settle([]wire.Result{{Seq: 1, Status: wire.StatusStored}, {Seq: 2, Status: wire.StatusRefused, Reason: "signature"}, {Seq: 5, Status: wire.StatusStored}}); err != nil {
		t.Fatal(err)
	}
	waiting = queue(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return waiting
}

func manyPasses(t testing.TB, n int) (all []*pass.Pass) {
	t.Helper()
	for i := range n {
		all = append(all, newPass(t, byte(i+1), "cafe"))
	}
	return all
}

// overwrite puts bytes over a file's.
func overwrite(t testing.TB, path string, off int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, off); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// standing tells which of the visits still stand in a file, byte by byte.
func standing(t testing.TB, path string, visits []wire.Visit) (out []wire.Visit) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range visits {
		record, err := cose.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, record) {
			out = append(out, v)
		}
	}
	return out
}

// checkMended holds the law: what could still be read is there, nothing twice,
// and what was announced is admitted no more.
func checkMended(t testing.TB, j *Journal, readable []wire.Visit, announced []*pass.Pass) {
	t.Helper()
	seen, numbers := map[string]bool{}, map[uint64]bool{}
	for _, v := range queue(t, j) {
		if seen[string(v.Pass)] || numbers[v.Seq] {
			t.Errorf("visit %d is there twice", v.Seq)
		}
		seen[string(v.Pass)], numbers[v.Seq] = true, true
	}
	for _, v := range readable {
		if !seen[string(v.Pass)] {
			t.Errorf("visit %d could be read and is lost", v.Seq)
		}
	}
	for i, p := range announced {
		if !seen[string(p.Bytes())] {
			continue // lost altogether
		}
		if _, err := j.Admit(p, t0); !errors.Is(err, ErrUsed) {
			t.Errorf("pass %d is admitted again: %v", i+1, err)
		}
	}
}

// TestMend damages a journal in each way there is to think of. Opening it puts
// a sound one in its place, without anybody's hand.
func TestMend(t *testing.T) {
	page := os.Getpagesize()
	all := func(byte) byte { return 0xff }
	for name, damage := range map[string]struct {
		do    func(data []byte) []byte
		whole bool // everything can be salvaged
	}{
		"first meta page":       {func(d []byte) []byte { clear(d[:page]); return d }, false},
		"both meta pages":       {func(d []byte) []byte { clear(d[:2*page]); return d }, true},
		"noise over four pages": {func(d []byte) []byte { noise(d[:4*page]); return d }, false},
		"cut off by half":       {func(d []byte) []byte { return d[:len(d)/2] }, false},
		"cut in the first page": {func(d []byte) []byte { return d[:100] }, false},
		"zeros":                 {func(d []byte) []byte { clear(d); return d }, false},
		"another file":          {func([]byte) []byte { return bytes.Repeat([]byte("무"), 20000) }, false},
		"every page's head": {func(d []byte) []byte {
			for i := 0; i+16 <= len(d); i += page {
				for k := range 16 {
					d[i+k] = all(d[i+k])
				}
			}
			return d
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			passes := manyPasses(t, 40)
			waiting := lived(t, path, passes)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage.do(data), 0o600); err != nil {
				t.Fatal(err)
			}
			readable := standing(t, path, waiting)
			if damage.whole && len(readable) != len(waiting) {
				t.Fatalf("the test destroys %d visits", len(waiting)-len(readable))
			}
			j := open(t, path)
			checkMended(t, j, readable, passes[:len(passes)-1])
			if name == "first meta page" {
				return // as a cut leaves it: the other one is enough
			}
			m := j.Mended()
			if m == nil || m.Why == nil || m.Visits < len(readable) {
				t.Fatalf("mended: %+v, %d could be read", m, len(readable))
			}
			s, err := j.Stats()
			if err != nil || s.Mended != 1 || s.Salvaged != uint64(m.Visits) {
				t.Errorf("%+v, %v", s, err)
			}
			if info, err := os.Stat(m.Kept); err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(m.Kept, path+".damaged-until-") {
				t.Errorf("set aside as %q: %v", m.Kept, err)
			}
			before := queue(t, j)
			if a := admit(t, j, newPass(t, 200, "cafe")); a.Seq <= 40 {
				t.Errorf("number %d is given again", a.Seq)
			}
			j.Close()
			j = open(t, path)
			if j.Mended() != nil || len(queue(t, j)) != len(before)+1 {
				t.Errorf("opened once more: mended %v, %d visits after %d", j.Mended(), len(queue(t, j)), len(before)+1)
			}
		})
	}
}

func noise(data []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
}

// TestMendAnything damages journals at random: pages, bits, ends. None keeps
// the door shut and none loses what could be read. It also holds that what is
// said to be sound works.
func TestMendAnything(t *testing.T) {
	dir := t.TempDir()
	passes := manyPasses(t, 60)
	master := filepath.Join(dir, "master.db")
	waiting := lived(t, master, passes)
	sound, err := os.ReadFile(master)
	if err != nil {
		t.Fatal(err)
	}
	mended := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		data := bytes.Clone(sound)
		for range 1 + r.IntN(4) {
			switch at := r.IntN(len(data)); r.IntN(4) {
			case 0: // bits
				data[at] ^= 1 << r.IntN(8)
			case 1: // a sector
				noise(data[at&^511 : at&^511+512])
			case 2: // a page that was never written
				clear(data[at&^4095 : at&^4095+4096])
			case 3: // a page that was written to a wrong place
				from := r.IntN(len(data)) &^ 4095
				copy(data[at&^4095:at&^4095+4096], sound[from:from+4096])
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("journal-%d.db", seed))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(path)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		readable := waiting[:0:0]
		if j.Mended() != nil {
			mended++
			readable = standing(t, j.Mended().Kept, waiting)
		}
		// Within a record nothing tells a bit that has turned: such a mark is another's.
		whole := passes[:0:0]
		for _, p := range passes[:len(passes)-1] {
			if bytes.Contains(data, usedKey(p.Issuer(), p.ID())) {
				whole = append(whole, p)
			}
		}
		checkMended(t, j, readable, whole)
		if a, err := j.Admit(newPass(t, 250, "cafe"), t0); err != nil || a.Seq == 0 {
			t.Errorf("seed %d: a visitor after it: %v", seed, err)
		}
		if _, err := j.Prune(t0.Add(time.Minute), pass.Skew); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if err := j.Compact(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if err := j.Close(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d of 150 were mended", mended)
	if mended < 50 {
		t.Error("hardly any was found damaged")
	}
}

// TestMendKeepsWhatElseIsKnown: marks of passes that keep no visit, what was set
// aside, counts, numbers, whose visits they are.
func TestMendKeepsWhatElseIsKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	if _, err := j.Claim("door-1"); err != nil {
		t.Fatal(err)
	}
	museum, cafe := newPass(t, 1, "museum"), newPass(t, 2, "cafe")
	for _, p := range []*pass.Pass{museum, cafe} {
		if err := j.Announced(admit(t, j, p), t0); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.AdmitByStaff(t0), j.Settle([]wire.Result{{Seq: 1, Status: wire.StatusRefused, Reason: "signature"}}), j.Close()); err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, 0, make([]byte, 2*os.Getpagesize()))
	j = open(t, path)
	for _, p := range []*pass.Pass{museum, cafe} {
		if _, err := j.Admit(p, t0); !errors.Is(err, ErrUsed) {
			t.Errorf("admitted again: %v", err)
		}
	}
	owner, err := j.Owner()
	s, serr := j.Stats()
	counts, cerr := j.Counts(t0.Add(-time.Hour), t0.Add(time.Hour))
	if err := errors.Join(err, serr, cerr); err != nil {
		t.Fatal(err)
	}
	if owner != "door-1" || s.Aside != 1 || s.Queue != 0 || s.Clock.Before(t0) || len(counts) != 1 || counts[0].Visits != 1 || counts[0].Staff != 1 {
		t.Errorf("owner %q, %+v, %+v", owner, s, counts)
	}
}

// TestDamagedFilesEnd: 28 days after its oldest visit a damaged file is gone,
// and no more than two are kept before.
func TestDamagedFilesEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	admit(t, j, newPass(t, 1, "cafe"))
	for range 3 {
		j.Close()
		overwrite(t, path, 0, make([]byte, 2*os.Getpagesize()))
		j = open(t, path)
	}
	kept := func() int {
		t.Helper()
		all, err := damagedFiles(path)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := kept(); n == 0 || n > maxDamaged {
		t.Errorf("%d damaged files are kept", n)
	}
	for _, name := range []string{"20260101", "never", "20991231"} {
		if err := os.WriteFile(path+damagedName+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Prune(t0.Add(time.Hour), pass.Skew); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != 1 {
		t.Errorf("%d damaged files after pruning, want the one with a day to come", n)
	}
	if _, err := j.Prune(t0.Add(Keep), pass.Skew); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != 0 {
		t.Errorf("%d damaged files outlast their visits", n)
	}
}

// TestClockGoneMad: a damaged clock far ahead would refuse every visitor for
// good.
func TestClockGoneMad(t *testing.T) {
	s := newSalvage()
	s.visit(wire.Visit{Seq: 1, At: t0.UnixMilli()})
	s.numbers[string(keyClock)] = uint64(t0.Add(1000 * time.Hour).UnixMilli())
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := s.write(path, t0); err != nil {
		t.Fatal(err)
	}
	if s, err := open(t, path).Stats(); err != nil || !s.Clock.IsZero() {
		t.Errorf("clock %v, %v", s.Clock, err)
	}
}

// TestNotDamaged: what is merely busy, or on a disk that gives nothing, stays
// as it is.
func TestNotDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	lived(t, path, manyPasses(t, 20))
	j := open(t, path)
	if _, err := Open(path); err == nil || !contains(err, "another kiosk holds it") {
		t.Errorf("busy: %v", err)
	}
	j.Close()
	if j = open(t, path); j.Mended() != nil {
		t.Errorf("a sound file was mended: %v", j.Mended().Why)
	}
	f := &file{r: deadDisk{}, size: 1 << 20, unread: map[uint64]error{}}
	if err := newSalvage().tree(f); err == nil {
		t.Error("a disk that gives nothing has a sound file on it")
	}
	if err := f.dead(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the disk gives nothing: %v", err)
	}
}

type deadDisk struct{}

func (deadDisk) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

// badSector is a disk that gives everything but one page.
type badSector struct {
	io.ReaderAt
	from, to int64
}

func (b badSector) ReadAt(p []byte, off int64) (int, error) {
	if off < b.to && off+int64(len(p)) > b.from {
		return 0, syscall.EIO
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestBadSector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	waiting := lived(t, path, manyPasses(t, 40))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < int64(len(data)); at += 4096 {
		f := &file{r: badSector{bytes.NewReader(data), at, at + 4096}, size: int64(len(data)), unread: map[uint64]error{}}
		s := newSalvage()
		if s.tree(f) == nil {
			continue // nothing stands there, or the other meta page is enough
		}
		if err := errors.Join(f.dead(), s.rest(f)); err != nil {
			t.Fatal(err)
		}
		rest := bytes.Clone(data)
		clear(rest[at : at+4096])
		for _, v := range waiting {
			record, err := cose.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(rest, record) && !s.known[string(v.Pass)] {
				t.Errorf("page %d: visit %d could be read and is lost", at/4096, v.Seq)
			}
		}
	}
}

// TestDamagedWhileOpen: the card loses pages under the running kiosk. It says so
// once, keeps nothing more and does not hang; opened anew everything is there.
func TestDamagedWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"overwritten": func(t *testing.T, path string) {
			data := make([]byte, 1<<16)
			noise(data)
			overwrite(t, path, 2*int64(os.Getpagesize()), data)
		},
		"gone": func(t *testing.T, path string) { // the disk gives nothing of it
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		},
		"cut off": func(t *testing.T, path string) { // as pages that the disk does not give: a fault of memory
			if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			passes := manyPasses(t, 60)
			waiting := lived(t, path, passes)
			j := open(t, path)
			damage(t, path)
			a, err := j.Admit(newPass(t, 100, "cafe"), t0)
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%+v, %v", a, err)
			}
			select {
			case <-j.Damaged():
			default:
				t.Error("nobody is told")
			}
			if _, err := j.Admit(newPass(t, 101, "cafe"), t0); !errors.Is(err, ErrDamaged) {
				t.Errorf("the next visitor: %v", err)
			}
			if err := j.Probe(); !errors.Is(err, ErrDamaged) {
				t.Errorf("probe: %v", err)
			}
			if err := j.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			readable := standing(t, path, waiting)
			j = open(t, path)
			if j.Mended() == nil && name != "gone" {
				t.Error("opened anew it is not mended")
			}
			checkMended(t, j, readable, passes[:len(passes)-1])
			admit(t, j, newPass(t, 100, "cafe"))
		})
	}
}

// TestMendIsCut: whatever a cut leaves, the next start goes on from there.
func TestMendIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	passes := manyPasses(t, 20)
	waiting := lived(t, path, passes)
	overwrite(t, path, 0, make([]byte, 2*os.Getpagesize()))
	until := path + damagedName + t0.Add(Keep).Format(damagedDay)
	if err := errors.Join(os.WriteFile(path+".mend", []byte("half"), 0o600), os.Link(path, until)); err != nil {
		t.Fatal(err)
	}
	j := open(t, path)
	if _, err := os.Stat(path + ".mend"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half is left: %v", err)
	}
	checkMended(t, j, waiting, passes[:len(passes)-1])
	if all, err := damagedFiles(path); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}
