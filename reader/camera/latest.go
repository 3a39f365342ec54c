package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Frame is one picture out of [Latest].
type Frame struct {
	// Gray stays untouched until the next call of Next. Do not write to it.
	Gray *image.Gray
	// Seq counts the pictures delivered by the camera from 1; a gap is pictures that nobody took.
	Seq uint64
	// At is the moment the picture was complete.
	At time.Time
}

// Status is what a status strip or a technician wants to know.
type Status struct {
	// Live: the camera is delivering.
	Live bool
	// Reason says, while not Live, what is wrong and what to do.
	Reason string
	// Since is when Live or Reason last changed.
	Since time.Time
	// Size of the newest picture.
	Size image.Point
	// Frames delivered, Dropped (replaced by a newer one before anyone took them) and Bad
	// (short or broken); Dials counts attempts to open the camera.
	Frames, Dropped, Bad, Dials uint64
}

// LatestOptions configures [NewLatest].
type LatestOptions struct {
	// Name stands in log lines and String, e.g. "/dev/video0".
	Name string
	// Dial opens the source; normally it calls [Open]. It is called again after each loss.
	Dial func(ctx context.Context) (Source, error)
	// Now is the clock that stamps frames.
	Now func() time.Time
	// Log receives a line when the camera comes or goes.
	Log *slog.Logger
	// Stuck is how long a camera may deliver no good picture before it is dialled again; zero means 5 s.
	Stuck time.Duration
}

// Waits before dialling again.
const (
	firstWait      = 250 * time.Millisecond // doubles
	longestWait    = 2 * time.Second
	permissionWait = 10 * time.Second // someone must act, but udev may do it under our feet
	badFrameWait   = 10 * time.Millisecond
	partingWait    = 2 * time.Second // for a stuck source to let go before it is left behind
)

// proven is how many pictures a camera delivers at least before it is lost; one
// that delivered fewer is believed again when it has delivered as many in a row.
// Some have one old picture to give each time they are opened, and no other: the
// door would seem to see.
const proven = 8

// Latest is a task that owns a camera: it dials, dials again after a loss, and
// keeps only the newest picture. Three buffers go round (one being filled, the
// newest complete one, the one handed out), so that no frame waits behind
// another and none is allocated.
type Latest struct {
	o     LatestOptions
	ready chan struct{}
	once  sync.Once
	wake  chan struct{} // a newer frame is there
	done  chan struct{} // Run has returned

	mu      sync.Mutex
	filling *slot // belongs to the grabbing goroutine of generation gen
	newest  *slot
	handed  *slot
	fresh   bool // newest has not been handed out
	gen     uint64
	good    uint64 // good frames and dials: the progress that the watch looks for
	status  Status
	end     error
	wish    Adjustment
}

type slot struct {
	gray image.Gray
	seq  uint64
	at   time.Time
}

// NewLatest makes the task; Run starts it.
func NewLatest(o LatestOptions) *Latest {
	if o.Stuck <= 0 {
		o.Stuck = 5 * time.Second
	}
	return &Latest{
		o:     o,
		ready: make(chan struct{}),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),

		filling: new(slot), newest: new(slot), handed: new(slot),
		status: Status{Reason: "the camera is starting", Since: o.Now()},
	}
}

// Ready is closed once the camera's state is known: it delivered a picture, or
// the first attempt failed. A missing camera does not hold up the kiosk, which
// must be able to say so.
func (l *Latest) Ready() <-chan struct{} { return l.ready }

func (l *Latest) String() string { return "camera " + l.o.Name }

// Status returns the camera's state at the moment.
func (l *Latest) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Adjust wishes something of the camera: the newest wish counts, is carried out
// after the frame that is coming in, and again after the camera was dialled
// anew. It never waits; a camera that is no [Adjuster] stays as it is.
func (l *Latest) Adjust(a Adjustment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wish = a
}

// Next waits for a frame newer than the last one it returned. It is called by
// one goroutine. Errors: ctx.Err(); io.EOF after the last frame of a finite
// source. A lost camera is not an error: it
// may come back, and Status tells meanwhile.
func (l *Latest) Next(ctx context.Context) (Frame, error) {
	for {
		l.mu.Lock()
		if l.fresh {
			l.fresh = false
			l.newest, l.handed = l.handed, l.newest
			f := Frame{Gray: &l.handed.gray, Seq: l.handed.seq, At: l.handed.at}
			l.mu.Unlock()
			return f, nil
		}
		end := l.end
		l.mu.Unlock()
		if end != nil {
			return Frame{}, end
		}
		select {
		case <-l.wake:
		case <-l.done:
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		}
	}
}

// Run owns the camera until ctx ends or a finite source is finished, and returns
// nil then. What fails is tried again: a door with a wrong camera must be able
// to say so. Call it once.
func (l *Latest) Run(ctx context.Context) (err error) {
	defer close(l.done)
	wait := firstWait
	doubt := 0 // pictures that are not believed at the next session's beginning
	for {
		before := l.Status().Frames
		err := l.session(ctx, doubt)
		switch {
		case ctx.Err() != nil:
			l.finish(ctx.Err(), "the camera is switched off")
			return nil
		case errors.Is(err, io.EOF):
			l.finish(io.EOF, "the source has ended")
			return nil
		}
		if n := l.Status().Frames - before; n > 0 {
			wait, doubt = firstWait, 0 // it worked: a loose plug deserves a quick retry
			if n < proven {
				doubt = proven
			}
		}
		l.lose(err)
		pause := wait
		if errors.Is(err, ErrPermission) || errors.Is(err, ErrUnsupported) {
			// A technician has to act: another camera, a missing program, a
			// group. The door says so meanwhile, and works when it is done.
			pause = permissionWait
		} else {
			wait = min(2*wait, longestWait)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// session dials and grabs until something fails, and watches that it goes on.
func (l *Latest) session(ctx context.Context, doubt int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.status.Dials++
	gen, buf, seen := l.gen, l.filling, l.good
	l.mu.Unlock()
	over := make(chan error, 1)
	go func() { over <- l.grab(ctx, gen, buf, doubt) }()

	watch := time.NewTicker(l.o.Stuck)
	defer watch.Stop()
	for {
		select {
		case err := <-over:
			return err
		case <-ctx.Done():
			return l.part(cancel, over, ctx.Err())
		case <-watch.C:
			l.mu.Lock()
			stuck := l.good == seen
			seen = l.good
			l.mu.Unlock()
			if stuck {
				return l.part(cancel, over, fmt.Errorf("no picture for %v, dialling again: %w", l.o.Stuck, ErrUnavailable))
			}
		}
	}
}

// part ends a session for a reason of ours. A source that does not let go is
// left behind together with the buffer it may still write to.
func (l *Latest) part(cancel context.CancelFunc, over <-chan error, reason error) error {
	cancel()
	select {
	case <-over:
	case <-time.After(partingWait):
		l.mu.Lock()
		l.gen++
		l.filling = new(slot)
		l.mu.Unlock()
	}
	return reason
}

// grab publishes what the camera delivers, but for its first doubt good pictures
// in a row.
func (l *Latest) grab(ctx context.Context, gen uint64, buf *slot, doubt int) error {
	src, err := l.o.Dial(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	adjuster, _ := src.(Adjuster)
	var done Adjustment // as the source was opened
	for left := doubt; ; {
		err := src.Grab(ctx, &buf.gray)
		switch {
		case err == nil && left > 1:
			left--
			l.mu.Lock()
			l.good++ // a slow camera needs a while for them
			l.mu.Unlock()
		case err == nil:
			left = 0
			if buf = l.publish(gen, buf); buf == nil {
				return nil // left behind; nobody listens any more
			}
			if adjuster != nil {
				done = l.adjust(adjuster, done)
			}
		case errors.Is(err, ErrBadFrame):
			if left > 0 {
				left = doubt
			}
			l.mu.Lock()
			l.status.Bad++
			l.mu.Unlock()
			select { // a source that only fails must not spin
			case <-time.After(badFrameWait):
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			return err
		}
	}
}

// adjust carries out a wish that is not done, and returns what is now.
func (l *Latest) adjust(src Adjuster, done Adjustment) Adjustment {
	l.mu.Lock()
	wish := l.wish
	l.mu.Unlock()
	if wish == done {
		return done
	}
	if err := src.Adjust(wish); err != nil {
		// It delivers all the same; the next wish is a new attempt.
		l.o.Log.Debug("the camera refused a setting", "camera", l.o.Name, "err", err)
	}
	return wish
}

// publish makes buf the newest frame and returns the buffer to fill next, or
// nil if this generation was left behind.
func (l *Latest) publish(gen uint64, buf *slot) *slot {
	now := l.o.Now()
	l.mu.Lock()
	if gen != l.gen {
		l.mu.Unlock()
		return nil
	}
	l.good++
	l.status.Frames++
	if l.fresh {
		l.status.Dropped++
	}
	buf.seq, buf.at = l.status.Frames, now
	l.filling, l.newest, l.fresh = l.newest, buf, true
	next := l.filling
	l.status.Size = buf.gray.Rect.Size()
	came := !l.status.Live
	if came {
		l.status.Live, l.status.Reason, l.status.Since = true, "", now
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	if came {
		l.o.Log.Info("camera delivers", "camera", l.o.Name)
		l.once.Do(func() { close(l.ready) })
	}
	return next
}

// lose records why there is no picture; a reason that stays is logged once.
func (l *Latest) lose(err error) {
	reason, now := err.Error(), l.o.Now()
	l.mu.Lock()
	changed := l.status.Live || l.status.Reason != reason
	if changed {
		l.status.Live, l.status.Reason, l.status.Since = false, reason, now
	}
	l.mu.Unlock()
	if changed {
		l.o.Log.Warn("camera lost", "camera", l.o.Name, "err", err)
	}
	l.once.Do(func() { close(l.ready) })
}

func (l *Latest) finish(err error, reason string) {
	now := l.o.Now()
	l.mu.Lock()
	l.end = err
	l.status.Live, l.status.Reason, l.status.Since = false, reason, now
	l.mu.Unlock()
	l.once.Do(func() { close(l.ready) })
}
