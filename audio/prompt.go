package audio

import "time"

// Prompt names a sentence the kiosk can say. It is the stem of the file that
// holds it: Accepted is accepted.wav.
type Prompt string

// The prompts that are built in. Their words stand in prompts/ko.toml and
// prompts/en.toml.
const (
	Accepted      Prompt = "accepted"       // 인증되었습니다
	Checked       Prompt = "checked"        // 확인되었습니다: verified, nothing recorded
	Expired       Prompt = "expired"        // renew the code
	Used          Prompt = "used"           // used already: renew the code
	PhoneClock    Prompt = "phone-clock"    // the phone's clock is ahead
	Unreadable    Prompt = "unreadable"     // show it again
	NotAPass      Prompt = "not-a-pass"     // some other QR code
	UnknownIssuer Prompt = "unknown-issuer" // not registered: ask staff
	Refused       Prompt = "refused"        // cannot be verified: renew the code
	NotNeeded     Prompt = "not-needed"     // no check-in needed now
	Wait          Prompt = "wait"           // one moment
	Clock         Prompt = "clock"          // the reader's clock is not set
	OutOfOrder    Prompt = "out-of-order"   // ask staff
	StaffAdmitted Prompt = "staff-admitted" // checked by staff: come in
	HelpCalled    Prompt = "help-called"    // staff are on their way
	DoorHeld      Prompt = "door-held"      // the door opens shortly
	Test          Prompt = "test"           // the owner tries the loudspeaker

	// Coaching: these never cut the others off.
	Closer     Prompt = "closer"
	Farther    Prompt = "farther"
	Brighter   Prompt = "brighter" // the phone's screen
	Dimmer     Prompt = "dimmer"
	Glare      Prompt = "glare"
	HoldStill  Prompt = "hold-still"
	Straighter Prompt = "straighter"
	Renew      Prompt = "renew" // the code, while it cannot be read
	Here       Prompt = "here"  // 여기가 카메라입니다, for who comes near
)

// chime is the sound before the words. By pitch and rhythm alone it tells what
// kind of answer follows.
type chime struct {
	name string        // its file's stem
	lead time.Duration // the words begin this long after it, over its tail
}

var (
	chimeYes  = chime{"chime-yes", 120 * time.Millisecond}
	chimeNo   = chime{"chime-no", 520 * time.Millisecond}
	chimeWait = chime{"chime-wait", 300 * time.Millisecond}
	chimeHint = chime{"chime-hint", 140 * time.Millisecond}
	chimeHere = chime{"chime-here", 400 * time.Millisecond}
)

// kind is what a prompt is: its chime, and whether it only coaches.
type kind struct {
	prompt Prompt
	chime  chime
	coach  bool
}

var kinds = []kind{
	{Accepted, chimeYes, false}, {Checked, chimeYes, false}, {NotNeeded, chimeYes, false},
	{StaffAdmitted, chimeYes, false}, {Test, chimeYes, false},
	{Expired, chimeNo, false}, {Used, chimeNo, false}, {PhoneClock, chimeNo, false}, {Unreadable, chimeNo, false},
	{NotAPass, chimeNo, false}, {UnknownIssuer, chimeNo, false}, {Refused, chimeNo, false}, {Clock, chimeNo, false},
	{OutOfOrder, chimeNo, false},
	{Wait, chimeWait, false}, {HelpCalled, chimeWait, false}, {DoorHeld, chimeWait, false},
	{Closer, chimeHint, true}, {Farther, chimeHint, true}, {Brighter, chimeHint, true}, {Dimmer, chimeHint, true},
	{Glare, chimeHint, true}, {HoldStill, chimeHint, true}, {Straighter, chimeHint, true}, {Renew, chimeHint, true},
	{Here, chimeHere, true},
}

// Prompts lists every built-in prompt.
func Prompts() (all []Prompt) {
	for _, k := range kinds {
		all = append(all, k.prompt)
	}
	return all
}

// yields tells whether p, said while other sounds, is dropped instead of
// cutting it off: an answer is never cut by coaching.
func (p Prompt) yields(other Prompt) bool { return p.coaches() && !other.coaches() }

func (p Prompt) coaches() bool {
	for i := range kinds {
		if kinds[i].prompt == p {
			return kinds[i].coach
		}
	}
	return false
}
