package virtual

import (
	"math"
	"time"
)

// Look says how a scene is held and seen. Start from [DefaultLook] and change
// what is to be hard; a Look of all zeros stands for DefaultLook itself.
type Look struct {
	// Scale is the phone's size when held: pixels per millimetre at a frame width of 1280
	// (other widths in proportion). The phone is 72 mm × 150 mm.
	Scale float64
	// CodeWidth is the width in mm of the code with its quiet zone of 4 modules on each
	// side, whatever the number of modules; at most 64.
	CodeWidth float64
	// Roll and Tilt in degrees: how far from upright and from face-on the hand holds the phone.
	// The seed picks the direction, and an angle between half of it and all of it.
	Roll, Tilt float64
	// Jitter in mm: how far the hand wanders while it holds.
	Jitter float64
	// Blur is the lens's Gaussian σ in pixels.
	Blur float64
	// Shutter is the share of the frame time the shutter is open, 0…1: motion blur.
	Shutter float64
	// Noise is the sensor's Gaussian σ in gray levels.
	Noise float64
	// Glare is the share of the code's area washed out by a lamp's reflection, 0…1.
	Glare float64
	// Gradient is how much the light differs across the frame, 0…1.
	Gradient float64
	// Banding is the depth of the dark bands that a dimmed OLED screen shows to a rolling shutter, 0…1.
	Banding float64
	// White and Black are the screen's luma for a light and a dark module.
	White, Black uint8
	// Inverted shows the code in dark mode; Mirrored flips the whole frame as a selfie camera does.
	Inverted, Mirrored bool
	// Travel is how long the hand takes to come and to go.
	Travel time.Duration
}

// DefaultLook is an ordinary visitor before an ordinary camera: a version 7
// code at about 4 pixels per module, slightly blurred and noisy.
func DefaultLook() Look {
	return Look{
		Scale: 3.9, CodeWidth: 58, Roll: 7, Tilt: 10, Jitter: 1.6,
		Blur: 0.8, Shutter: 0.35, Noise: 3, Glare: 0.01, Gradient: 0.25, Banding: 0.03,
		White: 225, Black: 28, Travel: 700 * time.Millisecond,
	}
}

// Pose is where the phone is, seen from the camera.
type Pose struct {
	X, Y  float64 // the code's centre, pixels
	Scale float64 // pixels per millimetre at the code's centre
	// Degrees. Roll turns in the picture (clockwise), TiltX about the phone's horizontal axis, TiltY about its vertical one.
	Roll, TiltX, TiltY float64
	// Motion in pixels while the shutter is open.
	Motion [2]float64
}

// matrix maps millimetres on the phone's plane (origin the code's centre, x
// right, y down) to pixels: a pinhole camera with focal length f pixels whose
// optical axis is taken through the code's centre.
func (p Pose) matrix(f float64) [9]float64 {
	const deg = math.Pi / 180
	sr, cr := math.Sincos(p.Roll * deg)
	sx, cx := math.Sincos(p.TiltX * deg)
	sy, cy := math.Sincos(p.TiltY * deg)
	// Columns of Rz(roll)·Rx(tiltX)·Ry(tiltY) for the plane's two axes.
	ax, ay, az := cy, sx*sy, -cx*sy
	bx, by, bz := 0.0, cx, sx
	ax, ay = cr*ax-sr*ay, sr*ax+cr*ay
	bx, by = cr*bx-sr*by, sr*bx+cr*by
	d := f / p.Scale // distance in mm
	gx, gy := az/d, bz/d
	s := p.Scale
	return [9]float64{
		s*ax + p.X*gx, s*bx + p.X*gy, p.X,
		s*ay + p.Y*gx, s*by + p.Y*gy, p.Y,
		gx, gy, 1,
	}
}

// invert inverts a 3×3 matrix up to a factor, which a homography may do.
func invert(m [9]float64) [9]float64 {
	return [9]float64{
		m[4]*m[8] - m[5]*m[7], m[2]*m[7] - m[1]*m[8], m[1]*m[5] - m[2]*m[4],
		m[5]*m[6] - m[3]*m[8], m[0]*m[8] - m[2]*m[6], m[2]*m[3] - m[0]*m[5],
		m[3]*m[7] - m[4]*m[6], m[1]*m[6] - m[0]*m[7], m[0]*m[4] - m[1]*m[3],
	}
}

func project(m [9]float64, x, y float64) (float64, float64) {
	w := m[6]*x + m[7]*y + m[8]
	return (m[0]*x + m[1]*y + m[2]) / w, (m[3]*x + m[4]*y + m[5]) / w
}

// hand is how one visitor holds the phone, drawn from the seed.
type hand struct {
	roll, tiltX, tiltY float64
	side               float64 // −1 comes from the left, +1 from the right
	phase              [8]float64
}

// handPose is the pose at t seconds, near = 0 (below the frame's edge) … 1 (held).
func (s *Scene) handPose(near, t float64) Pose {
	l, h := s.look, s.hand
	unit := float64(s.size.X) / 1280
	wave := func(i int, hz float64) float64 { return math.Sin(2*math.Pi*hz*t + h.phase[i]) }
	e := near * near * (3 - 2*near) // eased
	far := 1 - e
	scale := l.Scale * unit * (1 - 0.35*far) * (1 + 0.012*wave(0, 0.41))
	j := l.Jitter * scale
	return Pose{
		X: float64(s.size.X)*0.5 + j*(0.7*wave(1, 0.53)+0.3*wave(2, 1.31)+0.04*wave(3, 8.7)) + far*h.side*float64(s.size.X)*0.22,
		// Far enough below that the whole phone is out of sight when near is 0.
		Y:     float64(s.size.Y)*0.44 + j*(0.6*wave(4, 0.67)+0.4*wave(5, 1.73)+0.04*wave(6, 9.6)) + far*(float64(s.size.Y)*0.6+90*scale),
		Scale: scale,
		Roll:  h.roll + l.Jitter*0.8*wave(7, 0.37) + far*h.side*14,
		TiltX: h.tiltX + l.Jitter*1.1*wave(2, 0.61) + far*25,
		TiltY: h.tiltY + l.Jitter*1.3*wave(5, 0.47),
	}
}
