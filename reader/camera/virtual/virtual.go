// Package virtual is a camera that needs no hardware: it renders a phone whose
// screen shows a QR code, held by a moving hand before a dim room.
//
// A [Phone] is a camera source: it delivers luma pictures at a steady rate, and
// [Phone.Present] and [Phone.Leave] bring the phone before the lens and take it
// away, as a visitor does. Underneath, [Scene.Render] is a pure function from a
// [Screen], a [Pose] and a frame number to a picture, for tests and benches
// that want one exact view.
//
// The same Options and the same calls in the same order give identical frames
// on one architecture (another may round the last bit of a float differently).
package virtual

import (
	"context"
	"errors"
	"image"
	"math"
	"sync"
	"time"

	"rsc.io/qr"
)

// Options describes a Phone. The zero value is usable.
type Options struct {
	Seed uint64
	// Size of the frames in pixels; zero means 1280×720.
	Size image.Point
	// FPS in frames per second; zero means 30.
	FPS int
	// Unpaced delivers each frame at once instead of waiting for its time.
	Unpaced bool
	// Look says how hard the picture is to read; the zero value means [DefaultLook].
	Look Look
}

// Phone is the virtual phone, a camera.Source. Present, Leave, Away and Close
// may be called from any goroutine; Grab from one.
type Phone struct {
	scene   *Scene
	fps     int
	unpaced bool

	mu      sync.Mutex
	screen  *Screen // nil: nobody ever came
	holding bool    // coming or there, not leaving
	near    float64 // 0 out of sight … 1 held before the lens

	frame uint64
	last  Pose // pose of the frame before, for the motion blur

	ticker *time.Ticker
	closed chan struct{}
	close  sync.Once
}

// New makes a phone that is out of sight. It prepares the room, the hand and
// the noise, about 0.1 s of work on a small machine.
func New(o Options) *Phone {
	if o.FPS <= 0 {
		o.FPS = 30
	}
	return &Phone{
		scene:   NewScene(o.Seed, o.Size, o.Look),
		fps:     o.FPS,
		unpaced: o.Unpaced,
		closed:  make(chan struct{}),
	}
}

// Present shows code on the phone and brings it before the camera; when it is
// there already, only the screen changes, as at a renewal.
func (p *Phone) Present(code *qr.Code) {
	s := p.scene.NewScreen(code) // outside the lock: it takes milliseconds
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen, p.holding = s, true
}

// Leave takes the phone away; it is out of sight after [Look].Travel.
func (p *Phone) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = false
}

// Away reports whether the phone is out of sight.
func (p *Phone) Away() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.holding && p.near == 0
}

// ErrClosed is Grab's error after Close.
var ErrClosed = errors.New("virtual phone is closed")

// Grab renders the next frame into dst, after waiting for its time unless the
// phone is unpaced. Frames that nobody waited for are not made up for.
func (p *Phone) Grab(ctx context.Context, dst *image.Gray) error {
	if !p.unpaced {
		if p.ticker == nil {
			p.ticker = time.NewTicker(time.Second / time.Duration(p.fps))
		}
		select {
		case <-p.ticker.C:
		case <-p.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-p.closed:
		return ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	screen, pose := p.step()
	p.scene.Render(dst, screen, pose, p.frame)
	p.frame++
	return nil
}

// Close ends a waiting Grab.
func (p *Phone) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

// step moves the hand on by one frame; screen is nil while the phone is out of sight.
func (p *Phone) step() (screen *Screen, pose Pose) {
	p.mu.Lock()
	d := 1.0
	if travel := p.scene.look.Travel.Seconds(); travel > 0 {
		d = 1 / (travel * float64(p.fps))
	}
	if p.holding {
		p.near = math.Min(1, p.near+d)
	} else {
		p.near = math.Max(0, p.near-d)
	}
	near := p.near
	if near > 0 {
		screen = p.screen
	}
	p.mu.Unlock()

	pose = p.scene.handPose(near, float64(p.frame)/float64(p.fps))
	if screen != nil && p.last != (Pose{}) {
		pose.Motion = [2]float64{
			(pose.X - p.last.X) * p.scene.look.Shutter,
			(pose.Y - p.last.Y) * p.scene.look.Shutter,
		}
	}
	p.last = pose
	p.last.Motion = [2]float64{}
	if screen == nil {
		p.last = Pose{}
	}
	return screen, pose
}
