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
	"crypto/sha256"
	"errors"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink/journal"
)

// Frames are the camera's pictures, the newest only.
type Frames interface {
	// Next waits for a frame newer than the last one; its picture stays
	// untouched until the following Next.
	Next(context.Context) (camera.Frame, error)
}

// Decoder finds the codes in a picture.
type Decoder interface {
	Decode(*image.Gray) ([]qr.Symbol, error)
}

// Findings say what the picture decoded last suffers from.
type Findings interface{ Finding() qr.Finding }

// Adjuster is a camera that takes wishes; it never blocks.
type Adjuster interface{ Adjust(camera.Adjustment) }

// Trust is where the newest verified bundle is, nil before the first.
type Trust interface{ Bundle() *pass.Bundle }

// Journal keeps used marks and visits; a nil error means durable.
type Journal interface {
	Admit(*pass.Pass, time.Time) (journal.Admission, error)
	Announced(journal.Admission, time.Time) error
}

// Voice says prompts, the newest first. started and done, which may be nil, are
// called from another goroutine, done exactly once.
type Voice interface {
	SayTimed(p audio.Prompt, started func(), done func(audio.Outcome))
}

// Screen shows states; it never blocks.
type Screen interface{ Show(display.State) }

// Lamps signal; they never block.
type Lamps interface{ Signal(display.Signal) }

// Clock judges the device's clock.
type Clock interface {
	State(now time.Time) pass.Clock
	// Hint is told of each pass with a good signature by how much it was made
	// later than now, 0 for one that was not.
	Hint(by time.Duration)
}

// Stage is how far an Event has come.
type Stage uint8

const (
	Decided Stage = iota + 1 // the verdict is known and, where accepted, on disk
	Started                  // the first samples of the prompt were handed to the sound device
	Ended                    // the prompt was heard, cut by a newer one, or there is no sound
)

// Event tells an observer what a visitor is told. It names nobody.
type Event struct {
	Stage   Stage
	Verdict Verdict
	Seq     uint64    // the visit's number, 0 for none
	Again   bool      // admitted before a crash, announced now
	Frame   time.Time // when the picture was complete
	Decoded time.Time // when its symbols were read
	At      time.Time // when the stage was reached
	Outcome audio.Outcome
}

// Config is what the owner decides.
type Config struct {
	Skew        time.Duration // tolerance towards the phone's clock
	AdmitUnsure bool          // admit and flag while nobody vouches for the clock
	Staff       bool          // show the staff's field: vaccination
}

// Parts are the devices and stores the loop runs on.
type Parts struct {
	Frames  Frames
	Decoder Decoder
	Trust   Trust
	Journal Journal
	Voice   Voice
	Screen  Screen
	Lamps   Lamps
	Clock   Clock
	// Facility says the kind of facility, which chooses the policy in the bundle.
	Facility func() string
	// Enrol, if not nil, takes the enrolment codes shown to a fresh device.
	Enrol Enroller
	// Findings and Adjuster, if neither is nil, let what the reader sees choose
	// the camera's exposure and focus.
	Findings Findings
	Adjuster Adjuster
	// Status makes the screen's status strip, once a second.
	Status func() display.Status
	// Observe, if not nil, is told every event. It must not block.
	Observe func(Event)
	Now     func() time.Time
	Log     *slog.Logger
}

// Kiosk is the loop. It is a Task.
type Kiosk struct {
	cfg   Config
	parts Parts
	face  *face
	enrol *enrolling
	codes presentations
	// control belongs to the scanning goroutine.
	control control
	ready   chan struct{}
	said    chan said
	told    told
	// undisturbed is until when nobody's refusal takes the screen from the
	// visitor admitted last.
	undisturbed time.Time
	start       time.Time    // carries its monotonic part, which no set clock moves
	busy        atomic.Int64 // since when a frame is worked on, ns after start, 0 while waiting for one
	count       atomic.Uint64
}

const (
	// rejudge is how often a code that may become good while it is held is
	// looked at again.
	rejudge = 500 * time.Millisecond
	// patience is how long a visit may take to reach the disk before the
	// visitor is asked to wait.
	patience = 800 * time.Millisecond
)

// said is an admission whose prompt has ended.
type said struct {
	admission journal.Admission
	at        time.Time
}

// told are the admissions whose announcement is under way: a pass that comes
// again meanwhile, perhaps with its attestation taken off, is the same
// presentation and not one that a crash left unannounced.
type told struct {
	mu  sync.Mutex
	now map[journal.Admission]bool
}

// begin is false where the announcement is under way already.
func (t *told) begin(a journal.Admission) bool {
	a.Again = false
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[a] {
		return false
	}
	if t.now == nil {
		t.now = map[journal.Admission]bool{}
	}
	t.now[a] = true
	return true
}

// any says whether an admitted visitor is being told so at this moment.
func (t *told) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.now) > 0
}

func (t *told) end(a journal.Admission) {
	a.Again = false
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.now, a)
}

// New makes a kiosk; Run starts it.
func New(cfg Config, parts Parts) *Kiosk {
	if parts.Observe == nil {
		parts.Observe = func(Event) {}
	}
	if parts.Status == nil {
		parts.Status = func() display.Status { return display.Status{} }
	}
	e := newEnrolling(parts.Enrol, parts.Now, parts.Log)
	return &Kiosk{
		cfg: cfg, parts: parts, enrol: e, face: newFace(parts.Screen, parts.Status, e.state),
		ready: make(chan struct{}), said: make(chan said, 64), start: time.Now(),
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
	if len(symbols) > 0 {
		decoded := k.parts.Now()
		for i := range symbols {
			k.symbol(ctx, symbols[i].Text, f.At, decoded)
		}
	}
	if k.parts.Findings != nil && k.parts.Adjuster != nil && err == nil {
		if wish, changed := k.control.see(k.parts.Findings.Finding(), f.At); changed {
			k.parts.Adjuster.Adjust(wish)
		}
	}
	k.face.see(f.Gray, f.At)
}

// symbol answers one code, unless it has been answered.
func (k *Kiosk) symbol(ctx context.Context, text string, at, decoded time.Time) {
	if wire.IsCode(text) {
		k.enrol.see(text, at)
		return
	}
	digest := sha256.Sum256([]byte(text))
	known := k.codes.find(digest, at)
	if known != nil && (answers[known.verdict].final || at.Sub(known.judged) < rejudge) {
		k.still(known, at)
		return
	}
	k.parts.Log.Debug("a code is being judged")
	r := k.judge(text, at)
	if known != nil && known.verdict == r.verdict {
		known.judged = at
		k.still(known, at)
		return
	}
	if !r.verdict.good() && (k.told.any() || at.Before(k.undisturbed)) {
		// Whoever has just been admitted must hear and see it: a poster behind
		// them, or the next phone's old code, can wait for its answer.
		return
	}
	k.codes.put(digest, r.verdict, at)
	if r.same {
		return // the same presentation
	}
	k.tell(ctx, r, at, decoded)
}

func (k *Kiosk) still(p *presentation, at time.Time) {
	p.seen = at
	k.face.still(answers[p.verdict], at)
}

// ruling is a verdict with what is needed to tell it.
type ruling struct {
	verdict   Verdict
	same      bool // the answer to it is being given, or was heard less than Same ago
	admission journal.Admission
	seconds   int
	staff     *display.Staff
	err       error // why a good pass could not be kept
}

// judge verifies a text and, if it is a good pass, keeps the visit.
func (k *Kiosk) judge(text string, at time.Time) ruling {
	p, err := k.verify(text, at)
	if err != nil {
		r := ruling{verdict: of(pass.ReasonOf(err))}
		var e *pass.Error
		if errors.As(err, &e) && e.Reason == pass.ReasonNotYetValid {
			r.seconds = int((e.By + time.Second - 1) / time.Second)
			k.parts.Clock.Hint(e.By)
		}
		return r
	}
	k.parts.Clock.Hint(0)
	admission, err := k.admit(p, at)
	var used *journal.UsedError
	switch {
	case errors.As(err, &used):
		if since := at.Sub(used.At); since < Same {
			return ruling{verdict: verdictOf(p), same: true}
		}
		return ruling{verdict: Used}
	case err != nil:
		return ruling{verdict: OutOfOrder, err: err}
	}
	r := ruling{verdict: verdictOf(p), same: !k.told.begin(admission), admission: admission}
	if h := p.Health(); h != nil && k.cfg.Staff {
		r.staff = &display.Staff{Complete: h.Complete, TwoWeeksOn: h.Settled(at), Doses: len(h.Doses)}
	}
	return r
}

// admit keeps the visit, and asks the visitor for patience where the disk is slow.
func (k *Kiosk) admit(p *pass.Pass, at time.Time) (journal.Admission, error) {
	var (
		mu   sync.Mutex
		done bool
	)
	slow := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			k.face.verdict(pleaseWait, 0, nil, k.parts.Now())
			k.parts.Voice.SayTimed(pleaseWait.prompt, nil, nil)
		}
	})
	defer slow.Stop()
	a, err := k.parts.Journal.Admit(p, at)
	mu.Lock()
	defer mu.Unlock()
	done = true
	return a, err
}

func verdictOf(p *pass.Pass) Verdict {
	if p.Mode() == pass.ModeVerifyOnly {
		return Verified
	}
	return Accepted
}

func (k *Kiosk) verify(text string, at time.Time) (*pass.Pass, error) {
	u, err := pass.Parse(text)
	if err != nil {
		return nil, err
	}
	return u.Verify(at, k.parts.Trust.Bundle(), pass.Conditions{
		Skew: k.cfg.Skew, Facility: k.parts.Facility(), Clock: k.parts.Clock.State(at), AdmitUnsure: k.cfg.AdmitUnsure,
	})
}

// tell gives the answer: only now, when the visit is on disk.
func (k *Kiosk) tell(ctx context.Context, r ruling, at, decoded time.Time) {
	a := answers[r.verdict]
	good := r.verdict.good()
	if r.err != nil {
		k.parts.Log.Error("a visit could not be kept, nothing was announced: check the disk", "err", r.err)
	}
	event := Event{Stage: Decided, Verdict: r.verdict, Seq: r.admission.Seq, Again: r.admission.Again, Frame: at, Decoded: decoded, At: k.parts.Now()}
	if a.signal != 0 {
		k.parts.Lamps.Signal(a.signal)
	}
	k.face.verdict(a, r.seconds, r.staff, event.At)
	if good {
		k.undisturbed = event.At.Add(a.hold)
	}
	k.parts.Observe(event) // first: without a loudspeaker the prompt ends at once
	k.parts.Voice.SayTimed(a.prompt, func() {
		e := event
		e.Stage, e.At = Started, k.parts.Now()
		k.parts.Observe(e)
	}, func(outcome audio.Outcome) {
		e := event
		e.Stage, e.At, e.Outcome = Ended, k.parts.Now(), outcome
		k.parts.Observe(e)
		if !good || ctx.Err() != nil {
			return // stopped in mid-sentence: a showing after the restart is answered anew
		}
		select {
		case k.said <- said{r.admission, e.At}:
		default: // it will be answered again if it is shown again
			k.told.end(r.admission)
			k.parts.Log.Warn("the journal is slow: an announcement was not noted", "seq", event.Seq)
		}
	})
	k.parts.Log.Info("a code was answered", "verdict", string(r.verdict), "seq", event.Seq, "again", event.Again, "ms", event.At.Sub(at).Milliseconds())
}

// announce notes in the journal what has been said. It runs beside the scan so
// that no frame waits for the disk.
func (k *Kiosk) announce(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-k.said:
			if err := k.parts.Journal.Announced(s.admission, s.at); err != nil {
				k.parts.Log.Error("an announcement could not be noted: check the disk", "seq", s.admission.Seq, "err", err)
			}
			k.told.end(s.admission)
		}
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
