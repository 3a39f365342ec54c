package owner

import (
	"image"
	"slices"
	"sync"
	"testing"

	"github.com/munjigi/munjigi/reader/qr"
)

// TestAimTogether: however many begin and end aim mode at once, the page and the
// kiosk agree in the end, and no picture outlasts it.
func TestAimTogether(t *testing.T) {
	r := newRig(t)
	picture := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range picture.Pix {
		picture.Pix[i] = 200
	}
	for range 500 {
		var all sync.WaitGroup
		r.wait(aimEvery)
		r.s.beginAim()
		for _, one := range []func(){r.s.beginAim, r.s.endAim, r.s.endAim, func() { r.s.Aimed(picture, qr.Finding{}) }} {
			all.Go(one)
		}
		all.Wait()
		if kiosk, page := r.aims[len(r.aims)-1], r.s.aim.on.Load(); kiosk != page {
			t.Fatalf("aims: the kiosk %v, the page %v", kiosk, page)
		}
		r.s.endAim()
		if slices.Contains(r.s.aim.gray.Pix, 200) {
			t.Fatal("the last picture is kept")
		}
	}
}
