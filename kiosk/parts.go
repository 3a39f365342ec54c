package kiosk

import (
	"context"
	"image"
	"log/slog"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
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
	// AdmitByStaff counts somebody without a pass.
	AdmitByStaff(time.Time) error
}

// Voice says prompts, the newest first. started and done, which may be nil, are
// called from another goroutine, done exactly once.
type Voice interface {
	SayTimed(p audio.Prompt, started func(), done func(audio.Outcome))
	// Aim sounds a soft tone that rises with near, 0…1, and fades by itself soon
	// after the last call. It never blocks.
	Aim(near float64)
}

// Screen shows states; it never blocks.
type Screen interface{ Show(display.State) }

// Lines signal with lamps, buzzer and door; they never block.
type Lines interface{ Signal(lines.Signal) }

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
	Corner      Corner        // where it is shown
	AimTone     bool          // guide hands by a tone
}

// Parts are the devices and stores the loop runs on.
type Parts struct {
	Frames  Frames
	Decoder Decoder
	Trust   Trust
	Journal Journal
	Voice   Voice
	Screen  Screen
	Lines   Lines
	Clock   Clock
	// Events are buttons and sensors; nil for none.
	Events <-chan lines.Event
	// Muted says whether the voice is silenced by choice, so that the screen
	// flashes instead; nil for never.
	Muted func() bool
	// Facility says the kind of facility, which chooses the policy in the bundle.
	Facility func() string
	// Enrol, if not nil, takes the enrolment codes shown to a fresh device.
	Enrol Enroller
	// Findings and Adjuster, if neither is nil, let what the reader sees choose
	// the camera's exposure and focus.
	Findings Findings
	Adjuster Adjuster
	// Aimed, if not nil, is given each picture while [Kiosk.Aim] is on, with what
	// is found in it. The picture is the camera's again when it returns.
	Aimed func(*image.Gray, qr.Finding)
	// Status makes the screen's status strip, once a second.
	Status func() display.Status
	// Observe, if not nil, is told every event. It must not block.
	Observe func(Event)
	Now     func() time.Time
	Log     *slog.Logger
}
