package kiosk

import (
	"image"
	"testing"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/qr"
)

// TestAim holds that aim mode admits nobody, hands out the pictures, and ends
// by itself.
func TestAim(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		pictures := 0
		r.k.parts.Aimed = func(*image.Gray, qr.Finding) { pictures++ }
		text := r.pass(1, 0, nil)
		r.show("MJ1 NOT A PASS")
		r.k.Aim(true)
		time.Sleep(100 * time.Millisecond)
		r.hold(time.Second, text)
		r.wantSaid(audio.Unreadable)
		r.wantVisits(0)
		if got := r.screen.now().Scene; got != display.Aiming || !r.k.Aiming() {
			t.Errorf("in aim mode the screen shows %q", got)
		}
		if pictures != 20 {
			t.Errorf("%d pictures were handed out, want 20", pictures)
		}
		r.k.Aim(false)
		r.show(text)
		r.wantSaid(audio.Unreadable, audio.Accepted)
		r.wantVisits(1)

		time.Sleep(4 * time.Second)
		r.k.Aim(true)
		r.show(r.pass(2, 0, nil))
		time.Sleep(aimFor)
		r.show(r.pass(3, 0, nil))
		r.wantVisits(2)
		if pictures != 21 || r.k.Aiming() {
			t.Errorf("aim mode goes on after %v: %d pictures", aimFor, pictures)
		}
	})
}
