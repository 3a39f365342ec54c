package kiosk

import (
	"time"

	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
)

const (
	// persists is how long a wrong exposure must be seen before it is changed:
	// less is a hand passing or the camera's own exposure still settling.
	persists = 300 * time.Millisecond
	// lapses is how long a problem may be out of sight and still be the same: a
	// held code is not found in every frame.
	lapses = 150 * time.Millisecond
	// settles is the least time between two changes: a camera shows one after
	// two or three frames.
	settles = 200 * time.Millisecond
	// blurred is how long a camera's own focus gets before the lens is moved for it.
	blurred = time.Second
	// regains is how long without a code read until the camera has its way
	// again: whatever was wrong with what we chose ends here.
	regains = 10 * time.Second

	darkest   = -5 // stops; a screen in a dark room
	brightest = 2
	// A reflection of a lamp is white at every exposure; darkening helps only
	// where the screen itself glares.
	darkestGlare = -2
	// mostTurns lets a phone come into a room that was too dark and be too bright
	// there, and one step too many be taken back; more would be swinging.
	mostTurns = 2
)

// need is what a finding asks of the camera.
type need uint8

const (
	nothing need = iota
	darker
	brighter
	sharper
)

var needs = map[qr.Problem]need{qr.TooBright: darker, qr.Glare: darker, qr.TooDark: brighter, qr.OutOfFocus: sharper}

// control decides from what the reader finds, picture by picture, what to wish
// of the camera. It knows neither device nor clock.
type control struct {
	wish    camera.Adjustment
	need    need
	since   time.Time // when the need was first seen
	seen    time.Time // and last
	spent   bool      // what could be done about this need was done; it must cease first
	changed time.Time // when the wish was last changed
	read    time.Time // when a code was last read, or we began to choose
	last    need      // darker or brighter, whichever was done last
	turns   int       // from one to the other since a code was read

	sweeping  bool
	sharpness [camera.FocusPlaces + 1]float32 // by place, 0…1
}

// see takes the finding of the picture made at a moment, and says what to wish
// of the camera; changed is false while the last wish holds.
func (c *control) see(f qr.Finding, at time.Time) (wish camera.Adjustment, changed bool) {
	before := c.wish
	n := needs[f.Problem]
	switch {
	case f.Problem == qr.None:
		// Good as it is, also for the next phone, whose light is judged afresh.
		c.need, c.since, c.seen, c.spent = nothing, at, at, false
		c.read, c.sweeping = at, false
		c.last, c.turns = nothing, 0
	case c.wish != (camera.Adjustment{}) && at.Sub(c.read) >= regains:
		c.wish, c.sweeping, c.changed, c.spent = camera.Adjustment{}, false, at, true
		c.last, c.turns = nothing, 0
	case n == c.need && at.Sub(c.seen) <= lapses:
		c.seen = at
	case n != c.need && c.need != nothing && at.Sub(c.seen) <= lapses:
		n = nothing // perhaps only for a frame
	default:
		c.need, c.since, c.seen, c.spent = n, at, at, false
	}
	if c.sweeping {
		c.sweep(f, at)
	} else if !c.spent && at.Sub(c.changed) >= settles {
		c.act(n, f.Problem, at)
	}
	if c.wish == before {
		return c.wish, false
	}
	if before == (camera.Adjustment{}) {
		c.read = at
	}
	c.changed = at
	return c.wish, true
}

func (c *control) act(n need, p qr.Problem, at time.Time) {
	if at.Sub(c.changed) >= regains {
		c.last, c.turns = nothing, 0
	}
	lasted := at.Sub(c.since)
	switch {
	case n == darker && lasted >= persists:
		least := int8(darkest)
		if p == qr.Glare {
			least = darkestGlare
		}
		if c.wish.Stops > least && c.turn(darker) {
			c.wish.Stops--
		}
	case n == brighter && lasted >= persists:
		if c.wish.Stops < brightest && c.turn(brighter) {
			c.wish.Stops++
		}
	case n == sharper && lasted >= blurred && c.wish.Focus == 0:
		c.sweeping, c.sharpness = true, [camera.FocusPlaces + 1]float32{}
		c.wish.Focus = 1
	case n == sharper && lasted >= blurred: // what was sharp for one phone is not for this one
		c.wish.Focus, c.since = 0, at
	}
}

// turn is false where this would be one change of mind too many.
func (c *control) turn(to need) bool {
	if c.last != to && c.last != nothing && c.turns >= mostTurns {
		return false
	}
	if c.last != to && c.last != nothing {
		c.turns++
	}
	c.last = to
	return true
}

// sweep tries each place of the lens for as long as the camera needs to show it,
// and ends at the sharpest. A code read on the way ends it there.
func (c *control) sweep(f qr.Finding, at time.Time) {
	sharp := float32(1) // a code that is there and suffers from something else
	switch f.Problem {
	case qr.NoCode, qr.TooDark, qr.TooBright: // perhaps no code at all
		sharp = 0
	case qr.OutOfFocus:
		sharp = f.Measure
	}
	c.sharpness[c.wish.Focus] = sharp // the newest frame; the first still show the place before
	if at.Sub(c.changed) < settles {
		return
	}
	if c.wish.Focus < camera.FocusPlaces {
		c.wish.Focus++
		return
	}
	c.sweeping = false
	best := int8(0) // the camera's own focus, where no place showed anything
	for place, s := range c.sharpness {
		if s > c.sharpness[best] {
			best = int8(place)
		}
	}
	c.wish.Focus, c.since = best, at
}
