package device

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/journal"
)

// TestBatteryClockDestroysNothing: one that is months ahead is neither
// remembered nor a reason to empty the queue; what NTP has set is both.
func TestBatteryClockDestroysNothing(t *testing.T) {
	for name, ntp := range map[string]bool{"battery": false, "ntp": true} {
		t.Run(name, func(t *testing.T) {
			j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { j.Close() })
			ahead := t0.Add(60 * day)
			d := &Device{Journal: j, Clock: clock.New(func() bool { return ntp }, true), now: func() time.Time { return ahead }, log: slog.New(slog.DiscardHandler)}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := d.keep(ctx); err != nil {
				t.Fatal(err)
			}
			s, err := j.Stats()
			if err != nil || s.Clock.Equal(ahead) != ntp {
				t.Errorf("pruned by %v, %v", s.Clock, err)
			}
		})
	}
}
