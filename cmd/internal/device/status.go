package device

import (
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
)

const surely = pass.ClockSure

// Ages at which the strip turns, in plain facts from the field: lists are
// refreshed within a day, a warning is due after a day and a half.
const (
	keysWarn    = 36 * time.Hour
	keysBad     = 14 * 24 * time.Hour // before this the registry has surely been away, keys still verify
	queueWarn   = time.Hour
	queueBad    = 7 * 24 * time.Hour // a quarter of the time until visits are destroyed
	networkWarn = 10 * time.Minute
)

// Status is the honest light on the screen's lower edge.
func (d *Device) Status() display.Status {
	now := d.now()
	d.believe() // a newer bundle may have come
	s := display.Status{Camera: display.OK, Network: display.OK, Sound: display.OK, Queue: display.OK, Keys: display.OK}
	if !d.Camera.Status().Live {
		s.Camera = display.Bad
	}
	sender, trust := d.Sender.State(), d.Trust.State()
	if sender.Err != nil || trust.Err != nil {
		s.Network = display.Warn
		if last := latest(sender.Last, trust.Confirmed); !last.IsZero() && now.Sub(last) < networkWarn {
			s.Network = display.OK
		}
	}
	switch v := d.Voice.State(); {
	case v.Off:
		s.Sound = display.Hidden
	case !v.Playing:
		s.Sound = display.Bad
	}
	switch d.Clock.State(now) {
	case pass.ClockSure:
		s.Clock = display.OK
	case pass.ClockUnsure:
		s.Clock = display.Warn
	default:
		s.Clock = display.Bad
	}
	stats, err := d.Journal.Stats()
	if err != nil {
		s.Queue = display.Bad
	} else {
		s.Waiting = stats.Queue
		s.Queue = age(now, stats.Oldest, queueWarn, queueBad)
	}
	if trust.Number == 0 || !now.Before(trust.Expires) {
		s.Keys = display.Bad
	} else {
		// The age of what the registry last confirmed, not of the last try.
		seen := latest(trust.Issued, trust.Confirmed)
		s.KeysAge = max(now.Sub(seen), 0)
		s.Keys = age(now, seen, keysWarn, keysBad)
	}
	return s
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// age is the level for something as old as since, which may be zero for nothing.
func age(now, since time.Time, warn, bad time.Duration) display.Level {
	switch {
	case since.IsZero() || now.Sub(since) < warn:
		return display.OK
	case now.Sub(since) < bad:
		return display.Warn
	}
	return display.Bad
}
