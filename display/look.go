package display

import (
	"image"
	"image/color"
)

// tone is a pair of colours with a contrast of at least 4.5:1 (KS X 9211,
// WCAG 2.2 §1.4.3), which a test computes.
type tone struct{ back, ink *image.Uniform }

func newTone(back, ink uint32) tone { return tone{uniform(back), uniform(ink)} }

func uniform(rgb uint32) *image.Uniform {
	return image.NewUniform(color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255})
}

// Green says yes, blue and amber say what to do next, grey that the reader
// itself is the matter. No scene is red: nobody is put to shame at a door.
type palette struct{ calm, yes, next, busy, own, strip tone }

func newPalette() palette {
	return palette{
		calm:  newTone(0x10243A, 0xFFFFFF),
		yes:   newTone(0x0B6B3A, 0xFFFFFF),
		next:  newTone(0xF4B740, 0x1B1B1B),
		busy:  newTone(0x1A4C8B, 0xFFFFFF),
		own:   newTone(0x3B424C, 0xFFFFFF),
		strip: newTone(0x0A1520, 0xE8EEF4),
	}
}

// look is a scene's colour and shape.
func (p palette) look(s Scene) (tone, symbol) {
	switch s {
	case Idle:
		return p.calm, phone
	case Seen:
		return p.busy, looking
	case Accepted, VerifiedOnly, StaffAdmitted:
		return p.yes, check
	case PolicyOff:
		return p.yes, door
	case Used, Expired, Forged, WrongIssuer, WrongLifetime, NonCanonical:
		return p.next, renew
	case NotYetValid:
		return p.next, clockSym
	case Unreadable, Truncated, Oversized, NotAPass:
		return p.next, phone
	case UnknownIssuer, Revoked:
		return p.next, question
	case ReaderTooOld, NoKeys:
		return p.own, upgrade
	case Clock:
		return p.own, clockSym
	case OutOfOrder, Aiming:
		return p.own, hand
	case HelpCalled:
		return p.busy, waiting
	case Unenrolled, EnrolConfirm:
		return p.own, question
	case Enrolled:
		return p.yes, check
	case EnrolRefused:
		return p.next, renew
	case EnrolUnreachable:
		return p.next, question
	}
	return p.busy, waiting
}
