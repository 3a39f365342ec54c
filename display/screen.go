package display

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"time"
)

// Panel is something a picture can be shown on.
type Panel interface {
	// Show copies the whole picture, which has the panel's Size, to the
	// device. The panel may not keep img. An error means that the panel
	// should be closed and, after a while, opened again.
	Show(img *image.RGBA) error
	Size() image.Point // pixels, as people see them (after rotation)
	Close() error
	String() string
}

// Speaking is a Panel that is also told the scene's words, before each Show.
type Speaking interface{ Words(text string) }

// Public is a Panel whose picture leaves the device: it gets neither the
// camera's picture nor the staff's field.
type Public interface{ Public() bool }

// Opener opens a panel; it is called again after a panel failed.
type Opener func() (Panel, error)

// liveEvery is how often the live picture is drawn anew. A change of scene is
// drawn at once.
const liveEvery = 66 * time.Millisecond

// Back-off between attempts to open a panel.
const firstRetry, lastRetry = time.Second, 30 * time.Second

// Screen draws the newest state on every panel. Each panel has a goroutine of
// its own: one that fails or hangs holds up none of the others.
type Screen struct {
	log     *slog.Logger
	workers []*worker
	ready   chan struct{}
}

// NewScreen makes a Screen for the panels that open returns.
func NewScreen(o Options, log *slog.Logger, open ...Opener) (*Screen, error) {
	s := &Screen{log: log, ready: make(chan struct{})}
	for _, op := range open {
		p, err := NewPainter(o)
		if err != nil {
			return nil, err
		}
		s.workers = append(s.workers, &worker{
			open: op, painter: p, log: log,
			shown: State{Scene: Wait}, wake: make(chan struct{}, 1), tried: make(chan struct{}),
		})
	}
	return s, nil
}

// Show draws st as soon as each panel can; a newer state replaces one that is
// not yet drawn. It never blocks. The camera's picture and the staff's field
// are copied: the caller may reuse them.
func (s *Screen) Show(st State) {
	for _, w := range s.workers {
		w.show(st)
	}
}

// State is one line a panel: its name, or what is wrong with it.
func (s *Screen) State() []PanelState {
	var out []PanelState
	for _, w := range s.workers {
		w.mu.Lock()
		out = append(out, w.state)
		w.mu.Unlock()
	}
	return out
}

// PanelState is how a panel is.
type PanelState struct {
	Name string // empty before it was first opened
	Err  error  // nil: it shows what it is told
}

// Run shows until ctx ends and closes the panels. It returns nil then.
func (s *Screen) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, w := range s.workers {
		all.Go(func() { w.run(ctx) })
	}
	for _, w := range s.workers {
		select {
		case <-w.tried:
		case <-ctx.Done():
		}
	}
	close(s.ready)
	all.Wait()
	return nil
}

// Ready is closed once every panel was tried.
func (s *Screen) Ready() <-chan struct{} { return s.ready }

func (s *Screen) String() string { return "screen" }

// worker is one panel and what it is to show.
type worker struct {
	open    Opener
	painter *Painter
	log     *slog.Logger
	wake    chan struct{} // capacity 1: something new, or nothing
	tried   chan struct{}
	once    sync.Once

	mu     sync.Mutex
	next   *State // newest state not yet drawn; nil: none
	store  [2]slot
	filled int  // the slot that next uses
	public bool // leave out what must stay inside
	state  PanelState

	shown State // being drawn; run's goroutine only
}

// slot holds a state's own copy of what the caller may reuse.
type slot struct {
	state  State
	camera image.Gray
	staff  Staff
}

func (w *worker) show(st State) {
	w.mu.Lock()
	slot := &w.store[w.filled]
	slot.state = st
	switch {
	case w.public:
		slot.state.Camera, slot.state.Staff = nil, nil
	default:
		if c := st.Camera; c != nil && st.Scene.Live() {
			slot.camera.Pix = append(slot.camera.Pix[:0], c.Pix...)
			slot.camera.Stride, slot.camera.Rect = c.Stride, c.Rect
			slot.state.Camera = &slot.camera
		}
		if st.Staff != nil {
			slot.staff = *st.Staff
			slot.state.Staff = &slot.staff
		}
	}
	w.next = &slot.state
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take moves the newest state into shown and gives its slot's twin to show.
func (w *worker) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == nil {
		return false
	}
	w.shown, w.next = *w.next, nil
	if w.public { // it may have been stored before the panel was known
		w.shown.Camera, w.shown.Staff = nil, nil
	}
	w.filled = 1 - w.filled
	return true
}

// newScene tells whether a scene other than the shown one waits.
func (w *worker) newScene() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next != nil && w.next.Scene != w.shown.Scene
}

func (w *worker) set(p Panel, err error) {
	w.mu.Lock()
	if p != nil {
		w.state.Name = p.String()
		pub, ok := p.(Public)
		w.public = ok && pub.Public()
	}
	changed := fmt.Sprint(w.state.Err) != fmt.Sprint(err)
	w.state.Err = err
	name := w.state.Name
	w.mu.Unlock()
	if changed && err != nil {
		w.log.Warn("a panel does not show", "panel", name, "err", err)
	}
}

func (w *worker) run(ctx context.Context) {
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		panel, err := w.open()
		w.set(panel, err)
		w.once.Do(func() { close(w.tried) })
		if err == nil {
			began := time.Now()
			err = w.feed(ctx, panel)
			panel.Close()
			if ctx.Err() != nil {
				return
			}
			w.set(nil, err)
			if time.Since(began) > lastRetry {
				wait = firstRetry // it worked for a good while
			}
		}
		sleep(ctx, wait)
	}
}

// feed draws until the panel fails or ctx ends.
func (w *worker) feed(ctx context.Context, panel Panel) error {
	img := image.NewRGBA(image.Rectangle{Max: panel.Size()})
	speaking, _ := panel.(Speaking)
	spoken := ""
	w.take()
	for {
		w.painter.Draw(img, w.shown)
		if speaking != nil {
			if words := w.painter.Words(w.shown); words != spoken {
				spoken = words
				speaking.Words(words)
			}
		}
		if err := panel.Show(img); err != nil {
			return err
		}
		pause := time.NewTimer(liveEvery)
		for due := false; !due || !w.take(); {
			select {
			case <-ctx.Done():
				pause.Stop()
				// What a stopped kiosk leaves behind must not be a face, a health
				// record or an invitation to queue.
				w.painter.Draw(img, State{Scene: OutOfOrder})
				if speaking != nil {
					speaking.Words(w.painter.Words(State{Scene: OutOfOrder}))
				}
				return errors.Join(ctx.Err(), panel.Show(img))
			case <-pause.C:
				due = true
			case <-w.wake:
				due = due || w.newScene()
			}
		}
		pause.Stop()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
