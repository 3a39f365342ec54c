package kiosk

import (
	"bufio"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

var (
	update  = flag.Bool("update", false, "show the streams to the real decoder and record anew what it finds")
	streams = flag.Int("streams", 6, "with -update: how many of each kind and seed")
	first   = flag.Uint64("first", 1, "with -update: the first seed")
	seeds   = flag.Uint64("seeds", 3, "with -update: how many seeds")
)

// findings is what the decoder found in the pictures of one stream.
type findings struct {
	kind   string
	inView int // the first picture that shows what there is to see
	frames []qr.Finding
}

const recorded = "testdata/findings.txt"

// TestHints holds the coach to its figures, on what the decoder found in
// generated streams (package screens): a hand that holds a phone wrongly in one
// way is told so within a second, and ordinary visitors are told nothing. The
// findings are recorded, for to render and read them takes minutes.
func TestHints(t *testing.T) {
	if *update {
		record(t)
	}
	type row struct{ streams, read, right, other, quiet, never int }
	rows, kinds := map[string]*row{}, []string{}
	for _, s := range load(t) {
		r := rows[s.kind]
		if r == nil {
			r = new(row)
			rows[s.kind], kinds = r, append(kinds, s.kind)
		}
		r.streams++
		visitor := strings.HasPrefix(s.kind, "visitor")
		switch hint, read := coached(s); {
		case visitor && s.frames[len(s.frames)-1].Problem != qr.None:
			r.never++ // whatever they are told is not while they are being read
		case hint == display.NoHint && read:
			r.read++
		case hint == display.NoHint:
			r.quiet++
		case apt(s.kind, hint):
			r.right++
		default:
			r.other++
		}
	}
	good, wrong, told, due := 0, 0, 0, 0
	for _, kind := range kinds {
		r := rows[kind]
		t.Logf("%-16s %3d streams, %3d read untold, %3d told rightly, %3d told other, %3d told nothing, %3d never read", kind, r.streams, r.read, r.right, r.other, r.quiet, r.never)
		if strings.HasPrefix(kind, "visitor") {
			good, wrong = good+r.streams-r.never, wrong+r.other
			continue
		}
		told, due = told+r.right, due+r.streams-r.read
		if n := r.streams - r.read; 100*r.right < leastOfKind*n {
			t.Errorf("%s: %d of %d are told within a second, want %d %%", kind, r.right, n, leastOfKind)
		}
	}
	t.Logf("told rightly within a second: %d of %d; wrong hints to visitors: %d of %d", told, due, wrong, good)
	if 100*told < leastOfAll*due {
		t.Errorf("%d of %d are told within a second, want %d %%", told, due, leastOfAll)
	}
	if 100*wrong > good {
		t.Errorf("%d of %d ordinary visitors are told what is not so, want 1 %% at most", wrong, good)
	}
}

// What is to be told rightly, of all streams and of the few of one kind, percent.
const (
	leastOfAll  = 95
	leastOfKind = 90
)

// coached is the first hint given until a second after there was something to
// see, or until the code was read.
func coached(s findings) (first display.Hint, read bool) {
	var c coach
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	last := s.inView + screens.FPS
	if strings.HasPrefix(s.kind, "visitor") {
		last = len(s.frames)
	}
	for n, f := range s.frames {
		if f.Problem == qr.None {
			return "", true
		}
		if n > last {
			return "", false
		}
		if a := c.see(f, start.Add(time.Duration(n)*time.Second/screens.FPS), false); a.say {
			return a.hint, false
		}
	}
	return "", false
}

// apt says whether a hint is the right one. Some visitors are harder to read
// than others, and one may say so to them while they are being read.
func apt(kind string, h display.Hint) bool {
	for p, hint := range remedies {
		if p.String() == kind {
			return h == hint
		}
	}
	return map[string]display.Hint{
		"visitor, far": display.Closer, "visitor, dim": display.Brighter, "visitor, shaky": display.HoldStill, "visitor, passing": display.HoldStill,
		"visitor, tilted": display.Straighter, "visitor, glare": display.Glare, "visitor, unsharp": display.Farther,
	}[kind] == h
}

// record shows all streams to the real decoder.
func record(t *testing.T) {
	t.Helper()
	var all []*screens.Stream
	for seed := range *seeds {
		for _, kind := range screens.ConditionKinds() {
			s, err := screens.Condition(kind, *first+seed, *streams)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s...)
		}
		ordinary, err := screens.Streams(*first+seed, *streams)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range ordinary {
			s.Class = "visitor, " + s.Class
		}
		all = append(all, ordinary...)
	}
	if err := os.MkdirAll(filepath.Dir(recorded), 0o755); err != nil {
		t.Fatal(err)
	}
	out := new(strings.Builder)
	fmt.Fprintf(out, "# What the decoder found, picture by picture, in %d streams of each kind of package screens, seeds %d to %d: problem, measure, and where.\n", *streams, *first, *first+*seeds-1)
	read := make([][]qr.Finding, len(all))
	var readers errgroup.Group
	readers.SetLimit(runtime.NumCPU())
	for i, s := range all {
		if s.Class == "none" {
			s.Class = "visitor"
		}
		readers.Go(func() (err error) { read[i], err = found(s); return err })
	}
	if err := readers.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		fmt.Fprintf(out, "\n%s|%d\n", s.Class, s.InView)
		for _, f := range read[i] {
			where := ""
			if f.Located {
				where = fmt.Sprintf(" %.3f %.3f", f.X, f.Y)
			}
			if f.Growing {
				where += " +"
			}
			fmt.Fprintf(out, "%d %.2f%s\n", f.Problem, f.Measure, where)
		}
	}
	if err := os.WriteFile(recorded, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// found reads a stream. The decoder's budget is of this thread's time, so that
// a busy machine records the same.
func found(s *screens.Stream) (out []qr.Finding, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
			panic(err) // never of the thread itself
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var at time.Time
	var begin time.Duration
	reader := qr.New(qr.Options{Stream: true, Max: 3, Now: func() time.Time { return at.Add(cpu() - begin) }})
	g := new(image.Gray)
	for n, c := range s.Frames {
		if n > s.InView+screens.FPS && !strings.HasPrefix(s.Class, "visitor") {
			break
		}
		c.Render(g)
		at, begin = time.Unix(0, int64(n)*int64(time.Second)/screens.FPS), cpu()
		if _, err := reader.Decode(g); err != nil {
			return nil, err
		}
		f := reader.Finding()
		if out = append(out, f); f.Problem == qr.None {
			break // what comes then is no hint
		}
	}
	return out, nil
}

func load(t *testing.T) (all []findings) {
	t.Helper()
	file, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		kind, inView, begins := strings.Cut(line, "|")
		switch {
		case line == "" || line[0] == '#':
		case begins:
			s := findings{kind: kind}
			if _, err := fmt.Sscan(inView, &s.inView); err != nil {
				t.Fatalf("%s: %q: %v", recorded, line, err)
			}
			all = append(all, s)
		default:
			var f qr.Finding
			line, f.Growing = strings.CutSuffix(line, " +")
			n, _ := fmt.Sscan(line, &f.Problem, &f.Measure, &f.X, &f.Y)
			if n != 2 && n != 4 || len(all) == 0 {
				t.Fatalf("%s: %q is no finding", recorded, line)
			}
			f.Located = n == 4
			s := &all[len(all)-1]
			s.frames = append(s.frames, f)
		}
	}
	return all
}
