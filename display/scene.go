// Package display shows the kiosk's state: a [State] is drawn by a [Painter]
// (pure: same state, same picture) and a [Screen] sends the picture to its
// [Panel]s: framebuffer, OLED, web page, PNG file. Lamps, buzzer, door and buttons
// are those of package lines.
//
// Visitors read Korean first and English beside it; every answer has a colour,
// a shape, words and a next step, and none of them blames anybody.
package display

import (
	"image"
	"time"
)

// Scene is what the whole screen says. It is the key of its words in texts/.
type Scene string

const (
	Idle          Scene = "idle"           // waiting for a code, with the live picture
	Seen          Scene = "seen"           // a code is seen and being verified
	Accepted      Scene = "accepted"       // the visit is on disk
	VerifiedOnly  Scene = "verified-only"  // policy verify-only: nothing is kept
	Used          Scene = "used"           // used already: renew
	Expired       Scene = "expired"        // renew
	NotYetValid   Scene = "not-yet-valid"  // the phone's clock is ahead (State.Seconds)
	Unreadable    Scene = "unreadable"     // our code, but truncated or not well-formed
	Truncated     Scene = "truncated"      // our code, with its end missing
	Oversized     Scene = "oversized"      // begins like our code, but is longer than any
	NonCanonical  Scene = "non-canonical"  // our code in a second spelling
	NotAPass      Scene = "not-a-pass"     // some other QR code
	UnknownIssuer Scene = "unknown-issuer" // unknown issuer or key
	WrongIssuer   Scene = "wrong-issuer"   // signed with another issuer's key
	WrongLifetime Scene = "wrong-lifetime" // not a 15-second code
	Forged        Scene = "forged"         // the signature does not fit
	Revoked       Scene = "revoked"        // key or issuer revoked
	ReaderTooOld  Scene = "reader-too-old" // the pass's version is newer than ours
	PolicyOff     Scene = "policy-off"     // no check-in is needed
	Clock         Scene = "clock"          // the reader's clock is not set
	NoKeys        Scene = "no-keys"        // the trust bundle is missing or has expired
	OutOfOrder    Scene = "out-of-order"   // disk or camera fail
	Wait          Scene = "wait"           // starting, or busy
	StaffAdmitted Scene = "staff-admitted" // the staff let somebody in by their button
	HelpCalled    Scene = "help-called"    // the staff were called
	DoorHeld      Scene = "door-held"      // admitted, but the other door must shut first
	Aiming        Scene = "aiming"         // the owner aims the camera: nobody is admitted

	// A fresh device, for its technician.

	Unenrolled       Scene = "unenrolled"        // waiting for an enrolment code, with the live picture
	EnrolWait        Scene = "enrol-wait"        // the registry is being asked
	EnrolConfirm     Scene = "enrol-confirm"     // State.Registry and State.Words are to be compared
	Enrolled         Scene = "enrolled"          // it is a kiosk now
	OwnersPage       Scene = "owners-page"       // State.Registry is the page's address and State.Words its password
	EnrolRefused     Scene = "enrol-refused"     // the code will never do
	EnrolUnreachable Scene = "enrol-unreachable" // the registry does not answer
)

// Live says whether the camera's picture stands in a scene.
func (s Scene) Live() bool { return s == Idle || s == Seen || s == Unenrolled || s == Aiming }

// Hint is what would let the code be read. It is the key of its words in texts/.
type Hint string

const (
	NoHint     Hint = ""
	Closer     Hint = "closer"     // the code is too small to read
	Farther    Hint = "farther"    // too large, or cut off
	Brighter   Hint = "brighter"   // the phone's screen is too dark
	Dimmer     Hint = "dimmer"     // the phone's screen dazzles the camera
	Glare      Hint = "glare"      // a lamp is reflected in it
	HoldStill  Hint = "hold-still" // it moves
	Straighter Hint = "straighter" // it is held at too steep an angle
	Renew      Hint = "renew"      // it is read and makes no sense
)

// Hints lists every hint.
func Hints() []Hint {
	return []Hint{Closer, Farther, Brighter, Dimmer, Glare, HoldStill, Straighter, Renew}
}

// Scenes lists every scene.
func Scenes() []Scene {
	return []Scene{
		Idle, Seen, Accepted, VerifiedOnly, Used, Expired, NotYetValid, Unreadable, Truncated, Oversized, NonCanonical,
		NotAPass, UnknownIssuer, WrongIssuer, WrongLifetime, Forged, Revoked, ReaderTooOld, PolicyOff, Clock, NoKeys,
		OutOfOrder, Wait, StaffAdmitted, HelpCalled, DoorHeld, Aiming, Unenrolled, EnrolWait, EnrolConfirm, Enrolled, OwnersPage, EnrolRefused, EnrolUnreachable,
	}
}

// State is everything a picture is drawn from.
type State struct {
	Scene Scene
	// Seconds is how far the phone's clock is ahead (NotYetValid); 0 is not said.
	Seconds int
	// Registry is the registry's name and Words the six words of its key, with
	// spaces between them (EnrolConfirm); or an address and a password (OwnersPage).
	Registry, Words string
	// Camera is the live picture of a Live scene, drawn mirrored so that people can
	// aim; nil for none. Pictures that leave the device never hold it.
	Camera *image.Gray
	// Hint stands large beside the live picture in Idle and Seen, in the place of
	// the scene's words.
	Hint Hint
	// X and Y are where the code is, in 0…1 of the camera picture's width and
	// height (not mirrored), valid while Located; a mark is drawn there.
	Located bool
	X, Y    float32
	// Flash is for a kiosk whose sound is muted. A Screen makes a new scene flash;
	// a Painter draws the flash: the scene with its two colours changed over.
	Flash bool
	// Turn is which of [Painter.Turns] pages is drawn; a Screen counts it.
	Turn int
	// Status is the strip along the lower edge.
	Status Status
	// Staff is the field for the facility's staff; nil for none. It is health
	// data: looked at, never kept, never on a remote page.
	Staff *Staff
	// StaffOpen shows Staff in the visitors' screen's corner too, because the
	// staff asked for it there.
	StaffOpen bool
}

// Level is how one part is. The zero Level is not shown.
type Level uint8

const (
	Hidden Level = iota
	OK
	Warn
	Bad
)

// Status is the honest light: how the reader itself is.
type Status struct {
	Camera, Network, Clock, Sound Level
	Queue                         Level
	Waiting                       int   // visits not yet uploaded
	Disk                          Level // OK is not shown
	Keys                          Level
	KeysAge                       time.Duration // since the bundle was issued
}

// Staff is the fact of vaccination that came with the pass now on screen.
type Staff struct {
	Complete   bool // vaccination complete
	TwoWeeksOn bool // 14 days have passed since
	Doses      int
}
