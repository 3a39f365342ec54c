// Package clock says how far the device's clock can be relied on (DESIGN, law
// 8). A reader with a wrong clock must say so instead of judging visitors.
package clock

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

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
// with the time the trust bundle was issued; sure times it remembers by itself.
type Clock struct {
	synchronised func() bool
	battery      bool
	highest      atomic.Int64 // Unix ms
	ceiling      atomic.Int64 // Unix ms, 0 for none

	mu        sync.Mutex
	confirmed time.Time // when synchronised was last true
}

// System is the clock of this machine: sure when the kernel says that it is
// synchronised (adjtimex, STA_UNSYNC clear) or when a battery clock set it.
func System() *Clock {
	return New(kernelSynchronised, batteryClock("/sys/class/rtc"))
}

// New makes a clock from its two witnesses.
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

// State judges the time now.
func (c *Clock) State(now time.Time) pass.Clock {
	ms := now.UnixMilli()
	if ms < c.highest.Load()-Tolerance.Milliseconds() {
		return pass.ClockWrong
	}
	if ceiling := c.ceiling.Load(); ceiling != 0 && ms >= ceiling {
		return pass.ClockUnsure
	}
	if !c.battery && !c.vouched(now) {
		return pass.ClockUnsure // and not to be remembered: it may lie ahead
	}
	c.Raise(now)
	return pass.ClockSure
}

// vouched says whether the clock was confirmed less than Trusted ago.
func (c *Clock) vouched(now time.Time) bool {
	ok := c.synchronised()
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok {
		c.confirmed = now
	}
	since := now.Sub(c.confirmed) // by the monotonic clock, where now carries it
	return !c.confirmed.IsZero() && since >= 0 && since < Trusted
}

// Battery says whether a battery clock was found.
func (c *Clock) Battery() bool { return c.battery }

func kernelSynchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
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
