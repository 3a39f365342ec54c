// Package clock says how far the device's clock can be relied on (DESIGN, law
// 8). A reader with a wrong clock must say so instead of judging visitors.
package clock

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/pass"
)

// Tolerance is how far the clock may be set back below the highest time ever
// seen before it counts as wrong: an NTP step after a leap or drift is small.
const Tolerance = 5 * time.Second

// Clock is the device's clock. Raise it with the journal's highest time at the
// start; afterwards it remembers by itself.
type Clock struct {
	synchronised func() bool
	battery      bool
	highest      atomic.Int64 // Unix ms
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

// State judges the time now.
func (c *Clock) State(now time.Time) pass.Clock {
	if now.UnixMilli() < c.highest.Load()-Tolerance.Milliseconds() {
		return pass.ClockWrong
	}
	if !c.battery && !c.synchronised() {
		return pass.ClockUnsure // and not to be remembered: it may lie ahead
	}
	c.Raise(now)
	return pass.ClockSure
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
