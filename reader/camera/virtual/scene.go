package virtual

import (
	"image"
	"math"
	"math/rand/v2"
)

// Scene is a room, a hand and a sensor. Render is a pure function of its
// arguments, but shares scratch memory: one goroutine at a time.
type Scene struct {
	size  image.Point
	look  Look
	seed  uint64
	focal float64 // pixels: a lens of 60° across the frame
	hand  hand
	blank texture // the phone without a code

	room  []uint8 // luma of the empty room
	noise []int8  // a noiseLen-long stretch of noise, and one row more

	// gain, per pixel column and row, of the light that falls off across the frame.
	gainX, gainY []float64

	// Where the reflection lies as the hand first holds the phone, from the code's centre in units of its side.
	glareX, glareY float64

	a, b           []uint16 // work pictures of the phone's bounding box
	acc            []uint32
	glareU, glareV []uint32 // a lamp's reflection is a product of two Gaussians
}

const (
	noiseLen = 1 << 16
	shift    = 6 // work pictures hold luma << shift, so that blurs do not round
)

// NewScene prepares a scene; size zero means 1280×720, look zero means [DefaultLook].
func NewScene(seed uint64, size image.Point, look Look) *Scene {
	if size == (image.Point{}) {
		size = image.Pt(1280, 720)
	}
	if look == (Look{}) {
		look = DefaultLook()
	}
	rng := rand.New(rand.NewPCG(seed, 0x6d756e6a696769))
	s := &Scene{
		size: size, look: look, seed: rng.Uint64(),
		focal: float64(size.X) * math.Sqrt(3) / 2,
		blank: blankPhone(look),
		noise: make([]int8, noiseLen+size.X),
		a:     make([]uint16, size.X*size.Y), b: make([]uint16, size.X*size.Y),
		acc:    make([]uint32, size.X),
		glareU: make([]uint32, size.X), glareV: make([]uint32, size.Y),
	}
	signed := func() float64 { // ±(0.5 … 1)
		v := 0.5 + rng.Float64()/2
		if rng.IntN(2) == 0 {
			return -v
		}
		return v
	}
	s.hand = hand{roll: look.Roll * signed(), tiltX: look.Tilt * signed() * 0.7, tiltY: look.Tilt * signed() * 0.7, side: math.Copysign(1, signed())}
	for i := range s.hand.phase {
		s.hand.phase[i] = 2 * math.Pi * rng.Float64()
	}
	s.glareX, s.glareY = (rng.Float64()-0.5)/2, (rng.Float64()-0.5)/2
	for i := range s.noise {
		s.noise[i] = int8(math.Round(math.Max(-127, math.Min(127, rng.NormFloat64()*look.Noise))))
	}
	s.light(2 * math.Pi * rng.Float64())
	s.room = s.drawRoom(rng)
	return s
}

// light prepares the gradient: the light comes from direction angle.
func (s *Scene) light(angle float64) {
	sin, cos := math.Sincos(angle)
	s.gainX, s.gainY = make([]float64, s.size.X), make([]float64, s.size.Y)
	for x := range s.gainX {
		s.gainX[x] = 1 + s.look.Gradient/2*cos*(2*float64(x)/float64(s.size.X)-1)
	}
	for y := range s.gainY {
		s.gainY[y] = 1 + s.look.Gradient/2*sin*(2*float64(y)/float64(s.size.Y)-1)
	}
}

// drawRoom paints what stands behind the phone, out of focus: a wall, a door
// with light behind it, a lamp, and the visitor.
func (s *Scene) drawRoom(rng *rand.Rand) []uint8 {
	w, h := float64(s.size.X), float64(s.size.Y)
	door := 0.08 + 0.1*rng.Float64()
	body := 0.42 + 0.16*rng.Float64()
	lamp := 0.7 + 0.2*rng.Float64()
	for y := 0; y < s.size.Y; y++ {
		for x := 0; x < s.size.X; x++ {
			u, v := (float64(x)-w/2)/h, float64(y)/h // the frame is 1 high
			X := float64(x) / w
			luma := 52 - 14*v
			if v > 0.82 {
				luma = 30
			}
			if X > door && X < door+0.15 && v > 0.1 && v < 0.82 {
				luma = 86 - 20*v
			}
			luma += 120 * math.Exp(-(math.Pow((X-lamp)*w/h, 2)+math.Pow(v-0.06, 2))/0.006)
			bu := u - (body-0.5)*w/h
			if math.Hypot(bu/0.34, (v-1.0)/0.42) < 1 { // shoulders
				luma = 38 + 10*math.Sin(v*40)*0.2
			}
			if math.Hypot(bu/0.13, (v-0.38)/0.18) < 1 { // face, hair above it
				luma = 84 - 60*math.Max(0, math.Min(1, (0.3-v)/0.05))
			}
			s.a[y*s.size.X+x] = uint16(luma * s.gainX[x] * s.gainY[y] * (1 << shift))
		}
	}
	s.blur(s.size.X, s.size.Y, h/90)
	room := make([]uint8, len(s.a))
	for i, v := range s.a {
		room[i] = uint8(min(255, v>>shift))
	}
	return room
}

// Render draws frame number n into dst: the phone with screen at pose, or the
// empty room if screen is nil. The number picks the noise and the phase of the
// bands, nothing else.
func (s *Scene) Render(dst *image.Gray, screen *Screen, pose Pose, n uint64) {
	w, h := s.size.X, s.size.Y
	if cap(dst.Pix) < w*h {
		dst.Pix = make([]uint8, w*h)
	}
	dst.Pix, dst.Stride, dst.Rect = dst.Pix[:w*h], w, image.Rect(0, 0, w, h)
	var box image.Rectangle
	if screen != nil {
		box = s.drawPhone(screen, pose, n)
	}
	for y := 0; y < h; y++ {
		noise := s.noise[mix(s.seed, n, uint64(y))%noiseLen:]
		row := dst.Pix[y*w : y*w+w]
		if y < box.Min.Y || y >= box.Max.Y {
			addNoise8(row, s.room[y*w:], noise)
			continue
		}
		addNoise8(row[:box.Min.X], s.room[y*w:], noise)
		addNoise16(row[box.Min.X:box.Max.X], s.a[(y-box.Min.Y)*box.Dx():], noise[box.Min.X:])
		addNoise8(row[box.Max.X:], s.room[y*w+box.Max.X:], noise[box.Max.X:])
	}
	if s.look.Mirrored {
		for y := 0; y < h; y++ {
			row := dst.Pix[y*w : y*w+w]
			for i, j := 0, w-1; i < j; i, j = i+1, j-1 {
				row[i], row[j] = row[j], row[i]
			}
		}
	}
}

func addNoise8(dst, src []uint8, noise []int8) {
	src, noise = src[:len(dst)], noise[:len(dst)]
	for i := range dst {
		v := int(src[i]) + int(noise[i])
		if uint(v) > 255 {
			v = ^(v >> 31) & 255
		}
		dst[i] = uint8(v)
	}
}

func addNoise16(dst []uint8, src []uint16, noise []int8) {
	src, noise = src[:len(dst)], noise[:len(dst)]
	for i := range dst {
		v := int(src[i]>>shift) + int(noise[i])
		if uint(v) > 255 {
			v = ^(v >> 31) & 255
		}
		dst[i] = uint8(v)
	}
}

// mix scatters its arguments (the finalizer of splitmix64).
func mix(seed, n, y uint64) uint64 {
	z := seed + n*0x9e3779b97f4a7c15 + y*0xd1342543de82ef95
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
