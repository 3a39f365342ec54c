package display

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"sync"
)

// Panel is something a picture can be shown on.
type Panel interface {
	// Show copies the changed parts of the picture, which has the panel's Size, to
	// the device; the first Show after the panel was opened has all of it. The panel
	// keeps neither img nor changed. An error means that the panel should be closed
	// and, after a while, opened again; ErrChanged, that it should be at once.
	Show(img *image.RGBA, changed []image.Rectangle) error
	Size() image.Point // pixels, as people see them (after rotation)
	Close() error
	String() string
}

// ErrChanged is a panel's that is not what was opened: its screen was plugged in
// anew or has another mode.
var ErrChanged = errors.New("the screen has changed")

// Speaking is a Panel that is also told the scene's words, before each Show.
type Speaking interface{ Words(text string) }

// Public is a Panel whose picture leaves the device: it gets neither the
// camera's picture nor the staff's field.
type Public interface{ Public() bool }

// Measured is a Panel that knows its size in inches (its diagonal); 0: it does not.
type Measured interface{ Diagonal() float64 }

// Checked is a Panel that can tell whether it is still there. It is asked once a
// second, so that one that was unplugged is found while nothing changes on it.
type Checked interface{ Check() error }

// Forgetful is a Panel that may lose some of what it was shown, or on which others
// write, too. It is shown the whole picture again a second after each scene and
// every two seconds then.
type Forgetful interface{ Forgetful() }

// Opener opens a panel; it is called again after a panel failed.
type Opener func() (Panel, error)

// Screen draws the newest state on every panel. Each panel has a goroutine of
// its own: one that fails or hangs holds up none of the others.
type Screen struct {
	workers  []*worker
	warnings []error
	ready    chan struct{}
}

// NewScreen makes a Screen for the panels that open returns. A language that
// cannot be loaded is left out with a warning, for a door must not stay shut for a
// text: Korean takes the place of the last.
func NewScreen(o Options, log *slog.Logger, open ...Opener) (*Screen, error) {
	s := &Screen{ready: make(chan struct{})}
	if o.Langs == nil {
		o.Langs = []string{"ko", "en"}
	}
	var langs []*language
	for _, name := range o.Langs {
		l, err := loadLanguage(name, o.Texts)
		if err != nil {
			s.warnings = append(s.warnings, err)
			log.Warn("a language is left out", "language", name, "err", err)
			continue
		}
		langs = append(langs, l)
	}
	if len(langs) == 0 {
		l, err := loadLanguage("ko", "")
		if err != nil {
			return nil, err
		}
		langs = append(langs, l)
	}
	add := func(op Opener, staff bool) {
		p := newPainter(langs, o.Diagonal)
		p.staffOnly = staff
		if staff {
			p.inches = 0 // the configured one is the visitors' screen's
		}
		s.workers = append(s.workers, &worker{
			open: op, painter: p, log: log, own: o.Diagonal == 0 || staff, plain: !staff && len(o.Staff) > 0,
			shown: State{Scene: Wait}, wake: make(chan struct{}, 1), tried: make(chan struct{}),
		})
	}
	for _, op := range open {
		add(op, false)
	}
	for _, op := range o.Staff {
		add(op, true)
	}
	return s, nil
}

// Warnings are the languages that were left out, each with what to do.
func (s *Screen) Warnings() []error { return s.warnings }

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
	Name   string      // empty before it was first opened
	Err    error       // nil: it shows what it is told
	Size   image.Point // pixels
	Inches float64     // the diagonal that its letters follow from; 0 if nobody knows it
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
