package screens

import (
	"image"
	"math"
	"math/rand/v2"
)

// toned maps radiance in gray levels through gamma: 8 steps to a level up to beyond twice white.
type toned [8 * 600]float32

func tone(gamma float64) *toned {
	t := new(toned)
	for i := range t {
		t[i] = float32(255 * math.Pow(float64(i)/8/255, gamma))
	}
	return t
}

func (t *toned) at(v float32) float32 {
	v *= 8
	if v <= 0 {
		return t[0]
	}
	if v >= float32(len(t)-1) {
		return t[len(t)-1]
	}
	i := int(v)
	return t[i] + (t[i+1]-t[i])*(v-float32(i))
}

// normals is a store of Gaussian noise, of σ 1; a row begins anywhere in it.
type normals []float32

const store = 1 << 15

func newNormals(rng *rand.Rand, width int) normals {
	n := make(normals, store+width)
	for i := range n {
		n[i] = float32(rng.NormFloat64())
	}
	return n
}

// sense lets the light fall on the sensor: gradient, gamma, noise, 8 bits.
func sense(dst *image.Gray, light []float32, c *Case, rng *rand.Rand) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
	across := math.Max(1, c.Pitch*float64(c.code.n)*math.Sqrt2)
	gain := func(x, y float64) float32 {
		t := ((x-c.X)*cos+(y-c.Y)*sin)/across + 0.5
		t = math.Max(0, math.Min(1, t))
		return float32(1 - c.Gradient*t*t*(3-2*t))
	}
	curve := tone(c.Gamma)
	noise := newNormals(rng, w)
	offsets := rand.New(rand.NewPCG(c.Seed, c.Number))
	sigma := float32(c.Noise)
	for y := range h {
		n := noise[offsets.IntN(store):][:w]
		row, in := dst.Pix[y*dst.Stride:][:w], light[y*w:][:w]
		g := float32(1)
		for x, v := range in {
			if c.Gradient > 0 && x%4 == 0 {
				g = gain(float64(x), float64(y))
			}
			v = curve.at(v*g) + sigma*n[x]
			row[x] = uint8(max(0, min(255, v+0.5)))
		}
	}
}
