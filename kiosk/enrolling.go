package kiosk

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// Enroller makes a fresh device a kiosk. Look and Accept take as long as the
// network does.
type Enroller interface {
	Fresh() bool
	Look(ctx context.Context, code string) (*enrol.Offer, error)
	Accept(context.Context, *enrol.Offer) error
	// Welcome is where the owner's page is and the password that opens it, for
	// whoever has just enrolled the device; empty once they have had their time.
	Welcome() (address, password string)
}

const (
	// away is how long a code must be out of sight to have been taken away: a
	// held one is not found in every frame.
	away = 1500 * time.Millisecond
	// confirmWithin is how long after it was taken away the code may be shown
	// once more, which is the technician's yes.
	confirmWithin = time.Minute
	// holdEnrolled and holdFailed are how long the end of it stands on the screen.
	holdEnrolled = 6 * time.Second
	holdFailed   = 15 * time.Second
	askWithin    = time.Minute
)

type phase uint8

const (
	waits    phase = iota // for a code
	asks                  // the registry is being asked
	confirms              // the technician is being asked
	joins                 // the registry is being asked for the certificate
	joined
	failed
)

// enrolling is what a fresh kiosk does with enrolment codes before its camera:
// the first showing asks the registry, and its name and words stand on the
// screen; taken away and shown once more, the code is followed.
type enrolling struct {
	enroller Enroller // nil: this device is enrolled by other means
	now      func() time.Time
	log      *slog.Logger
	work     chan func(context.Context) // capacity 1

	mu    sync.Mutex
	phase phase
	since time.Time // of the phase
	code  string
	seen  time.Time // when the code was last before the camera
	offer *enrol.Offer
	scene display.Scene // while failed
}

func newEnrolling(e Enroller, now func() time.Time, log *slog.Logger) *enrolling {
	return &enrolling{enroller: e, now: now, log: log, work: make(chan func(context.Context), 1)}
}

// fresh says whether the device waits to be enrolled, or has just been.
func (e *enrolling) fresh() bool {
	return e.enroller != nil && e.enroller.Fresh()
}

// see takes an enrolment code that was before the camera at that time. An
// enrolled kiosk ignores it.
func (e *enrolling) see(code string, at time.Time) {
	if !e.fresh() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	same := code == e.code
	shownAgain := same && at.Sub(e.seen) >= away
	switch {
	case e.phase == asks || e.phase == joins || e.phase == joined:
		// being dealt with
	case e.phase == confirms && same && !shownAgain, e.phase == failed && same && !shownAgain:
		// held still
	case e.phase == confirms && same:
		offer := e.offer
		e.to(joins, at)
		e.do(func(ctx context.Context) { e.join(ctx, offer) })
	default:
		e.to(asks, at)
		e.code = code
		e.do(func(ctx context.Context) { e.ask(ctx, code) })
	}
	if same || e.code == code {
		e.seen = at
	}
}

func (e *enrolling) to(p phase, at time.Time) { e.phase, e.since = p, at }

func (e *enrolling) do(job func(context.Context)) {
	select {
	case e.work <- job:
	default: // cannot be: a phase with a job under way gives none
	}
}

// run asks the registry beside the loop.
func (e *enrolling) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job := <-e.work:
			limit, cancel := context.WithTimeout(ctx, askWithin)
			job(limit)
			cancel()
		}
	}
}

func (e *enrolling) ask(ctx context.Context, code string) {
	offer, err := e.enroller.Look(ctx, code)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.fail(err)
		return
	}
	e.log.Info("an enrolment code asks for confirmation", "registry", offer.Registry, "facility", offer.Facility)
	e.offer = offer
	e.to(confirms, e.now())
}

func (e *enrolling) join(ctx context.Context, offer *enrol.Offer) {
	err := e.enroller.Accept(ctx, offer)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.offer = nil
	if err != nil {
		e.fail(err) // and the code held still is not asked about again
		return
	}
	e.to(joined, e.now())
}

func (e *enrolling) fail(err error) {
	if errors.Is(err, enrol.ErrEnrolled) {
		e.log.Info("the code was not followed: somebody else has enrolled the device meanwhile")
		e.to(waits, e.now())
		return
	}
	e.log.Warn("the device could not be enrolled, it is fresh still", "err", err)
	e.scene = display.EnrolUnreachable
	if enrol.NewCodeNeeded(err) {
		e.scene = display.EnrolRefused
	}
	e.to(failed, e.now())
}

// state is what stands on the screen while nothing is said to a visitor.
func (e *enrolling) state(now time.Time) display.State {
	idle := display.State{Scene: display.Idle}
	if e.enroller == nil {
		return idle
	}
	fresh := e.fresh()
	address, password := e.enroller.Welcome()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case password != "":
		return display.State{Scene: display.OwnersPage, Registry: address, Words: password}
	case e.phase == joined && now.Sub(e.since) < holdEnrolled:
		return display.State{Scene: display.Enrolled}
	case !fresh:
		return idle
	case e.phase == confirms && now.Sub(e.seen) > confirmWithin, e.phase == failed && now.Sub(e.since) > holdFailed:
		e.to(waits, now)
		e.code, e.offer = "", nil
	}
	switch e.phase {
	case asks, joins:
		return display.State{Scene: display.EnrolWait}
	case confirms:
		return display.State{Scene: display.EnrolConfirm, Registry: e.offer.Registry, Words: strings.Join(e.offer.Words, " ")}
	case failed:
		return display.State{Scene: e.scene}
	}
	return display.State{Scene: display.Unenrolled}
}
