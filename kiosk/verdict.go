package kiosk

import (
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
)

// Verdict is what the visitor is told: one of the names below, or that of a
// pass.Reason.
type Verdict string

const (
	Accepted   Verdict = "accepted"     // the visit is on disk
	Verified   Verdict = "verified"     // policy verify-only: nothing is kept
	Used       Verdict = "used"         // admitted and announced before
	OutOfOrder Verdict = "out-of-order" // the visit could not be kept

	StaffAdmitted Verdict = "staff-admitted" // without a pass, by the staff's button
	HelpCalled    Verdict = "help-called"    // by the help button
	DoorHeld      Verdict = "door-held"      // admitted, but the other door must shut first
)

// answer is how a verdict is said, shown and signalled.
type answer struct {
	scene  display.Scene
	prompt audio.Prompt
	signal lines.Signal  // 0: no lamp
	hold   time.Duration // how long the scene stays after the code was last seen
	// final verdicts hold for a text however often it is seen; the others are
	// judged anew while it is held, and spoken again only when they change.
	final bool
}

const (
	holdGood = 1500 * time.Millisecond
	holdNext = 4 * time.Second
	holdHelp = 10 * time.Second
	// holdDoor is longer than a door is held: its end is told.
	holdDoor = 20 * time.Second
)

var answers = map[Verdict]answer{
	Accepted:   {display.Accepted, audio.Accepted, lines.Accept, holdGood, true},
	Verified:   {display.VerifiedOnly, audio.Checked, lines.Accept, holdGood, true},
	Used:       {display.Used, audio.Used, lines.Refuse, holdNext, true},
	OutOfOrder: {display.OutOfOrder, audio.OutOfOrder, lines.Refuse, holdNext, false},

	StaffAdmitted: {display.StaffAdmitted, audio.StaffAdmitted, lines.Accept, holdGood, true},
	HelpCalled:    {display.HelpCalled, audio.HelpCalled, lines.Help, holdHelp, true},
	DoorHeld:      {display.DoorHeld, audio.DoorHeld, 0, holdDoor, true},

	of(pass.ReasonNotPass):      {display.NotAPass, audio.NotAPass, 0, holdNext, true},
	of(pass.ReasonVersion):      {display.ReaderTooOld, audio.OutOfOrder, lines.Refuse, holdNext, true},
	of(pass.ReasonTruncated):    {display.Truncated, audio.Unreadable, lines.Refuse, holdNext, true},
	of(pass.ReasonOversized):    {display.Oversized, audio.Unreadable, lines.Refuse, holdNext, true},
	of(pass.ReasonNonCanonical): {display.NonCanonical, audio.Unreadable, lines.Refuse, holdNext, true},
	of(pass.ReasonFormat):       {display.Unreadable, audio.Unreadable, lines.Refuse, holdNext, true},
	of(pass.ReasonUnknownKey):   {display.UnknownIssuer, audio.UnknownIssuer, lines.Refuse, holdNext, true},
	of(pass.ReasonIssuer):       {display.WrongIssuer, audio.Refused, lines.Refuse, holdNext, true},
	of(pass.ReasonSignature):    {display.Forged, audio.Refused, lines.Refuse, holdNext, true},
	of(pass.ReasonLifetime):     {display.WrongLifetime, audio.Refused, lines.Refuse, holdNext, true},
	of(pass.ReasonNotYetValid):  {display.NotYetValid, audio.PhoneClock, lines.Refuse, holdNext, false},
	of(pass.ReasonExpired):      {display.Expired, audio.Expired, lines.Refuse, holdNext, true},
	of(pass.ReasonRevoked):      {display.Revoked, audio.Refused, lines.Refuse, holdNext, true},
	of(pass.ReasonPolicyOff):    {display.PolicyOff, audio.NotNeeded, 0, holdNext, false},
	of(pass.ReasonClock):        {display.Clock, audio.Clock, lines.Refuse, holdNext, false},
	of(pass.ReasonBundle):       {display.NoKeys, audio.OutOfOrder, lines.Refuse, holdNext, false},
}

// hints are how each hint is said.
var hints = map[display.Hint]audio.Prompt{
	display.Closer: audio.Closer, display.Farther: audio.Farther, display.Brighter: audio.Brighter, display.Dimmer: audio.Dimmer,
	display.Glare: audio.Glare, display.HoldStill: audio.HoldStill, display.Straighter: audio.Straighter, display.Renew: audio.Renew,
}

// pleaseWait is said while a slow disk keeps a visit.
var pleaseWait = answer{scene: display.Wait, prompt: audio.Wait, hold: holdNext}

// good says that a pass was accepted and its visitor may enter.
func (v Verdict) good() bool { return v == Accepted || v == Verified }

// stale says that a newer code would have done.
func (v Verdict) stale() bool { return v == Used || v == of(pass.ReasonExpired) }

func of(r pass.Reason) Verdict { return Verdict(r.String()) }
