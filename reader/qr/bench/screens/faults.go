package screens

import "math/rand/v2"

// Fault is a short stream in which one thing is so wrong that the code can
// hardly be read, and nothing else is: what a visitor should be told of.
type Fault struct {
	Kind   string // as package qr calls it; "none" is an ordinary visitor
	Frames []*Case
}

// FaultFrames is a fifth of a second.
const FaultFrames = 6

var faults = []struct {
	kind string
	set  func(c *Conditions, f float64) // f from 0 to 1 is bad to worse
}{
	{"none", func(c *Conditions, f float64) { c.Pitch = 3 + 2*f }},
	{"too small", func(c *Conditions, f float64) { c.Pitch, c.Blur = 1.1-0.2*f, 0.6 }},
	{"too large", func(c *Conditions, f float64) { c.Pitch = 15 + 3*f }},
	{"moving", func(c *Conditions, f float64) { c.Motion = 11 + 5*f }},
	{"out of focus", func(c *Conditions, f float64) { c.Blur = 3 + 0.6*f }},
	{"glare", func(c *Conditions, f float64) { c.Glare = 0.55 + 0.3*f }},
	{"too dark", func(c *Conditions, f float64) { c.Gamma = 11 + 8*f }},
	{"too bright", func(c *Conditions, f float64) { c.Gamma = 0.01 - 0.008*f }},
	{"tilted", func(c *Conditions, f float64) { c.Tilt = 68 + 6*f }},
}

// Faults gives n streams of each kind, the phone in a trembling hand.
func Faults(seed uint64, n int) ([]*Fault, error) {
	var out []*Fault
	for i, k := range faults {
		for j := range n {
			rng := rand.New(rand.NewPCG(seed, 0x6661756c<<32|uint64(i)<<16|uint64(j)))
			still := Case{Set: k.kind, Conditions: mild(rng)}
			if err := still.finish(rng); err != nil {
				return nil, err
			}
			still.X, still.Y = Width/2+40*rng.NormFloat64(), Height/2+20*rng.NormFloat64()
			k.set(&still.Conditions, rng.Float64())
			s := &Fault{Kind: k.kind}
			for m := range FaultFrames {
				c := still
				c.Number = uint64(m)
				c.X, c.Y = c.X+2*rng.NormFloat64(), c.Y+2*rng.NormFloat64()
				c.Heading += 5 * rng.NormFloat64()
				s.Frames = append(s.Frames, &c)
			}
			out = append(out, s)
		}
	}
	return out, nil
}
