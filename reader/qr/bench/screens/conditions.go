package screens

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// ConditionFrames is a second and a half: the hand arrives within the first half second.
const ConditionFrames = 45

// condition is one thing that is so wrong with how a phone is held or lit that
// its code can hardly be read, everything else being mild.
type condition struct {
	kind string
	// set makes c suffer from it, by f from bad (0) to worse (1), in the way'th of two ways.
	set  func(c *Conditions, f float64, way int)
	wave bool // the hand does not come to rest
}

var conditions = []condition{
	{kind: "none", set: func(c *Conditions, f float64, _ int) { c.Pitch, c.Tilt = 3+2*f, 20*f }},
	{kind: "too small", set: func(c *Conditions, f float64, _ int) { c.Pitch, c.Blur = 1.1-0.3*f, 0.6 }},
	{kind: "too large", set: func(c *Conditions, f float64, way int) {
		if c.Pitch = 14 + 6*f; way == 1 { // cut off by an edge
			c.Pitch = 5 + 4*f
		}
	}},
	{kind: "moving", wave: true},
	{kind: "out of focus", set: func(c *Conditions, f float64, _ int) { c.Blur = (0.75 + 0.25*f) * c.Pitch }},
	{kind: "glare", set: func(c *Conditions, f float64, _ int) { c.Glare = 0.5 + 0.35*f }},
	{kind: "too dark", set: func(c *Conditions, f float64, way int) {
		if c.Gamma = 11 + 8*f; way == 1 { // not the room: a dim screen with daylight on its glass
			c.Gamma, c.Mid, c.Contrast, c.Noise = 1, 50-30*f, 6-3*f, 5
		}
	}},
	{kind: "too bright", set: func(c *Conditions, f float64, way int) {
		if c.Gamma = 0.01 - 0.008*f; way == 1 { // not the room: an exposure for the dark, and a bright screen
			c.Gamma, c.Mid, c.Contrast = 1, 320+80*f, 100
		}
	}},
	{kind: "tilted", set: func(c *Conditions, f float64, _ int) { c.Tilt = 66 + 8*f }},
}

// ConditionKinds are the kinds [Condition] takes, named as package qr names its
// problems. The first, "none", is an ordinary visitor, whose code is read.
func ConditionKinds() []string {
	out := make([]string, len(conditions))
	for i := range conditions {
		out[i] = conditions[i].kind
	}
	return out
}

// Condition gives n streams, each [ConditionFrames] at [FPS], of a hand that brings a phone in within half a
// second and holds it there, trembling, so that one thing is wrong with it to the end: what a visitor should be told
// of. Kind is one of [ConditionKinds]; half of the streams of some kinds have it in another way (too large is too
// near or cut off by an edge, too dark and too bright are the whole picture or the screen alone, moving is
// waving or a long exposure). InView is the first frame that shows what there will be to see: count from there.
//
//	streams, err := screens.Condition("glare", seed, 20)
//	g := new(image.Gray)
//	for _, s := range streams {
//		d := qr.New(qr.Options{Stream: true, Now: clock}) // a new one for each stream
//		for n, c := range s.Frames {
//			c.Render(g) // some 30 ms; g's memory is reused
//			symbols, err := d.Decode(g)
//			… d.Finding() … within time if n <= s.InView+screens.FPS
//		}
//	}
//
// Some hand will always be read nevertheless, and needs no telling. Visitors with harder hands than "none", who are
// still to be read and told nothing wrong, are in [Streams].
func Condition(kind string, seed uint64, n int) ([]*Stream, error) {
	i := slices.IndexFunc(conditions, func(c condition) bool { return c.kind == kind })
	if i < 0 {
		return nil, fmt.Errorf("there is no condition %q, use one of %q", kind, ConditionKinds())
	}
	var out []*Stream
	for j := range n {
		rng := rand.New(rand.NewPCG(seed, 0x636f6e64<<32|uint64(i)<<16|uint64(j)))
		s, err := conditions[i].stream(rng, j%2)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (k *condition) stream(rng *rand.Rand, way int) (*Stream, error) {
	still := Case{Set: k.kind, Conditions: mild(rng)}
	c := &still.Conditions
	c.Pitch, c.Tilt, c.Mid, c.Contrast = 3.5+1.5*rng.Float64(), 15*rng.Float64(), 90+40*rng.Float64(), 100+60*rng.Float64()
	if err := still.finish(rng); err != nil {
		return nil, err
	}
	f := rng.Float64()
	if k.set != nil {
		k.set(c, f, way)
	}
	c.Rotation = 12 * rng.NormFloat64()
	if rng.IntN(5) == 0 {
		c.Rotation += 90 * float64(1+rng.IntN(3))
	}
	h := newHand(&class{}, c, rng)
	h.steepest, h.begin, h.travel = 78, 0.05*rng.Float64(), 0.25+0.2*rng.Float64()
	if k.kind == "too large" && way == 1 {
		h.cutOff(c, rng)
	}
	exposure := 0.004 + 0.004*rng.Float64()
	var wave ellipse
	if k.wave {
		exposure = wave.draw(c.Pitch*(3+2*f), way, rng)
	}
	s := &Stream{Class: k.kind, InView: -1}
	for m := range ConditionFrames {
		t := float64(m) / FPS
		v := still
		v.Number = uint64(m)
		h.pose(&v.Conditions, t)
		v.Slide[0], v.Slide[1] = v.Slide[0]/2, v.Slide[1]/2 // or a reflection would slide off the code
		x0, y0 := h.place(t - exposure/2)
		x1, y1 := h.place(t + exposure/2)
		wx0, wy0 := wave.at(t - exposure/2)
		wx1, wy1 := wave.at(t + exposure/2)
		wx, wy := wave.at(t)
		v.X, v.Y = v.X+wx, v.Y+wy
		dx, dy := x1-x0+wx1-wx0, y1-y0+wy1-wy0
		v.Motion, v.Heading = math.Hypot(dx, dy), math.Atan2(dy, dx)*180/math.Pi
		if s.InView < 0 && (v.InView(0) || h.near(t) == 1) {
			s.InView = m
		}
		s.Frames = append(s.Frames, &v)
	}
	return s, nil
}

// cutOff makes the hand rest where a third or so of the code lies beyond an edge of the picture.
func (h *hand) cutOff(c *Conditions, rng *rand.Rand) {
	half := c.Pitch * float64(17+4*c.Version) / 2
	out := half * (0.4 + 0.5*rng.Float64()) // of the middle from the edge
	along := 0.3 + 0.4*rng.Float64()
	switch rng.IntN(4) {
	case 0:
		h.end, h.from = [2]float64{out, along * Height}, [2]float64{-1.5 * half, along * Height}
	case 1:
		h.end, h.from = [2]float64{Width - out, along * Height}, [2]float64{Width + 1.5*half, along * Height}
	case 2:
		h.end, h.from = [2]float64{along * Width, out}, [2]float64{along * Width, -1.5 * half}
	default:
		h.end, h.from = [2]float64{along * Width, Height - out}, [2]float64{along * Width, Height + 1.5*half}
	}
}

// ellipse is the way of a hand that waves.
type ellipse struct{ long, short, sin, cos, hz, phase float64 }

// draw makes a wave that runs the code over smear pixels or more while the shutter is open, for which long it gives
// in seconds: a slow, wide wave, or a quick, narrow one, as of somebody walking.
func (e *ellipse) draw(smear float64, way int, rng *rand.Rand) (exposure float64) {
	exposure, e.hz = 0.018+0.008*rng.Float64(), 1.4+0.8*rng.Float64()
	if way == 1 {
		exposure, e.hz = 0.030, 4+2*rng.Float64()
	}
	e.short = smear / exposure / (2 * math.Pi * e.hz) // where it is slowest
	e.long = e.short * (1 + 0.5*rng.Float64())
	e.sin, e.cos = math.Sincos(2 * math.Pi * rng.Float64())
	e.phase = 2 * math.Pi * rng.Float64()
	return exposure
}

func (e *ellipse) at(t float64) (x, y float64) {
	sin, cos := math.Sincos(2*math.Pi*e.hz*t + e.phase)
	a, b := e.long*cos, e.short*sin
	return a*e.cos - b*e.sin, a*e.sin + b*e.cos
}
