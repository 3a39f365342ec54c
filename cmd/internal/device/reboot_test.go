package device

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"
)

// TestLastResort: a disk that only a new start of the machine mends gets one,
// and never more than one an hour.
func TestLastResort(t *testing.T) {
	readOnly := fmt.Errorf("write to the journal: %w", &fs.PathError{Op: "write", Path: "journal.db", Err: syscall.EROFS})
	errs, full := fmt.Errorf("sync: %w", syscall.EIO), fmt.Errorf("sync: %w", syscall.ENOSPC)
	type try struct {
		up   time.Duration
		err  error
		want bool
	}
	for name, tries := range map[string][]try{
		"read-only for five minutes":         {{5 * time.Hour, readOnly, false}, {5*time.Hour + brokenFor - 1, readOnly, false}, {5*time.Hour + brokenFor, readOnly, true}},
		"errors, then read-only":             {{5 * time.Hour, errs, false}, {5*time.Hour + brokenFor, readOnly, true}},
		"a moment, twice":                    {{5 * time.Hour, errs, false}, {5*time.Hour + 4*time.Minute, nil, false}, {5*time.Hour + 6*time.Minute, errs, false}},
		"full":                               {{5 * time.Hour, full, false}, {9 * time.Hour, full, false}},
		"a start did not mend it: it waits":  {{time.Minute, readOnly, false}, {59 * time.Minute, readOnly, false}, {time.Hour, readOnly, true}},
		"damaged is not broken: that mends":  {{5 * time.Hour, errors.New("damaged"), false}, {9 * time.Hour, errors.New("damaged"), false}},
		"it comes back while nobody is told": {{5 * time.Hour, readOnly, false}, {5*time.Hour + brokenFor, nil, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var l lastResort
			for _, s := range tries {
				if got := l.look(s.err, s.up); got != s.want {
					t.Errorf("after %v, %v: %v", s.up, s.err, got)
				}
			}
		})
	}
	if err := AtStart(readOnly, false); errors.Is(err, ErrReboot) {
		t.Error("a machine is started anew that nobody said may be")
	}
	if err := AtStart(full, true); errors.Is(err, ErrReboot) {
		t.Error("a full disk is no reason")
	}
	if upTime() <= 0 {
		t.Error("the machine does not know how long it has run")
	}
}
