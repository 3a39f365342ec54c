package display

import (
	"image"
	"image/color"
)

// tone is a pair of colours with a contrast of at least 4.5:1 (KS X 9211,
// WCAG 2.2 §1.4.3), which a test computes from the rendered pixels.
type tone struct{ back, ink *image.Uniform }

func newTone(back, ink uint32) tone { return tone{uniform(back), uniform(ink)} }

func uniform(rgb uint32) *image.Uniform {
	return image.NewUniform(color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255})
}

// flashed is the tone with its colours changed over, as legible as before.
func (t tone) flashed() tone { return tone{t.ink, t.back} }

// Green says yes, blue and amber say what to do next, grey that the reader
// itself is the matter. No scene is red: nobody is put to shame at a door.
type palette struct{ calm, yes, next, busy, own, strip, mono tone }

func newPalette() palette {
	return palette{
		calm:  newTone(0x10243A, 0xFFFFFF),
		yes:   newTone(0x0B6B3A, 0xFFFFFF),
		next:  newTone(0xF7C04A, 0x1D1A14),
		busy:  newTone(0x1A4C8B, 0xFFFFFF),
		own:   newTone(0x39414B, 0xFFFFFF),
		strip: newTone(0x0A1520, 0xE8EEF4),
		mono:  newTone(0x000000, 0xFFFFFF),
	}
}

// tone is a scene's colour.
func (p *palette) tone(s Scene) tone {
	switch s {
	case Idle:
		return p.calm
	case Accepted, VerifiedOnly, PolicyOff, StaffAdmitted, Enrolled, OwnersPage:
		return p.yes
	case Used, Expired, Forged, WrongIssuer, WrongLifetime, NonCanonical, NotYetValid,
		Unreadable, Truncated, Oversized, NotAPass, UnknownIssuer, Revoked, EnrolRefused, EnrolUnreachable:
		return p.next
	case ReaderTooOld, NoKeys, Clock, OutOfOrder, Aiming, Unenrolled, EnrolConfirm:
		return p.own
	}
	return p.busy
}
