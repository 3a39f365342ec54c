package qr

import "math"

// finder is a finder pattern in level-0 pixels.
type finder struct {
	shape
	size     float32 // mean side of the seven modules
	quality  float32 // more is better
	contrast float32 // gray levels between its dark and light
	inverted bool
	fresh    bool    // found by the newest search
	bound    bool    // a third has been looked for
	dx, dy   float32 // its way since the last frame, where it has been followed
}

// turned is f in the picture with rows and columns exchanged.
func (f finder) turned() finder {
	f.shape = f.shape.turned()
	return f
}

// ray is what a line from a finder pattern's centre outwards crosses: the
// distances to the edges of core, light ring and dark ring, 1.5, 2.5 and 3.5
// modules (times the slant of the line).
type ray struct {
	edge [3]float32
	// contrast is the least difference of two neighbouring extremes.
	contrast float32
	ok       bool
}

const maxRay = 160 // samples

// cast follows the luma from (x, y) in direction (dx, dy), a unit vector, over
// three changes. It goes from extreme to extreme and sets each edge where the luma crosses the
// middle of the two: a threshold of their own for each edge, which
// finds the ring under blur and on a gradient where no single threshold does.
func cast(p *plane, x, y, dx, dy, module float32, inverted bool) (r ray) {
	step := max(0.35, min(1.5, module/5))
	reach := 6.8*module + 3
	n := min(maxRay, int(reach/step))
	var v [maxRay]float32
	lo, hi := float32(1e9), float32(-1e9)
	for i := range n {
		l := p.at(x+dx*step*float32(i), y+dy*step*float32(i))
		if inverted {
			l = 255 - l
		}
		v[i] = l
		lo, hi = min(lo, l), max(hi, l)
	}
	if hi-lo < 4 {
		return r
	}
	turn := (hi-lo)*0.1 + 1.5 // less than this is noise, not a change
	var ext [5]int            // where the extremes are: core, ring, ring, outside
	state, best := 0, 0
	for i := 1; i < n; i++ {
		rising := state&1 == 0 // waiting for the luma to rise from its least
		if rising && v[i] < v[best] || !rising && v[i] > v[best] {
			best = i
			continue
		}
		d := v[i] - v[best]
		if !rising {
			d = -d
		}
		if d > turn {
			ext[state] = best
			state++
			best = i
			if state == 4 {
				break
			}
		}
		if state == 3 && float32(i)*step > float32(ext[2])*step*1.5+1 {
			break
		}
	}
	if state < 3 {
		return r
	}
	if state == 3 {
		ext[3] = best
	}
	r.contrast = 1e9
	for k := range 3 {
		a, b := ext[k], ext[k+1]
		middle := (v[a] + v[b]) / 2
		r.contrast = min(r.contrast, float32(math.Abs(float64(v[b]-v[a]))))
		for i := a; i < b; i++ {
			if (v[i] < middle) != (v[i+1] < middle) {
				r.edge[k] = (float32(i) + (middle-v[i])/(v[i+1]-v[i])) * step
				break
			}
		}
	}
	e1, e2, e3 := r.edge[0], r.edge[1], r.edge[2]
	slack := 0.4 / max(e3, 0.1)
	r.ok = e1 > (0.22-slack)*e3 && e1 < (0.62+slack)*e3 && e2 > (0.53-slack)*e3 && e2 < (0.88+slack)*e3 && e2 > e1
	return r
}

// directions are the lines through a pattern that are looked at, as unit vectors.
var directions = [2][2]float32{{1, 0}, {0, 1}}

const (
	// A square in the right direction agrees this well before it is bent …
	leastSquare = 0.35
	// … and a finder pattern this well after it. Noise and text seldom do.
	leastFinder = 0.55
)

// glance looks at five pixels above one another and tells most hits that are none at little cost:
// the ring must be lighter than the core and the ring around it, as the
// rows have shown from side to side. Tilt makes the pattern higher or lower than wide.
func glance(p *plane, h *hit) bool {
	x, y, m := int(h.x), int(h.y), h.width/7
	at := func(dy float32) int {
		i := y + int(dy+float32(h.y)-float32(y)+1000) - 1000
		return int(p.pix[max(0, min(p.h-1, i))*p.stride+x])
	}
	core := at(0)
	for _, s := range [3]float32{1, 0.72, 1.4} {
		ring, outer := at(2*m*s)+at(-2*m*s), at(3*m*s)+at(-3*m*s)
		d, e := ring-2*core, ring-outer
		if h.inverted {
			d, e = -d, -e
		}
		if d > 6 && e > 2 {
			return true
		}
	}
	return false
}

// inspect looks at a hit that a glance has not ruled out from all sides and, where it is a finder pattern, gives its
// shape. h is in pixels of p, at the level given.
func inspect(p *plane, level int, h *hit) (f finder, ok bool) {
	x, y := h.x, h.y
	width := h.width
	// Down first: along the row the hit is centred already.
	seen := false
	for _, k := range [3]int{1, 0, 1} {
		d := directions[k]
		a := cast(p, x, y, d[0], d[1], width/7, h.inverted)
		b := cast(p, x, y, -d[0], -d[1], width/7, h.inverted)
		if !a.ok || !b.ok || a.edge[2] > 1.8*b.edge[2]+1 || b.edge[2] > 1.8*a.edge[2]+1 {
			continue
		}
		off := (a.edge[0] - b.edge[0] + a.edge[1] - b.edge[1] + a.edge[2] - b.edge[2]) / 6
		x, y = x+d[0]*off, y+d[1]*off
		seen = true
		if k == 0 {
			width = a.edge[2] + b.edge[2]
		}
	}
	if !seen && h.rows < 2 {
		return f, false
	}
	s := mould(p, x, y, width, h.inverted, leastSquare)
	if s.score < leastFinder {
		return f, false
	}
	return newFinder(p, &s, level, h.inverted), true
}

// newFinder takes a shape at a level to level 0.
func newFinder(p *plane, s *shape, level int, inverted bool) finder {
	scale := float32(int(1) << level)
	c := p.at(s.x, s.y) - (p.at(s.x+2*s.ux, s.y+2*s.uy)+p.at(s.x-2*s.ux, s.y-2*s.uy)+p.at(s.x+2*s.vx, s.y+2*s.vy)+p.at(s.x-2*s.vx, s.y-2*s.vy))/4
	t := shape{s.x * scale, s.y * scale, s.ux * scale, s.uy * scale, s.vx * scale, s.vy * scale, s.score}
	area := t.ux*t.vy - t.uy*t.vx
	return finder{
		shape: t, size: 7 * sqrt32(max(area, -area)), quality: s.score,
		contrast: max(c, -c), inverted: inverted,
	}
}
