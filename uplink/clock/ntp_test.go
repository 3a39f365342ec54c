package clock

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestTimesync: where the kernel may not be asked, timesyncd's file stands for
// it, as long as the kernel would.
func TestTimesync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "synchronized")
		step := time.Duration(0) // what somebody has set the clock by
		now := func() time.Time {
			n := time.Now()
			if step == 0 {
				return n
			}
			return n.Round(0).Add(step) // as after a restart: no monotonic part
		}
		n := &ntp{kernel: func() (bool, bool) { return false, false }, file: file, now: now}
		touch := func() {
			t.Helper()
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, now(), now()); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, want bool) {
			t.Helper()
			if got := n.synchronised(); got != want {
				t.Errorf("%s: synchronised %v", what, got)
			}
		}
		check("no file", false)
		touch()
		check("just set", true)
		time.Sleep(8 * time.Hour)
		check("eight hours later", true)
		time.Sleep(time.Hour)
		check("nine hours later", false)
		touch()
		check("set again", true)
		step = -time.Hour
		check("set back", false)
		step = 24 * time.Hour
		check("set forward", false)
		step = 0
		n.kernel = func() (bool, bool) { return true, true }
		check("the kernel's word", true)
		n.kernel = func() (bool, bool) { return false, true }
		check("the kernel's no outranks a file", false)
	})
}
