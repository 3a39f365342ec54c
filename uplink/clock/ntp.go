package clock

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// timesyncFile is touched by systemd-timesyncd each time that it has set the
// clock by an NTP server (systemd-timesyncd.service(8)). It is gone with a boot.
const timesyncFile = "/run/systemd/timesync/synchronized"

// ntpHolds is how long the kernel counts a clock as synchronised after the last
// answer: until its largest error, which grows by 500 ppm, has become 16 s.
const ntpHolds = 16 * time.Second / 500 * 1_000_000

// kernel asks the kernel whether its clock is synchronised. known is false where
// it may not be asked: the unit takes every call away that could set the clock,
// and this one with them.
func kernel() (synchronised, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return false, false
	}
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, true
}

// ntp says whether NTP has set the clock: by the kernel, or where that may not
// be asked by timesyncd's file.
type ntp struct {
	kernel func() (synchronised, known bool)
	file   string
	now    func() time.Time

	mu    sync.Mutex
	mtime time.Time // of the file
	seen  time.Time // when the file was first seen with it
}

func (n *ntp) synchronised() bool {
	if synchronised, known := n.kernel(); known {
		return synchronised
	}
	info, err := os.Stat(n.file)
	if err != nil {
		return false
	}
	now := n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := info.ModTime(); !m.Equal(n.mtime) {
		n.mtime, n.seen = m, now
	}
	// The kernel forgets that it was synchronised when somebody sets the clock:
	// so do we, who see it by the monotonic clock, or by a file of the future.
	since := now.Sub(n.seen)
	set := now.Round(0).Sub(n.seen.Round(0)) - since
	age := now.Round(0).Sub(n.mtime)
	return age > -Tolerance && age < ntpHolds && set.Abs() < Tolerance
}
