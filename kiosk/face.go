package kiosk

import (
	"image"
	"sync"
	"time"

	"github.com/munjigi/munjigi/display"
)

const (
	// previewEvery limits the live picture of the idle scene to 15 a second:
	// smooth to the eye, half the work.
	previewEvery = time.Second / 16
	// blind is how long without a frame counts as a lost camera.
	blind = 5 * time.Second
)

// face decides what stands on the screen: the last verdict for as long as it
// holds, otherwise the idle scene with the live picture or, on a fresh device,
// how its enrolment stands.
type face struct {
	screen Screen
	status func() display.Status

	mu      sync.Mutex
	state   display.State
	until   time.Time // when the scene gives way to idle
	hold    time.Duration
	frame   time.Time // when the last frame came
	seen    bool      // a frame has come
	preview time.Time // when the live picture was last drawn
	theirs  time.Time // until when a push of the staff's button means their field
}

func newFace(screen Screen, status func() display.Status) *face {
	return &face{screen: screen, status: status, state: display.State{Scene: display.Wait}}
}

// verdict shows an answer, with what s says beside it, at once; at is now.
func (f *face) verdict(a answer, s display.State, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Scene, s.Status = a.scene, f.state.Status
	f.state = s
	f.hold, f.until = a.hold, at.Add(a.hold)
	if f.theirs = at; s.Staff != nil {
		f.theirs = at.Add(openFor)
	}
	f.screen.Show(f.state)
}

// still keeps the answer up while its code is held before the camera.
func (f *face) still(a answer, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until := at.Add(f.hold); f.state.Scene == a.scene && until.After(f.until) {
		f.until = until
	}
}

// see notes a frame and, when no answer holds the screen, shows base.
func (f *face) see(picture *image.Gray, at time.Time, base display.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frame, f.seen = at, true
	if at.Before(f.until) || at.Sub(f.preview) < previewEvery {
		return
	}
	f.preview = at
	status := f.state.Status
	if f.state = base; status.Disk == display.Bad {
		f.state = display.State{Scene: display.OutOfOrder} // nobody need try
	}
	f.state.Status = status
	if f.state.Scene.Live() {
		f.state.Camera = picture
	}
	f.screen.Show(f.state)
	f.state.Camera = nil // the frame's buffer is the camera's again after this
}

// drop ends the answer that holds the screen.
func (f *face) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Time{}
}

// tick refreshes the status strip, and the scene where no frame does it.
func (f *face) tick(now time.Time) {
	status := f.status()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Status = status
	if f.frame.IsZero() {
		f.frame = now // a camera that never comes is lost, too
	}
	switch {
	case now.Before(f.until):
	case now.Sub(f.frame) > blind:
		f.state = display.State{Scene: display.OutOfOrder, Status: status}
	case f.state.Staff != nil: // the camera stopped just now: nobody's record stays
		f.state = display.State{Scene: display.Wait, Status: status}
	case !f.seen:
		f.state = display.State{Scene: display.Wait, Status: status}
	default:
		return // the next frame carries it
	}
	f.screen.Show(f.state)
}
