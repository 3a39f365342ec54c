package screens

import (
	"math"
	"math/rand/v2"
)

// FPS and StreamFrames: three seconds.
const FPS, StreamFrames = 30, 90

// Stream is a hand that brings a phone before the camera.
type Stream struct {
	Class  string
	Frames []*Case
	InView int // the first frame that shows the whole symbol
}

// between is a range to draw from.
type between [2]float64

func (b between) draw(rng *rand.Rand) float64 { return b[0] + (b[1]-b[0])*rng.Float64() }

// class is a kind of visitor. The zero shake is an ordinary hand.
type class struct {
	name                                      string
	pitch, tilt, blur, noise, contrast, glare between
	exposure                                  between // seconds the shutter is open
	shake                                     float64 // how much more than an ordinary hand wanders
	focus                                     float64 // σ that the lens is off by at first, pixels
	pass                                      bool    // carried past, never at rest
	mixed                                     bool    // everything but motion as Mix draws it
}

var classes = []class{
	{name: "near", pitch: between{4, 6}, tilt: between{0, 15}, blur: between{0.6, 0.9}, noise: between{2, 4}, contrast: between{100, 160}, exposure: between{0.005, 0.010}},
	{name: "usual", pitch: between{3, 4.5}, tilt: between{0, 20}, blur: between{0.7, 1.1}, noise: between{3, 6}, contrast: between{80, 150}, exposure: between{0.008, 0.016}},
	{name: "far", pitch: between{1.7, 2.5}, tilt: between{0, 15}, blur: between{0.5, 0.8}, noise: between{3, 8}, contrast: between{80, 150}, exposure: between{0.005, 0.010}},
	{name: "dim", pitch: between{3, 4.5}, tilt: between{0, 20}, blur: between{0.7, 1.1}, noise: between{8, 16}, contrast: between{30, 60}, exposure: between{0.016, 0.030}},
	{name: "shaky", pitch: between{3, 4.5}, tilt: between{0, 20}, blur: between{0.7, 1.1}, noise: between{3, 6}, contrast: between{80, 150}, exposure: between{0.012, 0.024}, shake: 5},
	{name: "tilted", pitch: between{2.8, 4.5}, tilt: between{30, 45}, blur: between{0.7, 1.0}, noise: between{3, 6}, contrast: between{80, 150}, exposure: between{0.008, 0.016}},
	{name: "glare", pitch: between{3, 4.5}, tilt: between{0, 20}, blur: between{0.7, 1.1}, noise: between{3, 6}, contrast: between{80, 150}, exposure: between{0.008, 0.016}, glare: between{0.06, 0.18}},
	{name: "unsharp", pitch: between{3.3, 4.5}, tilt: between{0, 15}, blur: between{1.5, 2.3}, noise: between{2, 5}, contrast: between{90, 150}, exposure: between{0.005, 0.012}, focus: 1.5},
	{name: "mix", exposure: between{0.004, 0.020}, shake: 1.5, mixed: true},
	{name: "passing", pitch: between{3, 4.5}, tilt: between{0, 20}, blur: between{0.6, 0.9}, noise: between{3, 6}, contrast: between{90, 150}, exposure: between{0.006, 0.014}, pass: true},
}

// Streams gives n streams of each class.
func Streams(seed uint64, n int) ([]*Stream, error) {
	var out []*Stream
	for i, k := range classes {
		for j := range n {
			rng := rand.New(rand.NewPCG(seed, 0x73747265<<32|uint64(i)<<16|uint64(j)))
			s, err := k.stream(rng)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

func (k *class) stream(rng *rand.Rand) (*Stream, error) {
	still := Case{Set: "streams", Conditions: Conditions{
		Pitch: k.pitch.draw(rng), Tilt: k.tilt.draw(rng), Blur: k.blur.draw(rng), Noise: k.noise.draw(rng),
		Mid: 90 + 50*rng.Float64(), Contrast: k.contrast.draw(rng), Glare: k.glare.draw(rng),
		Gradient: 0.3 * rng.Float64(), Gamma: ratio(0.7, 1.4)(rng.Float64()), Moire: 0.05 * rng.Float64(),
		Version: minVersion + rng.IntN(maxVersion-minVersion+1),
	}}
	if k.mixed {
		still.Conditions = mixed(rng)
	}
	if err := still.finish(rng); err != nil {
		return nil, err
	}
	still.Rotation = 12 * rng.NormFloat64() // about upright, now and then on its side
	if rng.IntN(5) == 0 {
		still.Rotation += 90 * float64(1+rng.IntN(3))
	}
	h := newHand(k, &still.Conditions, rng)
	exposure := k.exposure.draw(rng)
	s := &Stream{Class: k.name, InView: -1}
	for n := range StreamFrames {
		t := float64(n) / FPS
		c := still
		c.Number = uint64(n)
		h.pose(&c.Conditions, t)
		x0, y0 := h.place(t - exposure/2)
		x1, y1 := h.place(t + exposure/2)
		c.Motion, c.Heading = math.Hypot(x1-x0, y1-y0), math.Atan2(y1-y0, x1-x0)*180/math.Pi
		if s.InView < 0 && c.InView(0) {
			s.InView = n
		}
		s.Frames = append(s.Frames, &c)
	}
	if s.InView < 0 { // a large code that the hand never brings in whole: another hand
		return k.stream(rng)
	}
	return s, nil
}

// hand moves the phone from beyond the picture's edge to its place.
type hand struct {
	k              *class
	end, from      [2]float64 // pixels
	begin, travel  float64    // seconds
	speed          [2]float64 // of one who passes, pixels a second
	phase          [10]float64
	shake          float64
	pitch, blur    float64
	rotation, tilt float64
	steepest       float64 // tilt, degrees
}

func newHand(k *class, c *Conditions, rng *rand.Rand) *hand {
	h := &hand{k: k, begin: 0.1 * rng.Float64(), travel: 0.6 + 0.6*rng.Float64(), shake: max(1, k.shake),
		pitch: c.Pitch, blur: c.Blur, rotation: c.Rotation, tilt: c.Tilt, steepest: 48}
	for i := range h.phase {
		h.phase[i] = 2 * math.Pi * rng.Float64()
	}
	h.end = [2]float64{Width/2 + 220*(rng.Float64()-0.5)*2, Height/2 + 60*(rng.Float64()-0.5)*2}
	reach := c.Pitch * float64(17+4*c.Version) * 0.75 // from the code's middle to beyond its corner
	left := rng.IntN(2) == 0
	switch below := rng.IntN(5) < 3; {
	case k.pass || !below:
		h.from = [2]float64{Width + reach, h.end[1] + 150*rng.Float64()}
		if left {
			h.from[0] = -reach
		}
	default:
		h.from = [2]float64{h.end[0] + 300*(rng.Float64()-0.5), Height + reach}
	}
	if k.pass {
		v := 350 + 250*rng.Float64()
		h.speed = [2]float64{math.Copysign(v, h.end[0]-h.from[0]), 0.15 * v * (rng.Float64() - 0.5)}
		h.from[1] = h.end[1]
	}
	return h
}

// place is where the code's middle is at t seconds.
func (h *hand) place(t float64) (x, y float64) {
	wave := func(i int, hz float64) float64 { return math.Sin(2*math.Pi*hz*t + h.phase[i]) }
	// A hand sways slowly and trembles at 8 to 10 Hz.
	x = h.shake * (5*wave(0, 0.6) + 3*wave(1, 1.7) + 0.5*wave(2, 8.6))
	y = h.shake * (4*wave(3, 0.7) + 3*wave(4, 1.9) + 0.5*wave(5, 9.4))
	if h.k.pass {
		t -= h.begin
		return x + h.from[0] + h.speed[0]*t, y + h.from[1] + h.speed[1]*t
	}
	f := 1 - h.near(t)
	return x + h.end[0] + f*(h.from[0]-h.end[0]), y + h.end[1] + f*(h.from[1]-h.end[1])
}

// near goes from 0 to 1 while the hand comes, fastest in the middle (minimum
// jerk: Flash and Hogan, "The coordination of arm movements", 1985).
func (h *hand) near(t float64) float64 {
	f := math.Max(0, math.Min(1, (t-h.begin)/h.travel))
	return f * f * f * (10 - 15*f + 6*f*f)
}

func (h *hand) pose(c *Conditions, t float64) {
	wave := func(i int, hz float64) float64 { return math.Sin(2*math.Pi*hz*t + h.phase[i]) }
	near := h.near(t)
	if h.k.pass {
		near = 1
	}
	c.X, c.Y = h.place(t)
	c.Pitch = h.pitch * (0.75 + 0.25*near) * (1 + 0.01*h.shake*wave(6, 0.4))
	c.Rotation = h.rotation + h.shake*1.5*wave(7, 0.5) + 8*(1-near)*math.Sin(h.phase[7])
	swing := h.shake * 1.5 * wave(8, 0.6)
	c.Tilt = math.Min(h.steepest, math.Abs(h.tilt+swing+10*(1-near)))
	// A mirror that turns by an angle turns the reflection by twice as much.
	c.Slide = [2]float64{2 * focal * math.Sin(swing*math.Pi/180) / c.Pitch, 2 * focal * math.Sin(h.shake*wave(9, 0.5)*math.Pi/180) / c.Pitch}
	c.Blur = math.Hypot(h.blur, h.k.focus*math.Exp(-t/0.5))
}
