package lines

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var errTaken = errors.New("GPIO chips are not looked for again: standard input was closed and is another file now; start the kiosk again")

// keepInput calls open and puts standard input back where it closed that.
//
// periph v3.8.5 closes file descriptor 0 with each node that leads to a chip it
// has already, as /dev/gpiochip4 does on Raspberry Pi OS. The next file that
// anybody opens, perhaps the journal, would be number 0, and be closed when a chip
// is plugged in. Where another file has got the number in between, periph does not
// open anything any more.
func keepInput(open func() error) error {
	if chips.taken {
		return errTaken
	}
	var was, is unix.Stat_t
	if err := unix.Fstat(0, &was); err != nil {
		return fmt.Errorf("standard input is closed (%w): start the kiosk with one, /dev/null will do", err)
	}
	spare, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("keep standard input: %w", err)
	}
	defer unix.Close(spare)
	failed := open()
	switch err := unix.Fstat(0, &is); {
	case err != nil:
		// Takes the number only if it is free, as it is the lowest.
		if n, err := unix.FcntlInt(uintptr(spare), unix.F_DUPFD, 0); err != nil {
			return errors.Join(failed, err)
		} else if n != 0 {
			unix.Close(n)
			chips.taken = true
		}
	case is.Dev != was.Dev || is.Ino != was.Ino:
		chips.taken = true
	}
	return failed
}
