package screens

import (
	"image"
	"math"
	"math/rand/v2"
)

// reflection is a lamp seen in the phone's glass: an oval of about flat
// brightness with soft edges, at (u, v) in modules from the code's centre.
type reflection struct{ u, v, long, short, sin, cos float64 }

// peak of a reflection, gray levels: white and black are both beyond the sensor's end.
const peak = 255

func newReflection(c *Case, rng *rand.Rand) reflection {
	n := float64(c.code.n)
	aspect := 1 + 1.5*rng.Float64()
	r := reflection{u: n * (rng.Float64() - 0.5) * 0.8, v: n * (rng.Float64() - 0.5) * 0.8}
	r.sin, r.cos = math.Sincos(2 * math.Pi * rng.Float64())
	r.short = math.Sqrt(c.Glare * n * n / math.Pi / aspect)
	r.long = r.short * aspect
	r.u, r.v = r.u+c.Slide[0], r.v+c.Slide[1]
	return r
}

// glare adds the reflection to what the phone covers.
func (p *phone) glare(area, cover []float32, box image.Rectangle, rng *rand.Rand) {
	r := newReflection(p.c, rng) // drawn even when unused: the numbers after it stay the same
	if p.c.Glare <= 0 {
		return
	}
	w := box.Dx()
	for i, share := range cover {
		if share == 0 {
			continue
		}
		u, v := project(&p.i2h, float64(box.Min.X+i%w)+0.5, float64(box.Min.Y+i/w)+0.5)
		u, v = u-r.u, v-r.v
		a, b := (u*r.cos+v*r.sin)/r.long, (v*r.cos-u*r.sin)/r.short
		if d := a*a + b*b; d < 9 {
			area[i] += share * peak * float32(math.Exp(-math.Ln2*d*d)) // half of it where d = 1
		}
	}
}

// moire multiplies the screen's light by the beat of its pixel grid with the
// sensor's. It arises where the picture is sampled, so that no lens blurs it.
func (p *phone) moire(area, cover []float32, box image.Rectangle, rng *rand.Rand) {
	period, angle := 3*math.Pow(5, rng.Float64()), 2*math.Pi*rng.Float64() // 3…15 pixels
	second, phase := 0.4+0.4*rng.Float64(), 2*math.Pi*rng.Float64()
	if p.c.Moire <= 0 {
		return
	}
	phase += 1.7 * float64(p.c.Number)
	sin, cos := math.Sincos(angle)
	k := 2 * math.Pi / period
	w := box.Dx()
	for i, share := range cover {
		if share == 0 {
			continue
		}
		x, y := float64(box.Min.X+i%w), float64(box.Min.Y+i/w)
		s := math.Sin(k*(x*cos+y*sin)+phase) + second*math.Sin(k*0.83*(y*cos-x*sin)-phase)
		area[i] *= 1 + share*float32(p.c.Moire*s/(1+second))
	}
}

// room is what stands around the phone, out of focus: walls and doors as
// large patches of light, a lamp, a dark shape.
func room(rng *rand.Rand, w, h int) []float32 {
	base := 30 + 50*rng.Float64()
	type patch struct{ x, y, rx, ry, soft, add float64 }
	patches := make([]patch, 7)
	for i := range patches {
		patches[i] = patch{
			x: rng.Float64(), y: rng.Float64(),
			rx: 0.05 + 0.25*rng.Float64(), ry: 0.05 + 0.4*rng.Float64(),
			soft: 0.02 + 0.05*rng.Float64(), add: -40 + 100*rng.Float64(),
		}
	}
	patches[0].rx, patches[0].ry, patches[0].add = 0.04, 0.06, 160 // the lamp
	light := make([]float32, w*h)
	for i := range light {
		light[i] = float32(base)
	}
	side := func(d, r, soft float64) float64 { return 1 / (1 + math.Exp((math.Abs(d)-r)/soft)) }
	column := make([]float32, w)
	for _, p := range patches { // each is a product of a function of x and one of y
		for x := range column {
			column[x] = float32(p.add * side(float64(x)/float64(w)-p.x, p.rx, p.soft))
		}
		for y := range h {
			f := float32(side(float64(y)/float64(h)-p.y, p.ry, p.soft))
			if f < 0.001 {
				continue
			}
			row := light[y*w:][:w]
			for x, v := range column {
				row[x] += f * v
			}
		}
	}
	for i, v := range light {
		light[i] = max(8, v)
	}
	return light
}
