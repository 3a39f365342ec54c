// Package kiosk is the one loop of the device: frame → symbol → verify →
// admit → say, show, signal. It says nothing before the visit is on disk, and
// one bad frame, code or device blocks nothing that follows (DESIGN, laws 1,
// 4 and 10).
//
// The parts stand behind small interfaces declared here; cmd/kiosk and
// cmd/demo tie the real ones in.
package kiosk

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
)

// Kiosk is the loop. It is a Task.
type Kiosk struct {
	cfg   Config
	parts Parts
	face  *face
	enrol *enrolling
	codes presentations
	// control and coach belong to the scanning goroutine.
	control control
	coach   coach
	speech  speech
	noticed atomic.Int64 // when a code was last found, ns after start
	ready   chan struct{}
	said    chan said
	told    told
	start   time.Time // carries its monotonic part, which no set clock moves
	aiming  aiming
	busy    atomic.Int64 // since when a frame is worked on, ns after start, 0 while waiting for one
	count   atomic.Uint64
}

// New makes a kiosk; Run starts it.
func New(cfg Config, parts Parts) *Kiosk {
	if parts.Observe == nil {
		parts.Observe = func(Event) {}
	}
	if parts.Muted == nil {
		parts.Muted = func() bool { return false }
	}
	if parts.Status == nil {
		parts.Status = func() display.Status { return display.Status{} }
	}
	e := newEnrolling(parts.Enrol, parts.Now, parts.Log)
	return &Kiosk{
		cfg: cfg, parts: parts, enrol: e, face: newFace(parts.Screen, parts.Status),
		speech: speech{voice: parts.Voice}, ready: make(chan struct{}), said: make(chan said, 64), start: time.Now(),
	}
}

func (k *Kiosk) String() string { return "kiosk" }

// Ready is closed when the loop runs.
func (k *Kiosk) Ready() <-chan struct{} { return k.ready }

// Frames counts the frames worked on since the start.
func (k *Kiosk) Frames() uint64 { return k.count.Load() }

// Stuck is how long the loop has been at one frame, 0 while it waits for the
// next: what a watchdog goes by. It is measured by the monotonic clock: Now may
// be the registry's time, far from the system's, and either may be set.
func (k *Kiosk) Stuck() time.Duration {
	if since := k.busy.Load(); since != 0 {
		return max(time.Since(k.start)-time.Duration(since), 0)
	}
	return 0
}

// Run reads codes until ctx ends or the camera is over (camera.Source's
// io.EOF), which it returns.
func (k *Kiosk) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return k.scan(ctx) })
	g.Go(func() error { return k.announce(ctx) })
	g.Go(func() error { return k.tick(ctx) })
	g.Go(func() error { return k.attend(ctx) })
	g.Go(func() error { return k.enrol.run(ctx) })
	close(k.ready)
	return g.Wait()
}

func (k *Kiosk) scan(ctx context.Context) error {
	for {
		frame, err := k.parts.Frames.Next(ctx)
		if err != nil {
			return err
		}
		k.busy.Store(max(int64(time.Since(k.start)), 1))
		k.frame(ctx, frame)
		k.busy.Store(0)
		k.count.Add(1)
	}
}

// frame does everything that one picture asks for.
func (k *Kiosk) frame(ctx context.Context, f camera.Frame) {
	symbols, err := k.parts.Decoder.Decode(f.Gray)
	if err != nil {
		k.parts.Log.Warn("a picture could not be searched for codes, the next one will be", "err", err)
	}
	var finding qr.Finding
	if k.parts.Findings != nil && err == nil {
		finding = k.parts.Findings.Finding()
		if k.parts.Adjuster != nil {
			if wish, changed := k.control.see(finding, f.At); changed {
				k.parts.Adjuster.Adjust(wish)
			}
		}
	}
	if k.aiming.on(time.Since(k.start)) {
		k.face.see(f.Gray, f.At, display.State{Scene: display.Aiming})
		if k.parts.Aimed != nil {
			k.parts.Aimed(f.Gray, finding)
		}
		return
	}
	if len(symbols) > 0 {
		decoded := k.parts.Now()
		for i := range symbols {
			k.symbol(ctx, symbols[i].Text, f.At, decoded)
		}
	}
	base := k.enrol.state(f.At)
	if base.Scene == display.Idle && k.parts.Findings != nil {
		k.guide(&base, finding, f.At)
	}
	k.face.see(f.Gray, f.At, base)
}

// guide helps a visitor whose code is not read yet, by screen and ear.
func (k *Kiosk) guide(s *display.State, f qr.Finding, at time.Time) {
	a := k.coach.see(f, at, k.speech.busy() || k.face.shut())
	if a.seen {
		s.Scene = display.Seen
	}
	if f.Located {
		k.noticed.Store(int64(time.Since(k.start)))
	}
	s.Hint, s.Located, s.X, s.Y = a.hint, a.seen && f.Located, f.X, f.Y
	switch {
	case a.say:
		k.speech.say(hints[a.hint], nil, nil)
	case a.tone && k.cfg.AimTone && !k.speech.busy() && !k.face.shut():
		k.parts.Voice.Aim(a.near)
	}
}

func (k *Kiosk) tick(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	k.face.tick(k.parts.Now())
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			k.face.tick(k.parts.Now())
		}
	}
}
