package display

import "math"

// The pictograms: what a scene or a hint is, without words.
var (
	check    = &symbol{lines: [][]point{{{.12, .54}, {.39, .80}, {.88, .22}}}}
	renew    = &symbol{lines: [][]point{{{.83, .04}, {.85, .27}, {.62, .30}}}, arcs: []arc{turn(.5, .53, .41, .11, 1.6)}}
	question = &symbol{lines: [][]point{{{.5, .56}, {.5, .67}}}, arcs: []arc{turn(.5, .33, .23, 1, 1.5)}, dots: []point{{.5, .90}}}
	clockSym = &symbol{lines: [][]point{{{.5, .22}, {.5, .52}, {.69, .62}}}, arcs: []arc{turn(.5, .5, .45, 0, 2)}}
	hand     = &symbol{lines: [][]point{
		{{.29, .56}, {.29, .20}}, {{.44, .48}, {.44, .08}}, {{.59, .48}, {.59, .08}}, {{.74, .56}, {.74, .18}},
		{{.29, .58}, {.12, .47}}, {{.12, .47}, {.26, .76}, {.40, .92}, {.62, .92}, {.74, .76}, {.74, .56}},
	}}
	phone = &symbol{
		lines: [][]point{{{.19, .05}, {.81, .05}, {.81, .95}, {.19, .95}, {.19, .05}}, {{.43, .83}, {.57, .83}}},
		boxes: []box{{.34, .22, .47, .35}, {.53, .22, .66, .35}, {.34, .41, .47, .54}, {.53, .41, .58, .46}, {.61, .49, .66, .54}, {.53, .62, .58, .67}, {.34, .62, .39, .67}},
	}
	waiting = &symbol{dots: []point{{.14, .5}, {.5, .5}, {.86, .5}}}
	looking = &symbol{lines: [][]point{{{.66, .66}, {.94, .94}}}, arcs: []arc{turn(.41, .41, .34, 0, 2)}}
	upgrade = &symbol{lines: [][]point{{{.5, .08}, {.5, .64}}, {{.26, .42}, {.5, .66}, {.74, .42}}, {{.18, .90}, {.82, .90}}}}
	door    = &symbol{lines: [][]point{{{.06, .94}, {.94, .94}}, {{.22, .94}, {.22, .06}, {.78, .06}, {.78, .94}}}, dots: []point{{.63, .52}}}
	bell    = &symbol{lines: [][]point{
		{{.10, .74}, {.90, .74}, {.78, .60}, {.78, .42}}, {{.22, .42}, {.22, .60}, {.10, .74}}, {{.5, .04}, {.5, .12}},
	}, arcs: []arc{turn(.5, .42, .28, 1, 1), turn(.5, .80, .12, .1, .8)}}
	target = &symbol{lines: [][]point{{{.5, .02}, {.5, .24}}, {{.5, .76}, {.5, .98}}, {{.02, .5}, {.24, .5}}, {{.76, .5}, {.98, .5}}},
		arcs: []arc{turn(.5, .5, .34, 0, 2)}, dots: []point{{.5, .5}}}

	// The reader is the ring on the right, the phone is on the left.
	closer  = &symbol{lines: approach(.60, .49), arcs: []arc{turn(.83, .5, .10, 0, 2)}}
	farther = &symbol{lines: approach(.43, .54), arcs: []arc{turn(.83, .5, .10, 0, 2)}}
	// A sun, a moon.
	brighter = &symbol{lines: rays(.36, .48), arcs: []arc{turn(.5, .5, .20, 0, 2)}}
	dimmer   = &symbol{arcs: []arc{turn(.46, .5, .42, .28, 1.44), turn(.76, .5, .40, .66, .68)}}
	glare    = &symbol{
		lines: [][]point{{{.46, .10}, {.14, .10}, {.14, .95}, {.70, .95}, {.70, .54}}, {{.30, .78}, {.48, .56}}},
		stars: []star{{point{.72, .27}, .27}},
	}
	pause      = &symbol{lines: [][]point{{{.22, .04}, {.78, .04}, {.78, .96}, {.22, .96}, {.22, .04}}, {{.42, .36}, {.42, .64}}, {{.58, .36}, {.58, .64}}}}
	straighter = &symbol{lines: [][]point{{{.34, .26}, {.66, .26}, {.66, .96}, {.34, .96}, {.34, .26}}, {{.72, .02}, {.85, .13}, {.70, .22}}},
		arcs: []arc{turn(.5, .5, .41, 1.14, .62)}}
)

// turn is an arc with its angles in half turns: it starts at from, 0 being to
// the right and ½ below, and goes clockwise.
func turn(x, y, r, from, sweep float64) arc {
	return arc{point{x, y}, r, from * math.Pi, sweep * math.Pi}
}

// approach is a phone on the left and an arrow whose tip lies at tip and whose
// barbs begin at barb.
func approach(tip, barb float64) [][]point {
	return [][]point{
		{{.06, .17}, {.28, .17}, {.28, .83}, {.06, .83}, {.06, .17}},
		{{.43, .5}, {.60, .5}}, {{barb, .38}, {tip, .5}, {barb, .62}},
	}
}

// rays are eight strokes around the middle.
func rays(inner, outer float64) (lines [][]point) {
	for i := range 8 {
		sin, cos := math.Sincos(float64(i) * math.Pi / 4)
		lines = append(lines, []point{{.5 + inner*cos, .5 + inner*sin}, {.5 + outer*cos, .5 + outer*sin}})
	}
	return lines
}

// shape is a scene's pictogram.
func (s Scene) shape() *symbol {
	switch s {
	case Idle, Unreadable, Truncated, Oversized, NotAPass, Unenrolled:
		return phone
	case Seen:
		return looking
	case Accepted, VerifiedOnly, StaffAdmitted, Enrolled, OwnersPage:
		return check
	case PolicyOff:
		return door
	case Used, Expired, Forged, WrongIssuer, WrongLifetime, NonCanonical, EnrolRefused:
		return renew
	case NotYetValid, Clock:
		return clockSym
	case UnknownIssuer, Revoked, EnrolConfirm, EnrolUnreachable:
		return question
	case ReaderTooOld, NoKeys:
		return upgrade
	case OutOfOrder:
		return hand
	case HelpCalled:
		return bell
	case Aiming:
		return target
	}
	return waiting
}

// shape is a hint's pictogram; nil for none.
func (h Hint) shape() *symbol {
	switch h {
	case Closer:
		return closer
	case Farther:
		return farther
	case Brighter:
		return brighter
	case Dimmer:
		return dimmer
	case Glare:
		return glare
	case HoldStill:
		return pause
	case Straighter:
		return straighter
	case Renew:
		return renew
	}
	return nil
}
