// Package screens renders what a kiosk's camera sees of a phone that shows a
// pass: seeded gray pictures, 1280×720 unless asked otherwise, in which each
// physical degradation has a number of its own, and the truth beside them.
//
// Use [Sweeps] for one degradation at a time, [Mix] for all at once, [Streams]
// for a hand that comes in, [Condition] for one that does something wrong, [Blanks]
// for pictures without a code. A [Case] is
// small and is drawn by [Case.Render]; the same seed gives the same picture.
//
// Light takes the way it takes in the world: the screen's radiance → pinhole
// perspective, integrated over each pixel's area (5×5 samples) → the lamp's reflection
// added → lens blur → motion while the shutter is open → moiré and the
// light's gradient → gamma → the sensor's noise → rounding into 8 bits.
package screens

import (
	"image"
	"math"
	"math/rand/v2"
)

// Size of the pictures.
const Width, Height = 1280, 720

// Conditions say how the phone is held, lit and seen. Lengths in pixels,
// angles in degrees, light in gray levels of 0…255.
type Conditions struct {
	X, Y     float64    // the code's centre
	Pitch    float64    // a module's side at the centre, before tilt
	Rotation float64    // in the picture, clockwise
	Tilt     float64    // away from the camera …
	Axis     float64    // … about this direction in the screen
	Blur     float64    // lens, Gaussian σ
	Motion   float64    // length of the path while the shutter is open …
	Heading  float64    // … and its direction
	Noise    float64    // sensor, Gaussian σ
	Mid      float64    // mean of white and black before gradient and gamma …
	Contrast float64    // … and their difference
	Glare    float64    // share of the code's area under the lamp's reflection, 0…1
	Slide    [2]float64 // of the reflection over the glass, modules
	Gradient float64    // share of the light lost across the code's diagonal, 0…1
	Gamma    float64    // exponent on 0…1: above 1 darker
	Moire    float64    // amplitude of the beat between screen and sensor, 0…1
	Version  int        // 10…12
}

// Case is one picture: what is seen, and how.
type Case struct {
	Set   string  // "pitch" … "moire", "mix"
	Level float64 // of the degradation swept
	Text  string  // the truth
	Conditions
	Seed   uint64 // of the phone's looks, the room and the noise
	Number uint64 // of the frame in a stream: another noise, the same phone

	code matrix
}

// Modules is the symbol's side.
func (c *Case) Modules() int { return c.code.n }

// Dark says whether the module in column u, row v is dark.
func (c *Case) Dark(u, v int) bool { return c.code.dark[v*c.code.n+u] }

// focal length in pixels: 65° across the picture.
const focal = Width / 2 / 0.637

// homography maps modules (origin the code's centre) to pixels, a 3×3 row by row.
func (c *Conditions) homography() [9]float64 {
	const deg = math.Pi / 180
	// Turn about the axis k = (kx, ky, 0) by the tilt (Rodrigues' formula), then in the picture.
	kx, ky := math.Cos(c.Axis*deg), math.Sin(c.Axis*deg)
	st, ct := math.Sincos(c.Tilt * deg)
	ax, ay, az := ct+kx*kx*(1-ct), kx*ky*(1-ct), -ky*st
	bx, by, bz := kx*ky*(1-ct), ct+ky*ky*(1-ct), kx*st
	sr, cr := math.Sincos(c.Rotation * deg)
	ax, ay = cr*ax-sr*ay, sr*ax+cr*ay
	bx, by = cr*bx-sr*by, sr*bx+cr*by
	d := focal / c.Pitch // distance in modules
	tx, ty := (c.X-Width/2)/c.Pitch, (c.Y-Height/2)/c.Pitch
	return [9]float64{
		focal*ax + Width/2*az, focal*bx + Width/2*bz, focal*tx + Width/2*d,
		focal*ay + Height/2*az, focal*by + Height/2*bz, focal*ty + Height/2*d,
		az, bz, d,
	}
}

// invert inverts a homography, up to a factor.
func invert(m [9]float64) [9]float64 {
	return [9]float64{
		m[4]*m[8] - m[5]*m[7], m[2]*m[7] - m[1]*m[8], m[1]*m[5] - m[2]*m[4],
		m[5]*m[6] - m[3]*m[8], m[0]*m[8] - m[2]*m[6], m[2]*m[3] - m[0]*m[5],
		m[3]*m[7] - m[4]*m[6], m[1]*m[6] - m[0]*m[7], m[0]*m[4] - m[1]*m[3],
	}
}

func project(m *[9]float64, u, v float64) (x, y float64) {
	w := m[6]*u + m[7]*v + m[8]
	return (m[0]*u + m[1]*v + m[2]) / w, (m[3]*u + m[4]*v + m[5]) / w
}

// Project gives the place in the picture of a point of the symbol in modules:
// (0, 0) is its top left corner, (0.5, 0.5) the middle of the first module.
// The middle of the first pixel is (0.5, 0.5).
func (c *Case) Project(u, v float64) (x, y float64) {
	h, half := c.homography(), float64(c.code.n)/2
	return project(&h, u-half, v-half)
}

// Corners of the symbol without its quiet zone: top left, top right, bottom right, bottom left.
func (c *Case) Corners() [4][2]float64 {
	n := float64(c.code.n)
	var out [4][2]float64
	for i, p := range [4][2]float64{{0, 0}, {n, 0}, {n, n}, {0, n}} {
		out[i][0], out[i][1] = c.Project(p[0], p[1])
	}
	return out
}

// InView says whether the symbol with margin modules around it lies within the picture.
func (c *Case) InView(margin float64) bool {
	n := float64(c.code.n) + margin
	for _, p := range [4][2]float64{{-margin, -margin}, {n, -margin}, {n, n}, {-margin, n}} {
		if x, y := c.Project(p[0], p[1]); x < 0 || y < 0 || x > Width || y > Height {
			return false
		}
	}
	return true
}

// Render draws the case into dst, whose memory is reused.
func (c *Case) Render(dst *image.Gray) {
	reset(dst, Width, Height)
	rng := rand.New(rand.NewPCG(c.Seed, 0x73637265656e))
	light := room(rng, Width, Height)
	phone := newPhone(c, rng)
	area, cover, box := phone.draw(light)
	if !box.Empty() {
		phone.glare(area, cover, box, rng)
		blur(area, box.Dx(), box.Dy(), c.Blur)
		motion(area, box.Dx(), box.Dy(), c.Motion, c.Heading)
		phone.moire(area, cover, box, rng)
		for y := range box.Dy() {
			copy(light[(box.Min.Y+y)*Width+box.Min.X:], area[y*box.Dx():(y+1)*box.Dx()])
		}
	}
	sense(dst, light, c, rng)
}

func reset(g *image.Gray, w, h int) {
	if cap(g.Pix) < w*h {
		g.Pix = make([]uint8, w*h)
	}
	g.Pix, g.Stride, g.Rect = g.Pix[:w*h], w, image.Rect(0, 0, w, h)
}
