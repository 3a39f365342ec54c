package screens

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Steps and Repeats of each sweep: 12 levels of 9 pictures.
const Steps, Repeats = 12, 9

// sweep is one degradation from its mildest to its hardest, by f from 0 to 1.
type sweep struct {
	name string
	at   func(f float64) float64
	set  func(c *Conditions, v float64)
}

func linear(a, b float64) func(float64) float64 {
	return func(f float64) float64 { return a + (b-a)*f }
}
func ratio(a, b float64) func(float64) float64 {
	return func(f float64) float64 { return a * math.Pow(b/a, f) }
}

var sweeps = []sweep{
	{"pitch", linear(6, 1.5), func(c *Conditions, v float64) { c.Pitch = v }},
	{"tilt", linear(0, 50), func(c *Conditions, v float64) { c.Tilt = v }},
	{"blur", linear(0.5, 3.5), func(c *Conditions, v float64) { c.Blur = v }},
	{"motion", linear(2, 12), func(c *Conditions, v float64) { c.Motion = v }},
	{"noise", linear(0, 60), func(c *Conditions, v float64) { c.Noise = v }},
	{"contrast", linear(160, 10), func(c *Conditions, v float64) { c.Contrast = v }},
	{"glare", linear(0.02, 0.30), func(c *Conditions, v float64) { c.Glare = v }},
	{"gradient", linear(0.1, 0.95), func(c *Conditions, v float64) { c.Gradient = v }},
	{"gamma", ratio(0.3, 4), func(c *Conditions, v float64) { c.Gamma = v }},
	{"moire", linear(0.05, 0.5), func(c *Conditions, v float64) { c.Moire = v }},
}

// Sweeps gives each degradation at 12 levels with 9 pictures each, everything
// else being mild: 1080 cases, by degradation and level.
func Sweeps(seed uint64) ([]*Case, error) {
	var out []*Case
	for i, s := range sweeps {
		for step := range Steps {
			level := s.at(float64(step) / (Steps - 1))
			for n := range Repeats {
				rng := rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(step)<<16|uint64(n)))
				c := &Case{Set: s.name, Level: level, Conditions: mild(rng)}
				s.set(&c.Conditions, level)
				if err := c.finish(rng); err != nil {
					return nil, err
				}
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// mild is an ordinary visitor.
func mild(rng *rand.Rand) Conditions {
	return Conditions{
		Pitch: 4, Tilt: 8, Blur: 0.65, Noise: 4, Mid: 110, Contrast: 140, Gamma: 1, Gradient: 0.2,
		Version: minVersion + rng.IntN(maxVersion-minVersion+1),
	}
}

// Mix draws all degradations at once, n times.
func Mix(seed uint64, n int) ([]*Case, error) {
	out := make([]*Case, n)
	for i := range out {
		rng := rand.New(rand.NewPCG(seed, 0x6d6978<<32|uint64(i)))
		c := &Case{Set: "mix", Conditions: mixed(rng)}
		if err := c.finish(rng); err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// mixed draws every degradation.
func mixed(rng *rand.Rand) Conditions {
	return Conditions{
		Pitch:    ratio(2, 6)(rng.Float64()),
		Tilt:     math.Min(45, math.Abs(rng.NormFloat64()*18)),
		Blur:     0.4 + 1.2*rng.Float64(),
		Motion:   math.Max(0, 2*rng.ExpFloat64()-0.5),
		Noise:    1 + 9*rng.Float64(),
		Glare:    []float64{0, 0, 0, 0.03, 0.06}[rng.IntN(5)],
		Gradient: 0.5 * rng.Float64(),
		Gamma:    ratio(0.5, 2)(rng.Float64()),
		Mid:      90 + 60*rng.Float64(),
		Contrast: 50 + 100*rng.Float64(),
		Moire:    0.1 * rng.Float64(),
		Version:  minVersion + rng.IntN(maxVersion-minVersion+1),
	}
}

// finish draws what no set prescribes: the text, how the phone is turned, and
// a place where the symbol lies wholly in the picture.
func (c *Case) finish(rng *rand.Rand) error {
	c.Seed = rng.Uint64()
	c.Rotation, c.Axis, c.Heading = 360*rng.Float64(), 360*rng.Float64(), 360*rng.Float64()
	if err := c.issue(rng); err != nil {
		return err
	}
	for reach := 0.5; ; reach *= 0.9 { // as far from the middle as fits
		c.X = Width/2 + Width*reach*(2*rng.Float64()-1)
		c.Y = Height/2 + Height*reach*(2*rng.Float64()-1)
		if c.InView(2) {
			return nil
		}
		if reach < 1e-3 {
			return fmt.Errorf("a symbol of version %d at %.1f pixels a module does not fit into the picture", c.Version, c.Pitch)
		}
	}
}

func (c *Case) issue(rng *rand.Rand) (err error) {
	if c.Text, err = issue(rng); err != nil {
		return err
	}
	c.code, err = encode(c.Text, c.Version, rng.IntN(8))
	return err
}
