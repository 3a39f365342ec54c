// Package clock says how far the device's clock can be relied on (DESIGN, law
// 8). A reader with a wrong clock must say so instead of judging visitors.
//
// Its witnesses, in the order they are believed: the kernel, which knows
// whether NTP has set the clock; the registry's signed time; a battery clock
// the kernel started from. The first two vouch; a battery clock is sure enough
// to judge visitors by, but one that was set wrong, to local time perhaps, must
// not become the highest time ever seen, which would outlive it and refuse the
// true time from the others. The kiosk has no right to set the system's clock and
// does not want it. Where only the registry vouches, Correct gives its time
// instead, carried on by the monotonic clock: many a shop's network lets HTTPS
// pass and NTP not, and a device that merely knew that its clock is wrong would
// turn everybody away there for ever.
package clock

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/pass"
)

// Tolerance is how far the clock may be set back below the highest time ever
// seen before it counts as wrong: an NTP step after a leap or drift is small.
const Tolerance = 5 * time.Second

// Trusted is how long a confirmed clock is trusted without another word: the
// kernel gives up about nine hours after the last NTP answer, but a crystal
// that drifts 20 ppm is 2 s off after a day, which is what Skew allows.
const Trusted = 24 * time.Hour

// Clock is the device's clock. Raise it with the journal's highest time and
// with the time the trust bundle was issued; vouched times it remembers by itself.
type Clock struct {
	synchronised func() bool
	battery      bool
	highest      atomic.Int64 // Unix ms
	ceiling      atomic.Int64 // Unix ms, 0 for none

	mu        sync.Mutex
	confirmed time.Time // when synchronised was last true
	signed    time.Time // the registry's time, zero for none
	at        time.Time // the system's clock then
	old       bool      // the registry's word is older than Trusted: carried on, vouches for nothing
	differs   time.Duration
	ahead     int // passes in a row that their issuers made later than now
}

// System is the clock of this machine: sure when the kernel says that it is
// synchronised (adjtimex, STA_UNSYNC clear) or, where it may not be asked,
// systemd-timesyncd does; when the registry vouched for it; or when a battery
// clock set it.
func System() *Clock {
	n := &ntp{kernel: kernel, file: timesyncFile, now: time.Now}
	return New(n.synchronised, batteryClock("/sys/class/rtc"))
}

// New makes a clock from its two local witnesses.
func New(synchronised func() bool, battery bool) *Clock {
	return &Clock{synchronised: synchronised, battery: battery}
}

// Raise tells the clock of a time that has already been.
func (c *Clock) Raise(t time.Time) {
	if t.IsZero() {
		return
	}
	for ms := t.UnixMilli(); ; {
		old := c.highest.Load()
		if ms <= old || c.highest.CompareAndSwap(old, ms) {
			return
		}
	}
}

// Limit says that times from t on are not to be believed, whoever vouches for
// them: the end of the trust bundle. A clock that lies far ahead once, by a
// forged NTP answer or a battery clock gone mad, must not be remembered.
func (c *Clock) Limit(t time.Time) { c.ceiling.Store(t.UnixMilli()) }

// Signed takes the registry's signed word: at the moment that the system's
// clock showed at, which carries its monotonic part, the time was t. It is an
// error where this device has already seen a later time: then the registry's
// clock is wrong, or this device's was.
func (c *Clock) Signed(t, at time.Time) error {
	if highest := c.highest.Load(); t.UnixMilli() < highest-Tolerance.Milliseconds() {
		return fmt.Errorf("the registry's time %s lies before %s, which this device has already seen: ask the registry's operator to check its clock",
			t.UTC().Format(time.RFC3339), time.UnixMilli(highest).UTC().Format(time.RFC3339))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signed, c.at, c.old = t.Round(0), at, false
	c.differs = at.Round(0).Sub(c.signed)
	return nil
}

// Correct is the time now by the best witness, where system is what the
// system's clock shows. What the registry said is carried on after Trusted,
// too, when it vouches for nothing any more: it is seconds off then, where the
// system's clock may be years.
func (c *Clock) Correct(system time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signed.IsZero() {
		return system
	}
	if c.synchronised() {
		// NTP has the last word, also when it falls silent: the system's clock
		// is nearer then than what the registry said before.
		c.confirmed, c.signed = system, time.Time{}
		return system
	}
	since := system.Sub(c.at) // by the monotonic clock
	if since < 0 {
		c.signed = time.Time{} // no monotonic part, and set back
		return system
	}
	c.old = c.old || since >= Trusted
	return c.signed.Add(since)
}

// State judges the time now, which Correct has given.
func (c *Clock) State(now time.Time) pass.Clock {
	ms := now.UnixMilli()
	if ms < c.highest.Load()-Tolerance.Milliseconds() {
		return pass.ClockWrong
	}
	if ceiling := c.ceiling.Load(); ceiling != 0 && ms >= ceiling {
		return pass.ClockUnsure
	}
	if c.vouched(now) {
		c.Raise(now)
		return pass.ClockSure
	}
	if c.battery {
		return pass.ClockSure // not to be remembered: it may lie ahead
	}
	return pass.ClockUnsure
}

// Vouched says whether NTP or the registry stands for now, which Correct has
// given: only then may anything be destroyed because of its age.
func (c *Clock) Vouched(now time.Time) bool {
	return c.State(now) == pass.ClockSure && c.vouched(now)
}

// vouched says whether the clock was confirmed less than Trusted ago, by the
// kernel or by the registry.
func (c *Clock) vouched(now time.Time) bool {
	ok := c.synchronised()
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok {
		c.confirmed = now
	}
	return fresh(now, c.confirmed) || !c.old && fresh(now, c.signed)
}

// fresh says whether a witness's word still holds: for Trusted, and for a clock
// that has run on since and was not set by somebody else.
func fresh(now, witnessed time.Time) bool {
	since := now.Sub(witnessed) // by the monotonic clock, where both carry it
	set := now.Round(0).Sub(witnessed.Round(0)) - since
	return !witnessed.IsZero() && since >= 0 && since < Trusted && set.Abs() < Tolerance
}

// Sure says whether the clock is relied on at this moment without the
// registry's word.
func (c *Clock) Sure() bool { return c.battery || c.synchronised() }

// Synchronised says whether NTP has set the clock.
func (c *Clock) Synchronised() bool { return c.synchronised() }

// Battery says whether a battery clock was found.
func (c *Clock) Battery() bool { return c.battery }

// Differs is how far the system's clock was ahead of the registry's when that
// was last asked; ok is false where it never was. Where NTP is at work the
// clock is believed all the same, and this is a warning light.
func (c *Clock) Differs() (by time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.differs, !c.at.IsZero()
}

// suspicious is how many passes in a row must be made later than now before
// their issuers are believed rather than one phone.
const suspicious = 3

// Hint is told of each pass with a good signature by how much it was made later
// than now, 0 for one that was not. Issuers are many, and one of them may be
// wrong: what they say is a warning light and never changes the state.
func (c *Clock) Hint(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead++; by < Tolerance {
		c.ahead = 0
	}
}

// Behind says that several passes in a row were made later than this clock
// shows: it is probably behind.
func (c *Clock) Behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead >= suspicious
}

// batteryClock looks for a real-time clock the kernel set the time from.
func batteryClock(class string) bool {
	found, err := filepath.Glob(filepath.Join(class, "rtc*", "hctosys"))
	if err != nil {
		return false
	}
	for _, f := range found {
		if data, err := os.ReadFile(f); err == nil && len(data) > 0 && data[0] == '1' {
			return true
		}
	}
	return false
}
