package kiosk

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/qr"
)

// TestShutIsSilent: while the disk is bad nobody is asked to show a code, nor how
// to hold it; afterwards they are.
func TestShutIsSilent(t *testing.T) {
	var healed atomic.Bool
	status := func() display.Status {
		if healed.Load() {
			return display.Status{}
		}
		return display.Status{Disk: display.Bad}
	}
	config := Config{Skew: pass.Skew, AimTone: true}
	bubble(t, setting{config: config, status: status}, func(t *testing.T, r *rig) {
		r.press(lines.Arrived)
		r.hold(3 * time.Second)
		r.suffer(3*time.Second, qr.TooSmall)
		r.wantSaid()
		if got := r.screen.now(); got.Scene != display.OutOfOrder || got.Hint != display.NoHint {
			t.Errorf("the screen shows %q, %q", got.Scene, got.Hint)
		}
		if calls, _ := r.record(); slices.Contains(calls, "tone") {
			t.Error("the tone guides a hand whose code cannot be kept")
		}
		r.hold(gone) // nobody
		healed.Store(true)
		r.hold(2 * time.Second)
		r.suffer(2*time.Second, qr.TooSmall)
		r.wantSaid(audio.Closer)
		r.hold(gone)
		time.Sleep(rested)
		r.press(lines.Arrived)
		r.hold(3 * time.Second)
		r.wantSaid(audio.Closer, audio.Here)
	})
}

// TestNoHintAfterOutOfOrder: who has just been told that their visit could not be
// kept is not told how to hold the phone while that stands on the screen.
func TestNoHintAfterOutOfOrder(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.fault = errors.New("input/output error")
		r.show(r.pass(1, 0, nil))
		r.suffer(holdNext-500*time.Millisecond, qr.TooSmall)
		r.wantSaid(audio.OutOfOrder)
	})
}
