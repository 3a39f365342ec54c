package virtual

import (
	"image"
	"math"
)

// span is how many pixels of a row lie between two exact perspective divisions.
const span = 16

// drawPhone paints the phone's bounding box into s.a, with the room behind,
// the lamp's reflection, the bands and both blurs, and returns that box.
func (s *Scene) drawPhone(screen *Screen, pose Pose, n uint64) image.Rectangle {
	m := pose.matrix(s.focal)
	quad := [4][2]float64{}
	box := image.Rectangle{Min: s.size, Max: image.Point{}}
	margin := int(3*s.look.Blur + math.Abs(pose.Motion[0])/2 + math.Abs(pose.Motion[1])/2 + 3)
	for i, c := range [4][2]float64{{0, 0}, {texWidth, 0}, {texWidth, texHeight}, {0, texHeight}} {
		quad[i][0], quad[i][1] = project(m, texLeft+c[0], texTop+c[1])
		x, y := int(math.Floor(quad[i][0])), int(math.Floor(quad[i][1]))
		box.Min.X, box.Max.X = min(box.Min.X, x-margin), max(box.Max.X, x+margin+1)
		box.Min.Y, box.Max.Y = min(box.Min.Y, y-margin), max(box.Max.Y, y+margin+1)
	}
	box = box.Intersect(image.Rectangle{Max: s.size})
	if box.Empty() {
		return image.Rectangle{}
	}
	// The level whose texels are the nearest above the pixels' fineness.
	level := 0
	for level < levels-1 && texelsPerMM/pose.Scale/float64(int(2)<<level) >= 0.9 {
		level++
	}
	tex := screen.mip[level]
	fine := texelsPerMM / float64(int(1)<<level)
	inv := invert(m)
	s.prepareGlare(screen, pose, box)
	w := box.Dx()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := s.a[(y-box.Min.Y)*w:][:w]
		room := s.room[y*s.size.X+box.Min.X:][:w]
		for i, v := range room {
			row[i] = uint16(v) << shift
		}
		x0, x1 := crossing(quad, float64(y)+0.5)
		lo, hi := max(box.Min.X, int(x0)), min(box.Max.X, int(x1)+1)
		if lo < hi {
			s.drawRow(row, tex, fine, inv, box, lo, hi, y, s.band(y, n))
		}
	}
	s.smear(w, box.Dy(), pose.Motion)
	s.blur(w, box.Dy(), s.look.Blur)
	return box
}

// band is the gain of row y by the screen's dimming pulses.
func (s *Scene) band(y int, n uint64) float64 {
	period := float64(s.size.Y) / 3.7
	return 1 - s.look.Banding*(0.5+0.5*math.Sin(2*math.Pi*(float64(y)/period+float64(n)*0.137)))
}

func (s *Scene) drawRow(row []uint16, tex texture, fine float64, inv [9]float64, box image.Rectangle, lo, hi, y int, band float64) {
	// Texture coordinates as 16.16, minus half a texel so that the weights are between centres.
	at := func(x int) (int32, int32) {
		u, v := project(inv, float64(x)+0.5, float64(y)+0.5)
		return int32(((u-texLeft)*fine - 0.5) * 65536), int32(((v-texTop)*fine - 0.5) * 65536)
	}
	gainY := band * s.gainY[y] * 4096
	glare := s.glareV[y]
	u, v := at(lo)
	for x := lo; x < hi; {
		n := min(span, hi-x)
		u1, v1 := at(x + n)
		du, dv := (u1-u)/int32(n), (v1-v)/int32(n)
		gain := uint32(s.gainX[x] * gainY)
		for i := 0; i < n; i++ {
			tx, ty := int(u>>16), int(v>>16)
			if uint(tx) < uint(tex.w-1) && uint(ty) < uint(tex.h-1) {
				fx, fy := uint32(u)>>8&255, uint32(v)>>8&255
				p := tex.pix[ty*tex.w+tx:]
				q := p[tex.w:]
				top := (p[0]*(256-fx) + p[1]*fx) >> 8 & 0x00ff00ff
				low := (q[0]*(256-fx) + q[1]*fx) >> 8 & 0x00ff00ff
				c := (top*(256-fy) + low*fy) >> 8 & 0x00ff00ff
				if cover := c >> 16; cover > 0 {
					k := x + i - box.Min.X
					lit := (c & 0xff) * gain >> (12 - shift)
					if glare > 0 {
						lit += glare * s.glareU[x+i] >> 16 << shift
					}
					row[k] = uint16(min(255<<shift, lit+uint32(row[k])*(255-cover)>>8))
				}
			}
			u, v = u+du, v+dv
		}
		u, v = u1, v1
		x += n
	}
}

// prepareGlare places the lamp's reflection: an oval blob, twice as wide as
// high, that slides over the glass as the hand tilts it. Its middle is three times white, so that
// an area of 7.5·σx·σy is washed out.
func (s *Scene) prepareGlare(screen *Screen, pose Pose, box image.Rectangle) {
	clear(s.glareV)
	if s.look.Glare <= 0 {
		return
	}
	side := screen.side * pose.Scale
	// A mirror that turns by an angle turns the reflection by twice as much.
	const deg = math.Pi / 180
	cx := pose.X + s.glareX*side + 2*s.focal*math.Sin((pose.TiltY-s.hand.tiltY)*deg)
	cy := pose.Y + s.glareY*side - 2*s.focal*math.Sin((pose.TiltX-s.hand.tiltX)*deg)
	sigma := side * math.Sqrt(s.look.Glare/7.5/2)
	const top = 65535
	for x := box.Min.X; x < box.Max.X; x++ {
		d := (float64(x) - cx) / (2 * sigma)
		s.glareU[x] = uint32(3 * 255 * math.Exp(-d*d/2))
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		d := (float64(y) - cy) / sigma
		s.glareV[y] = uint32(top * math.Exp(-d*d/2))
	}
}

// crossing is where the row at height y crosses a convex quadrilateral; x0 > x1 when it does not.
func crossing(quad [4][2]float64, y float64) (x0, x1 float64) {
	x0, x1 = math.Inf(1), math.Inf(-1)
	for i, p := range quad {
		q := quad[(i+1)%4]
		if (p[1] <= y) == (q[1] <= y) {
			continue
		}
		x := p[0] + (y-p[1])/(q[1]-p[1])*(q[0]-p[0])
		x0, x1 = math.Min(x0, x), math.Max(x1, x)
	}
	if x0 > x1 {
		return 0, -1
	}
	return math.Max(-1, math.Min(1e6, x0)), math.Max(-1, math.Min(1e6, x1))
}
