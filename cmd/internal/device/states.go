package device

import (
	"fmt"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/journal"
)

const day = 24 * time.Hour

// Ages at which a state turns. docs/kiosk-states.md has them in a table with
// what the kiosk does in each state; TestStatesAreDocumented holds it to that.
const (
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
)

// State is how one part is: a name that docs/kiosk-states.md explains, the
// light it shows, and a sentence that says what to do.
type State struct {
	Name  string
	Level display.Level
	Say   string
}

// QueueState is how the visits are that wait for the registry.
func QueueState(now time.Time, s journal.Stats) State {
	age := now.Sub(s.Oldest)
	since := s.Oldest.Local().Format(time.DateTime)
	switch {
	case s.Oldest.IsZero() || age < QueueWarn:
		return State{"sent", display.OK, fmt.Sprintf("%d visits wait for the registry", s.Queue)}
	case age < QueueOld:
		return State{"waiting", display.Warn, fmt.Sprintf("%d visits wait, the oldest since %s: check the network", s.Queue, since)}
	}
	say := fmt.Sprintf("%d visits wait, the oldest since %s: it is destroyed in %d days, bring the registry back", s.Queue, since, max(int((journal.Keep-age)/day), 0))
	if age < QueueAlarm {
		return State{"old", display.Bad, say}
	}
	return State{"alarm", display.Bad, say}
}

// KeysState is how the trust bundle is.
func KeysState(now time.Time, s uplink.TrustState) State {
	end := s.Expires.Local().Format(time.DateOnly)
	age := now.Sub(latest(s.Issued, s.Confirmed)) // of what the registry last confirmed, not of the last try
	switch {
	case s.Number == 0 && s.Err != nil:
		return State{"none", display.Bad, fmt.Sprintf("the kept trust bundle is damaged, a new one comes with the network: %v", s.Err)}
	case s.Number == 0:
		return State{"none", display.Bad, "no trust bundle yet: connect the network once, the kiosk fetches it"}
	case !now.Before(s.Expires):
		return State{"expired", display.Bad, fmt.Sprintf("the trust bundle expired on %s: connect the network", end)}
	case s.Expires.Sub(now) < KeysEnd:
		return State{"ending", display.Bad, fmt.Sprintf("the trust bundle expires on %s: connect the network before", end)}
	case age >= KeysBad:
		return State{"old", display.Bad, fmt.Sprintf("bundle %d was last confirmed %d days ago, valid until %s: check the network", s.Number, int(age/day), end)}
	case age >= KeysWarn:
		return State{"stale", display.Warn, fmt.Sprintf("bundle %d was last confirmed %d hours ago, valid until %s: check the network", s.Number, int(age/time.Hour), end)}
	}
	return State{"fresh", display.OK, fmt.Sprintf("bundle %d, issued %s, valid until %s", s.Number, s.Issued.Local().Format(time.DateOnly), end)}
}

// CertificateState is how the kiosk stands with its registry.
func CertificateState(now time.Time, s uplink.LinkState) State {
	end := s.Expires.Local().Format(time.DateOnly)
	switch {
	case s.Kiosk == "":
		return State{"none", display.Bad, "this device is fresh: show the registry's enrolment code to its camera, or run kiosk enroll CODE"}
	case s.Refused != "":
		return State{"refused", display.Bad, fmt.Sprintf("the registry refuses kiosk %s (%s), visits would wait and be destroyed after 28 days: ask its operator for a new code, then run kiosk enroll -reset and kiosk enroll CODE", s.Kiosk, s.Refused)}
	case !now.Before(s.Expires):
		return State{"expired", display.Warn, fmt.Sprintf("the certificate of kiosk %s expired on %s: connect the network, it renews itself", s.Kiosk, end)}
	case s.Expires.Sub(now) < CertificateEnd:
		return State{"ending", display.Warn, fmt.Sprintf("the certificate of kiosk %s expires on %s and should have been renewed: connect the network", s.Kiosk, end)}
	}
	return State{"good", display.OK, fmt.Sprintf("kiosk %s of %s, certificate until %s", s.Kiosk, s.Registry, end)}
}

// ClockState is how far the clock, which shows now, can be relied on.
func ClockState(now time.Time, c *clock.Clock) State {
	at := now.Format(time.RFC3339)
	by, asked := c.Differs()
	state := c.State(now)
	switch {
	case state == pass.ClockWrong:
		return State{"wrong", display.Bad, at + " is earlier than this device has already seen: connect the network, or set the battery clock"}
	case state != pass.ClockSure:
		return State{"unsure", display.Warn, "nobody vouches for the clock: connect the network for NTP or the registry's time, or fit a battery clock (DS3231)"}
	case c.Behind():
		return State{"behind", display.Warn, at + " is earlier than several passes in a row were made: compare it with a telephone's"}
	case asked && by.Abs() > ClockDiffers && c.Sure():
		return State{"differs", display.Warn, fmt.Sprintf("the system's clock was %s off the registry's time: set the battery clock, or ask who serves NTP here and the registry's operator", by.Round(time.Second))}
	}
	return State{"sure", display.OK, at}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
