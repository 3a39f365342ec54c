package kiosk

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/qr"
)

// pupil is a coach and what it advises, at 30 pictures a second.
type pupil struct {
	coach coach
	at    time.Time
	said  []display.Hint
	shown display.Hint
	seen  bool
	tones int
}

func newPupil() *pupil { return &pupil{at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

// see shows what a hand that trembles about x, y suffers from.
func (p *pupil) see(d time.Duration, problem qr.Problem, x, y float32) {
	for end := p.at.Add(d); p.at.Before(end); {
		p.at = p.at.Add(time.Second / 30)
		s, c := math.Sincos(20 * float64(p.at.UnixMilli()) / 1000)
		f := qr.Finding{Problem: problem, Measure: 10, Located: problem != qr.NoCode, X: x + 0.004*float32(s), Y: y + 0.004*float32(c)}
		p.frame(f, false)
	}
}

func (p *pupil) frame(f qr.Finding, busy bool) {
	a := p.coach.see(f, p.at, busy)
	if p.shown, p.seen = a.hint, a.seen; a.say {
		p.said = append(p.said, a.hint)
	}
	if a.tone {
		p.tones++
	}
}

func (p *pupil) want(t *testing.T, shown display.Hint, said ...display.Hint) {
	t.Helper()
	if p.shown != shown {
		t.Errorf("the hint is %q, want %q", p.shown, shown)
	}
	if diff := cmp.Diff(said, p.said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

func TestEveryProblemHasAHint(t *testing.T) {
	for _, c := range []struct {
		problem qr.Problem
		want    display.Hint
		say     bool
	}{
		{qr.TooSmall, display.Closer, true}, {qr.TooLarge, display.Farther, true}, {qr.OutOfFocus, display.Farther, true},
		{qr.TooDark, display.Brighter, true}, {qr.TooBright, display.Dimmer, true}, {qr.Glare, display.Glare, true},
		{qr.Moving, display.HoldStill, true}, {qr.Tilted, display.Straighter, true},
		{qr.Unclear, display.NoHint, false}, {qr.NoCode, display.NoHint, false}, {qr.None, display.NoHint, false},
	} {
		p := newPupil()
		p.see(time.Second, c.problem, 0.5, 0.5)
		var said []display.Hint
		if c.say {
			said = append(said, c.want)
		}
		t.Run(c.problem.String(), func(t *testing.T) { p.want(t, c.want, said...) })
		if seen := c.problem != qr.NoCode && c.problem != qr.None; p.seen != seen || (p.tones > 0) != seen {
			t.Errorf("%v: seen %v, %d tones", c.problem, p.seen, p.tones)
		}
	}
}

// TestBroughtIn: what a hand shows on its way is no reason for a hint.
func TestBroughtIn(t *testing.T) {
	p := newPupil()
	p.see(100*time.Millisecond, qr.TooLarge, 0.5, 0.95)
	for n := range 15 { // half a second, a third of the picture
		p.at = p.at.Add(time.Second / 30)
		p.frame(qr.Finding{Problem: qr.Moving, Located: true, X: 0.5, Y: 0.95 - 0.02*float32(n)}, false)
	}
	p.want(t, display.NoHint)
	p.see(time.Second, qr.None, 0.5, 0.5)
	p.see(time.Second, qr.Moving, 0.5, 0.7) // and on its way out
	p.want(t, display.NoHint)
}

// TestSaysSo repeats itself every few seconds, a few times, and then gives up.
func TestSaysSo(t *testing.T) {
	p := newPupil()
	for n := range 60 { // a hand that moves about, for half a minute
		p.see(500*time.Millisecond, qr.TooSmall, 0.3+0.05*float32(n%5), 0.5)
	}
	p.want(t, display.NoHint, display.Closer, display.Closer, display.Closer)
	if p.seen {
		t.Error("it goes on saying that it sees a code")
	}
	p.see(gone, qr.NoCode, 0, 0)
	p.see(time.Second, qr.Glare, 0.5, 0.5) // somebody else
	p.want(t, display.Glare, display.Closer, display.Closer, display.Closer, display.Glare)
}

// TestFollowed shows the next hint when the first was followed, but lets it be read.
func TestFollowed(t *testing.T) {
	p := newPupil()
	p.see(time.Second, qr.TooSmall, 0.5, 0.5)
	p.want(t, display.Closer, display.Closer)
	p.see(500*time.Millisecond, qr.Glare, 0.5, 0.5)
	p.want(t, display.Closer, display.Closer)
	p.see(1500*time.Millisecond, qr.Glare, 0.5, 0.5)
	p.want(t, display.Glare, display.Closer)
	p.see(3*time.Second, qr.Glare, 0.5, 0.5)
	p.want(t, display.Glare, display.Closer, display.Glare)
	p.see(2*time.Second, qr.NoCode, 0, 0)
	p.want(t, display.NoHint, display.Closer, display.Glare)
}

// TestPoster is a thing on the wall that looks like a code: nobody holds it.
func TestPoster(t *testing.T) {
	p := newPupil()
	p.see(30*time.Second, qr.TooSmall, 0.8, 0.2)
	before := len(p.said)
	for range 20 { // visitors before it
		p.see(time.Second, qr.None, 0.5, 0.5)
		p.see(2*time.Second, qr.TooSmall, 0.8, 0.2)
	}
	p.see(time.Minute, qr.TooSmall, 0.8, 0.2)
	if after := len(p.said); before > mostSaid || after != before {
		t.Errorf("%d hints at first, %d later", before, after-before)
	}
	p.see(2*time.Second, qr.TooSmall, 0.4, 0.5) // a phone before it
	if p.shown != display.Closer {
		t.Errorf("a phone before a poster is told %q", p.shown)
	}
}

// TestNight is a room in which nothing can be seen, until somebody comes.
// Who waves a code about sees it cut off by the edge now and then; that is not
// what is wrong with it.
func TestWaving(t *testing.T) {
	p := newPupil()
	for n := range 45 {
		p.at = p.at.Add(time.Second / 30)
		s, c := math.Sincos(float64(n) / 4)
		f := qr.Finding{Problem: qr.TooLarge, Measure: 8, Located: true, X: 0.5 + 0.1*float32(s), Y: 0.5 + 0.1*float32(c)}
		if n%9 == 0 {
			f.Problem = qr.Moving
		}
		p.frame(f, false)
	}
	p.want(t, display.HoldStill, display.HoldStill)
}

// A code in the dark is not found in every picture.
func TestDim(t *testing.T) {
	p := newPupil()
	for range 10 {
		p.see(time.Second/30, qr.TooDark, 0.5, 0.5)
		p.see(2*time.Second/30, qr.NoCode, 0, 0)
	}
	p.want(t, display.Brighter, display.Brighter)
}

// A screen that is brought into a dark room lights it up by itself.
func TestLightComes(t *testing.T) {
	p := newPupil()
	for n := range 20 {
		p.at = p.at.Add(time.Second / 30)
		p.frame(qr.Finding{Problem: qr.TooDark, Measure: 8 * float32(math.Pow(1.05, float64(n)))}, false)
	}
	p.want(t, display.NoHint)
}

func TestNight(t *testing.T) {
	p := newPupil()
	dark := func(d time.Duration, mean float32) {
		for end := p.at.Add(d); p.at.Before(end); {
			p.at = p.at.Add(time.Second / 30)
			p.frame(qr.Finding{Problem: qr.TooDark, Measure: mean}, false)
		}
	}
	dark(time.Hour/10, 2)
	if p.shown != display.NoHint || len(p.said) > 1 {
		t.Errorf("an empty dark room is told %q, and %d times aloud", p.shown, len(p.said))
	}
	p.said = nil
	dark(time.Second, 3)
	p.want(t, display.Brighter, display.Brighter)
}

// TestBusy: a hint waits for the prompt that is being said.
func TestBusy(t *testing.T) {
	p := newPupil()
	for n := range 90 {
		p.at = p.at.Add(time.Second / 30)
		p.frame(qr.Finding{Problem: qr.Glare, Located: true, X: 0.5, Y: 0.5}, n < 60)
		if n < 60 && len(p.said) > 0 {
			t.Fatal("it talks over a prompt")
		}
	}
	p.want(t, display.Glare, display.Glare)
}

// TestReading: while the reader adds up what it sees of a code, and it may be read in a moment, nothing is said; where that
// goes on in vain, the hint comes within the second all the same.
func TestReading(t *testing.T) {
	for _, fps := range []int{30, 15, 7} {
		p := newPupil()
		hold := func(d time.Duration, problem qr.Problem, growing bool) {
			for end := p.at.Add(d); p.at.Before(end); {
				p.at = p.at.Add(time.Second / time.Duration(fps))
				p.frame(qr.Finding{Problem: problem, Located: true, X: 0.5, Y: 0.5 + 0.004*float32(p.at.UnixMilli()%3), Growing: growing}, false)
			}
		}
		hold(350*time.Millisecond, qr.OutOfFocus, false) // as it is brought in
		hold(400*time.Millisecond, qr.OutOfFocus, true)
		p.want(t, display.NoHint)
		hold(time.Second, qr.None, false) // read
		p.want(t, display.NoHint)
		hold(2*time.Second, qr.NoCode, false)
		hold(time.Second, qr.Glare, true) // not read
		p.want(t, display.Glare, display.Glare)
	}
}

// TestHopeless asks for another code where nothing is wrong with how it is held.
func TestHopeless(t *testing.T) {
	p := newPupil()
	p.see(hopeless+time.Second, qr.Unclear, 0.5, 0.5)
	p.want(t, display.Renew, display.Renew)
}

func TestNear(t *testing.T) {
	for _, c := range []struct {
		x, y float32
		want float64
	}{{0.5, 0.5, 1}, {0, 0.5, 0}, {0.5, 1, 0}, {0, 0, 0}, {0.75, 0.5, 0.5}} {
		if got := near(qr.Finding{X: c.x, Y: c.y}); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("near(%v, %v) = %v, want %v", c.x, c.y, got, c.want)
		}
	}
}
