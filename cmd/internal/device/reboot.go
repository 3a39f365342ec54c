package device

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrReboot ends the program where the disk takes no write and will not before
// it is mounted anew: ext4 stays read-only after an error. Whoever started the
// program starts the machine anew, which checks the disk.
var ErrReboot = errors.New("the disk takes no write until it is mounted anew: the machine is started anew for that")

const (
	// brokenFor is how long a disk must be broken while the kiosk runs: a cable
	// that was out for a moment is none.
	brokenFor = 5 * time.Minute
	// rebootEvery is how long a machine runs at least before it is started anew
	// for its disk. One that a start does not mend says "out of order" and stays.
	rebootEvery = time.Hour
)

// lastResort is how long the disk has been broken.
type lastResort struct {
	since time.Duration // up time of the machine when that began
	now   bool
}

// look is told each try of the disk and says whether only a new start of the
// machine can help. up is how long the machine has run.
func (l *lastResort) look(err error, up time.Duration) bool {
	if !broken(err) {
		l.now = false
		return false
	}
	if !l.now {
		l.now, l.since = true, up
	}
	return up-l.since >= brokenFor && up >= rebootEvery
}

// broken says whether a write failed as it does on a disk that went read-only
// or gives errors. One that is full is mended by pruning, or by hand.
func broken(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO)
}

// AtStart is the error of a start that failed: with ErrReboot at once where a new
// start of the machine may help and the machine has run long enough. No visitor
// is before a door that does not start, so that there is nothing to wait for.
func AtStart(err error, reboots bool) error {
	if reboots && broken(err) && upTime() >= rebootEvery {
		return errors.Join(ErrReboot, err)
	}
	return err
}

// upTime is how long the machine has run: no clock that can be set, and nothing
// that a broken disk would have to remember.
func upTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
