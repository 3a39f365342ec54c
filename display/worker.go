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

const (
	// liveEvery is how often a picture of the same scene is drawn at most: at the
	// pace of a camera, so that a frame is not older than one when it is seen. A
	// change of scene is drawn at once.
	liveEvery = time.Second / 30
	// beatEvery is the pace of a flashing scene: twice a second on, for a second
	// and a half (WCAG 2.3.1 allows three).
	beatEvery  = 250 * time.Millisecond
	flashBeats = 6
	// turnBeats is how long one of several languages stands: two seconds.
	turnBeats = 8
	// checkBeats is how often a panel is asked whether it is there.
	checkBeats = 4
)

// Back-off between attempts to open a panel: a screen that is plugged in again
// is to be there within seconds.
const firstRetry, lastRetry = time.Second, 4 * time.Second

// worker is one panel and what it is to show.
type worker struct {
	open    Opener
	painter *Painter
	log     *slog.Logger
	own     bool          // the panel's own word on its size counts
	plain   bool          // the staff's field has a panel of its own
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
	slot.state.Camera, slot.state.Staff, slot.staff = nil, nil, Staff{}
	if c := st.Camera; c != nil && st.Scene.Live() && !w.public && !w.painter.staffOnly {
		slot.camera.Pix = append(slot.camera.Pix[:0], c.Pix...)
		slot.camera.Stride, slot.camera.Rect = c.Stride, c.Rect
		slot.state.Camera = &slot.camera
	}
	if st.Staff != nil && !w.public && !w.plain {
		slot.staff = *st.Staff
		slot.state.Staff = &slot.staff
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
		if w.shown.Scene == OwnersPage { // its password
			w.shown.Scene, w.shown.Words = Enrolled, ""
		}
	}
	w.filled = 1 - w.filled
	w.store[w.filled].staff = Staff{} // looked at, never kept
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
		if errors.Is(err, ErrChanged) {
			wait = firstRetry / 10
		}
		sleep(ctx, wait)
	}
}

// feed draws until the panel fails or ctx ends.
func (w *worker) feed(ctx context.Context, panel Panel) error {
	if m, ok := panel.(Measured); ok && w.own {
		w.painter.resize(m.Diagonal())
	}
	w.mu.Lock()
	w.state.Size, w.state.Inches = panel.Size(), w.painter.inches
	w.mu.Unlock()
	img := image.NewRGBA(image.Rectangle{Max: panel.Size()})
	speaking, _ := panel.(Speaking)
	checked, _ := panel.(Checked)
	_, forgetful := panel.(Forgetful)
	whole := []image.Rectangle{img.Rect}
	spoken := ""
	show := func(st State) error {
		damage := w.painter.Update(img, st)
		if words := w.painter.Words(st); speaking != nil && words != spoken {
			spoken = words
			speaking.Words(words)
		}
		if len(damage) == 0 {
			return nil
		}
		return panel.Show(img, damage)
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	w.take()
	for beats := 0; ; {
		drawn := w.phase(beats)
		if err := show(drawn); err != nil {
			return err
		}
		pause.Reset(liveEvery)
		for due, again := false, false; !again; {
			select {
			case <-ctx.Done():
				// What a stopped kiosk leaves behind must not be a face, a health
				// record or an invitation to queue.
				return errors.Join(ctx.Err(), show(State{Scene: OutOfOrder}))
			case <-pause.C:
				due = true
			case <-w.wake:
				due = due || w.newScene()
			case <-beat.C:
				beats++
				if checked != nil && beats%checkBeats == 0 {
					if err := checked.Check(); err != nil {
						return err
					}
				}
				again = w.phase(beats) != drawn
				if forgetful && !again && beats%turnBeats == turnBeats/2 && !w.newScene() {
					if err := panel.Show(img, whole); err != nil {
						return err
					}
				}
			}
			if due && w.take() {
				if again = true; w.shown.Scene != drawn.Scene || w.shown.Hint != drawn.Hint {
					beats = 0
					beat.Reset(beatEvery)
				}
			}
		}
	}
}

// phase is the shown state as it is drawn after some beats of its scene.
func (w *worker) phase(beats int) State {
	st := w.shown
	st.Flash = st.Flash && !st.Scene.Live() && beats < flashBeats && beats%2 == 0
	st.Turn = beats / turnBeats % w.painter.Turns(st)
	return st
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
