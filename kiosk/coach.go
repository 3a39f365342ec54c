package kiosk

import (
	"math"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/qr"
)

const (
	// forgets is how fast what was found loses its weight: by 63 % in this time.
	forgets = 700 * time.Millisecond
	// convinced is how much of one finding there must be in that memory until a
	// visitor is told, and mostly how much of all that was found. A code that is
	// brought in as usual is read before.
	convinced = 300 * time.Millisecond
	mostly    = 0.5
	// stays is how long a hint stands at least, so that it can be read, and
	// lingers how long after its code was last seen.
	stays   = 1500 * time.Millisecond
	lingers = 800 * time.Millisecond
	// gone is how long nothing must be found until what comes is somebody new.
	gone = 2500 * time.Millisecond
	// withdraws is how long a phone that was read takes to leave, and is not to
	// be told anything.
	withdraws = 1200 * time.Millisecond
	// sayAgain is the pause between two spoken hints, mostSaid how many one
	// visitor hears, and givesUp how long the screen goes on after the last.
	sayAgain = 4 * time.Second
	mostSaid = 3
	givesUp  = 6 * time.Second
	// hopeless is how long a code is held that suffers from nothing and cannot
	// be read, until another one is asked for.
	hopeless = 5 * time.Second
	// arrives is how long a code may move because it is being brought.
	arrives = 800 * time.Millisecond
	// running is the speed of a code before the camera, in picture widths a
	// second, above which it moves, whatever the blur makes it look like.
	running = 0.25
	recent  = 350 * time.Millisecond // between two places that say so
	leaping = 1.6                    // what is faster is something else
	// noticed is how long something was there until the screen says that it is
	// seen, and searching until the tone guides it.
	noticed   = 100 * time.Millisecond
	searching = 400 * time.Millisecond
	// tries is how long something must have been there until a hint is given, and
	// reads how long the reader has from the first picture that adds to what it
	// knows of a code, as long as others follow within grows: most codes are read
	// by then, and a hint's chime just before the answer would confuse.
	tries = 450 * time.Millisecond
	reads = 450 * time.Millisecond
	grows = 200 * time.Millisecond
	// longest is the most that one frame counts.
	longest = 100 * time.Millisecond
	// settled and rests: what stays in its place for so long, to this share of the
	// picture's width, is held by no hand. A poster is not to be told anything.
	settled = 12 * time.Second
	rests   = 0.015
	// stale is how long after a code that was too old the next one like it is the
	// same visitor's, and asked how long the screen asks for a new one then.
	stale = 30 * time.Second
	asked = 10 * time.Second
)

// remedies is what helps against each problem. Where a lens has no focus of its
// own, as most at doors, blurred means too near.
var remedies = map[qr.Problem]display.Hint{
	qr.TooSmall: display.Closer, qr.TooLarge: display.Farther, qr.OutOfFocus: display.Farther,
	qr.TooDark: display.Brighter, qr.TooBright: display.Dimmer,
	qr.Glare: display.Glare, qr.Moving: display.HoldStill, qr.Tilted: display.Straighter,
}

// advice is what a visitor is to see and hear.
type advice struct {
	seen bool         // something that may be a code is there
	hint display.Hint // what would let it be read
	say  bool         // the hint is to be spoken now
	tone bool         // and the tone to guide the hand, by near, 0…1
	near float64
}

// coach tells a visitor whose code is not read what to do, from what the reader
// finds picture by picture. It knows neither screen nor loudspeaker.
type coach struct {
	memory memory
	last   time.Time // frame
	place  spot
	light  light
	since  time.Time // when this visitor's findings began
	found  time.Time // and were last made
	read   time.Time // when a code was last read
	grown  growth
	dark   time.Time // when a code was last too dark

	hint  display.Hint // on the screen
	shown time.Time    // since when
	said  time.Time    // when a hint was last spoken
	times int          // to this visitor

	old   int       // codes that were too old, one after the other
	oldAt time.Time // the last of them
	renew time.Time // until when a new code is asked for
}

// see takes the finding of the picture made at a moment. busy says that a prompt
// is being said, which no hint cuts.
func (c *coach) see(f qr.Finding, at time.Time, busy bool) advice {
	gap := min(max(at.Sub(c.last), 0), longest)
	c.last = at
	c.memory.fade(gap)
	if f.Problem == qr.None {
		c.memory, c.hint, c.times = memory{}, display.NoHint, 0
		c.read, c.since, c.found = at, at, at
		c.grown = growth{}
		c.place.see(f, at)
		return advice{} // the answer to it says more
	}
	fast, thing := c.place.see(f, at)
	stirs := c.light.see(f, at)
	there := f.Located && !thing || stirs
	if f.Growing {
		c.grown.see(at)
	}
	if there {
		if at.Sub(c.found) >= gone {
			c.since, c.times = at, 0
		}
		c.found = at
		hint := remedies[f.Problem]
		if fast && (f.Problem == qr.Moving || f.Problem == qr.TooLarge) { // cut off now, and not in a moment
			hint = display.HoldStill
		}
		c.memory.add(hint, gap)
		if hint == display.Brighter {
			c.dark = at
		}
	} else if f.Problem == qr.NoCode && at.Sub(c.dark) < grows { // what is dark is not found in every picture
		c.memory.add(display.Brighter, gap)
	}
	return c.advise(f, at, there, busy)
}

func (c *coach) advise(f qr.Finding, at time.Time, there, busy bool) (a advice) {
	if at.Sub(c.read) < withdraws {
		return a
	}
	tired := c.times >= mostSaid && at.Sub(c.said) >= givesUp
	if tired {
		c.hint = display.NoHint
		return a
	}
	best, sure := c.memory.best()
	if best == display.HoldStill && at.Sub(c.since) < arrives {
		sure = false
	}
	early := at.Sub(c.since) < tries || c.grown.hopeful(at)
	if !sure && there && at.Sub(c.since) >= hopeless && c.hint == display.NoHint {
		best, sure = display.Renew, true
	}
	switch {
	case sure && !early && best != c.hint && (c.hint == display.NoHint || at.Sub(c.shown) >= stays):
		c.hint, c.shown = best, at
	case c.hint != display.NoHint && at.Sub(c.found) >= lingers && at.Sub(c.shown) >= stays:
		c.hint = display.NoHint
	}
	a = advice{seen: there && at.Sub(c.since) >= noticed, hint: c.hint}
	if c.hint != display.NoHint && !early && !busy && c.times < mostSaid && at.Sub(c.said) >= sayAgain {
		a.say, c.said = true, at
		c.times++
	}
	if there && f.Located && at.Sub(c.since) >= searching {
		a.tone, a.near = true, near(f)
	}
	if a.hint == display.NoHint && at.Before(c.renew) {
		a.hint = display.Renew
	}
	return a
}

// answered takes what a visitor was told, and says whether the same was said to
// them just before, so that they are asked for a new code in so many words.
func (c *coach) answered(v Verdict, at time.Time) (again bool) {
	if !v.stale() {
		c.old, c.renew = 0, time.Time{}
		return false
	}
	if at.Sub(c.oldAt) >= stale {
		c.old = 0
	}
	c.old++
	c.oldAt = at
	if c.old < 2 {
		return false
	}
	c.renew = at.Add(asked)
	return true
}

// growth is since when the reader adds up what it sees of a code, picture by picture.
type growth struct{ since, last time.Time }

func (g *growth) see(at time.Time) {
	if at.Sub(g.last) >= 2*grows {
		g.since = at
	}
	g.last = at
}

// hopeful: the code may be read in a moment.
func (g *growth) hopeful(at time.Time) bool { return at.Sub(g.last) < grows && at.Sub(g.since) < reads }

// near is how near to the picture's middle a code is, 1 in it and 0 at an edge.
func near(f qr.Finding) float64 {
	return max(0, 1-2*distance(f.X, f.Y, 0.5, 0.5))
}

// memory is how much of each hint's findings there was, the newest counting most.
type memory struct {
	of  [len(weighed)]time.Duration // by the place in weighed
	all time.Duration
}

// weighed are the hints that are given for what is found.
var weighed = [...]display.Hint{display.Closer, display.Farther, display.Brighter, display.Dimmer, display.Glare, display.HoldStill, display.Straighter}

func (m *memory) fade(gap time.Duration) {
	keep := math.Exp(-float64(gap) / float64(forgets))
	for i := range m.of {
		m.of[i] = time.Duration(float64(m.of[i]) * keep)
	}
	m.all = time.Duration(float64(m.all) * keep)
}

func (m *memory) add(h display.Hint, d time.Duration) {
	for i := range weighed {
		if weighed[i] == h {
			m.of[i] += d
			m.all += d
		}
	}
}

// best is the hint there is most for, and whether that is enough.
func (m *memory) best() (h display.Hint, sure bool) {
	most := time.Duration(0)
	for i, d := range m.of {
		if d > most {
			h, most = weighed[i], d
		}
	}
	enough := convinced
	if h == display.HoldStill { // a code that moves is not found in every picture
		enough = convinced / 2
	}
	return h, most >= enough && float64(most) >= mostly*float64(m.all)
}

// spot is where in the picture the code is, and where it has been for long.
type spot struct {
	x, y  float32
	at    time.Time // when it was there
	fast  bool      // it came there fast
	restX float32
	restY float32
	rest  time.Time // since when it is there to a hair; zero: nothing yet
	seen  time.Time // when it was last seen there
}

// see says whether the code moves fast, and whether it is a thing that has been
// in that place for longer than anybody holds a phone.
func (p *spot) see(f qr.Finding, at time.Time) (fast, thing bool) {
	if !f.Located {
		return false, false
	}
	if d := at.Sub(p.at); d >= longest { // less is the trembling of what was measured
		way := distance(f.X, f.Y, p.x, p.y)
		p.fast = d <= recent && way > running*d.Seconds() && way < leaping*d.Seconds()
		p.x, p.y, p.at = f.X, f.Y, at
	}
	if distance(f.X, f.Y, p.restX, p.restY) <= rests {
		p.seen = at
		return p.fast, at.Sub(p.rest) >= settled
	}
	if at.Sub(p.seen) >= gone { // something else hides it, or it is gone
		p.restX, p.restY, p.rest, p.seen = f.X, f.Y, at, at
	}
	return p.fast, false
}

func distance(x, y, u, v float32) float64 { return math.Hypot(float64(x-u), float64(y-v)) }

// stirring is how long after the light of a dark or dazzled picture has changed
// somebody is thought to be there, stir by how much of itself it must have, and
// steadies how long it must have stayed then: a screen that is coming lights the
// picture up by itself.
const (
	stirring = 3 * time.Second
	stir     = 0.04
	steadies = 150 * time.Millisecond
)

// light is how bright pictures are in which nothing can be seen: a room at night
// is not to be told anything, a phone in it is.
type light struct {
	mean  float32
	stirs time.Time // when it last changed
	at    time.Time // of the last such picture
}

func (l *light) see(f qr.Finding, at time.Time) (stirs bool) {
	if f.Located || f.Problem != qr.TooDark && f.Problem != qr.TooBright {
		return false
	}
	if at.Sub(l.at) >= gone || math.Abs(float64(f.Measure-l.mean)) > stir*float64(l.mean) {
		l.mean, l.stirs = f.Measure, at
	}
	l.at = at
	return at.Sub(l.stirs) >= steadies && at.Sub(l.stirs) < stirring
}
