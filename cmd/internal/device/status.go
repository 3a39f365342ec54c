package device

import (
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/uplink/clock"
)

const surely = pass.ClockSure

// Ages at which a state turns; docs/kiosk-states.md has them in a table with
// what the kiosk does in each.
const (
	day = 24 * time.Hour

	// KeysWarn and KeysBad are the ages of what the registry last confirmed:
	// lists are refreshed within a day, a warning is due after a day and a half.
	KeysWarn = 36 * time.Hour
	KeysBad  = 14 * day // the registry has surely been away, keys still verify
	// KeysEnd is how long before its end a trust bundle is a worry by itself.
	KeysEnd = 14 * day
	// QueueOld tells the owner, long before journal.Keep, when visits are
	// destroyed; QueueAlarm is a week before it.
	QueueWarn  = time.Hour
	QueueOld   = 7 * day
	QueueAlarm = 21 * day
	// CertificateEnd is how long before its end a certificate should have been
	// renewed: that is tried for 30 days before.
	CertificateEnd = 14 * day
	// ClockDiffers is how far the registry's time may be from the system's.
	ClockDiffers = clock.Tolerance

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
	sender, trust, link := d.Sender.State(), d.Trust.State(), d.Link.State()
	if sender.Err != nil || trust.Err != nil {
		s.Network = display.Warn
		if last := latest(sender.Last, trust.Confirmed); !last.IsZero() && now.Sub(last) < networkWarn {
			s.Network = display.OK
		}
	}
	switch {
	case link.Refused != "":
		s.Network = display.Bad
	case !link.Expires.IsZero() && link.Expires.Sub(now) < CertificateEnd:
		s.Network = max(s.Network, display.Warn)
	}
	if d.diskFails.Load() {
		s.Disk = display.Bad
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
		if by, ok := d.Clock.Differs(); (ok && by.Abs() > ClockDiffers && d.Clock.Sure()) || d.Clock.Behind() {
			s.Clock = display.Warn
		}
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
		s.Queue = age(now, stats.Oldest, QueueWarn, QueueOld)
	}
	if trust.Number == 0 || !now.Before(trust.Expires) {
		s.Keys = display.Bad
	} else {
		// The age of what the registry last confirmed, not of the last try.
		seen := latest(trust.Issued, trust.Confirmed)
		s.KeysAge = max(now.Sub(seen), 0)
		s.Keys = age(now, seen, KeysWarn, KeysBad)
		if trust.Expires.Sub(now) < KeysEnd {
			s.Keys = max(s.Keys, display.Warn)
		}
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
