package display

import (
	"image"
	"math"
)

// A symbol is a drawing of round-ended strokes in the unit square (x right,
// y down). It goes with a scene's colour so that neither is needed alone.
type symbol struct {
	lines [][]point
	arcs  []arc
	dots  []point // as wide as one and a half strokes
	boxes []box
	stars []star
}

// box is filled, from its upper left to its lower right corner.
type box struct{ x0, y0, x1, y1 float64 }

// star has four points at distance r.
type star struct {
	c point
	r float64
}

type point struct{ x, y float64 }

// arc is part of a circle, from angle a over sweep (radians, clockwise).
type arc struct {
	c        point
	r        float64
	a, sweep float64
}

const stroke = 0.1 // width

// mask rasterises the symbol at size×size pixels by distance to its strokes,
// which gives smooth edges at any size.
func (s *symbol) mask(size int) *image.Alpha {
	return raster(size, s.distance)
}

// disc is a filled circle out of which the symbol is cut.
func (s *symbol) disc(size int) *image.Alpha {
	const share = 0.62 // of the circle's width
	return raster(size, func(p point) float64 {
		x, y := p.x-.5, p.y-.5
		return max(math.Hypot(x, y)-.5, -share*s.distance(point{x/share + .5, y/share + .5}))
	})
}

// raster draws what lies at a distance of 0 or less.
func raster(size int, distance func(point) float64) *image.Alpha {
	m := image.NewAlpha(image.Rect(0, 0, size, size))
	scale := float64(size)
	for y := range size {
		for x := range size {
			d := distance(point{(float64(x) + .5) / scale, (float64(y) + .5) / scale})
			m.Pix[y*m.Stride+x] = uint8(255 * max(0, min(1, .5-d*scale)))
		}
	}
	return m
}

// distance is from p to the nearest edge; negative inside.
func (s *symbol) distance(p point) float64 {
	d := math.Inf(1)
	for _, l := range s.lines {
		for i := range l[1:] {
			d = min(d, toSegment(p, l[i], l[i+1])-stroke/2)
		}
	}
	for _, a := range s.arcs {
		d = min(d, a.distance(p)-stroke/2)
	}
	for _, c := range s.dots {
		d = min(d, math.Hypot(p.x-c.x, p.y-c.y)-stroke*.75)
	}
	for _, b := range s.boxes {
		d = min(d, max(b.x0-p.x, p.x-b.x1, b.y0-p.y, p.y-b.y1))
	}
	for _, t := range s.stars {
		x, y := math.Abs(p.x-t.c.x)/t.r, math.Abs(p.y-t.c.y)/t.r
		d = min(d, (min(x/.3+y, x+y/.3)-1)*.28*t.r)
	}
	return d
}

func toSegment(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := ((p.x-a.x)*dx + (p.y-a.y)*dy) / (dx*dx + dy*dy)
	t = max(0, min(1, t))
	return math.Hypot(p.x-a.x-t*dx, p.y-a.y-t*dy)
}

func (a arc) distance(p point) float64 {
	angle := math.Mod(math.Atan2(p.y-a.c.y, p.x-a.c.x)-a.a+4*math.Pi, 2*math.Pi)
	if angle <= a.sweep {
		return math.Abs(math.Hypot(p.x-a.c.x, p.y-a.c.y) - a.r)
	}
	end := func(t float64) float64 {
		return math.Hypot(p.x-a.c.x-a.r*math.Cos(t), p.y-a.c.y-a.r*math.Sin(t))
	}
	return min(end(a.a), end(a.a+a.sweep))
}
