package display

import (
	"image"
	"math"
)

// A symbol is a drawing of round-ended strokes in the unit square (x right,
// y down). It goes with a scene's colour so that neither is needed alone.
type symbol struct {
	ring  bool // a circle around it
	lines [][]point
	arcs  []arc
	dots  []point // as wide as two strokes
}

type point struct{ x, y float64 }

// arc is part of a circle, from angle a over sweep (radians, clockwise).
type arc struct {
	c        point
	r        float64
	a, sweep float64
}

const stroke = 0.075 // width

var (
	check    = symbol{ring: true, lines: [][]point{{{.30, .52}, {.44, .66}, {.70, .36}}}}
	renew    = symbol{lines: [][]point{{{.75, .05}, {.762, .248}, {.563, .265}}}, arcs: []arc{{point{.5, .53}, .385, .11 * math.Pi, 1.6 * math.Pi}}}
	question = symbol{ring: true, lines: [][]point{{{.5, .50}, {.5, .60}}}, arcs: []arc{{point{.5, .37}, .13, math.Pi, 1.5 * math.Pi}}, dots: []point{{.5, .73}}}
	clockSym = symbol{ring: true, lines: [][]point{{{.5, .24}, {.5, .5}, {.67, .60}}}}
	hand     = symbol{lines: [][]point{
		{{.30, .58}, {.30, .25}}, {{.43, .50}, {.43, .14}}, {{.56, .50}, {.56, .14}}, {{.69, .58}, {.69, .22}},
		{{.30, .58}, {.17, .50}}, {{.17, .50}, {.28, .76}, {.40, .90}, {.60, .90}, {.69, .76}, {.69, .58}},
	}}
	phone = symbol{lines: [][]point{
		{{.28, .06}, {.72, .06}, {.72, .94}, {.28, .94}, {.28, .06}},
		{{.39, .34}, {.39, .24}, {.46, .24}}, {{.54, .24}, {.61, .24}, {.61, .34}},
		{{.39, .50}, {.39, .60}, {.46, .60}}, {{.54, .60}, {.61, .60}, {.61, .50}},
	}, dots: []point{{.5, .80}}}
	waiting = symbol{ring: true, dots: []point{{.29, .5}, {.5, .5}, {.71, .5}}}
	looking = symbol{lines: [][]point{{{.67, .67}, {.92, .92}}}, arcs: []arc{{point{.42, .42}, .33, 0, 2 * math.Pi}}}
	upgrade = symbol{ring: true, lines: [][]point{{{.5, .26}, {.5, .62}}, {{.35, .48}, {.5, .63}, {.65, .48}}, {{.34, .76}, {.66, .76}}}}
	door    = symbol{lines: [][]point{{{.12, .92}, {.88, .92}}, {{.25, .92}, {.25, .08}, {.75, .08}, {.75, .92}}}, dots: []point{{.62, .52}}}
)

// mask rasterises the symbol at size×size pixels by distance to its strokes,
// which gives smooth edges at any size.
func (s symbol) mask(size int) *image.Alpha {
	m := image.NewAlpha(image.Rect(0, 0, size, size))
	scale := float64(size)
	for y := range size {
		for x := range size {
			d := s.distance(point{(float64(x) + .5) / scale, (float64(y) + .5) / scale})
			m.Pix[y*m.Stride+x] = uint8(255 * max(0, min(1, .5-d*scale)))
		}
	}
	return m
}

// distance is from p to the nearest edge; negative inside.
func (s symbol) distance(p point) float64 {
	d := math.Inf(1)
	if s.ring {
		d = math.Abs(math.Hypot(p.x-.5, p.y-.5)-.455) - stroke/2
	}
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
