package qr

// trail is where a symbol was last seen.
type trail struct {
	grid
	found  bool
	frames int // since then
}

// maxTrail is for how many frames a symbol is looked for where it was.
const maxTrail = 5

// track looks for the finder patterns of the last symbol around where they
// were, with the shapes they had, and attempts what it finds there.
func (d *Decoder) track() (done bool) {
	t := &d.trail
	if !t.found || t.frames > maxTrail {
		return false
	}
	t.frames++
	v := d.viewOf(&t.grid)
	level := 0
	for s := v.scale; s < 1; s *= 2 {
		level++
	}
	sign := float32(1)
	if t.inverted {
		sign = -1
	}
	far := float32(t.side) - 3.5
	var dx, dy float32
	for i, c := range [3][2]float32{{3.5, 3.5}, {far, 3.5}, {3.5, far}} {
		ux, uy, vx, vy := t.step(c[0], c[1])
		x, y := t.at(c[0], c[1])
		s := shape{x: (x + dx) * v.scale, y: (y + dy) * v.scale, ux: ux * v.scale, uy: uy * v.scale, vx: vx * v.scale, vy: vy * v.scale}
		reach := float32(6) // modules
		if i > 0 {
			reach = 2.5 // the first has told where to
		}
		best := s
		best.score = sign * s.glance(v.plane)
		for b := -reach; b <= reach; b += 0.75 {
			for a := -reach; a <= reach; a += 0.75 {
				o := s
				o.x += a*s.ux + b*s.vx
				o.y += a*s.uy + b*s.vy
				if o.score = sign * o.glance(v.plane); o.score > best.score {
					best = o
				}
			}
		}
		best.score = sign * finderPattern.correlate(v.plane, &best)
		best.climb(v.plane, sign)
		if best.score < leastFinder {
			d.finders = d.finders[:0]
			return false
		}
		dx, dy = best.x/v.scale-x, best.y/v.scale-y
		f := newFinder(v.plane, &best, level, t.inverted)
		f.fresh = true
		d.finders = append(d.finders, f)
	}
	return d.attempt()
}

// still notices that nothing moves: sums of eight pixels of each eighth row are compared
// with those of the frame searched last.
type still struct {
	sums   []uint16
	w, h   int
	frames int // in which nothing has moved
}

const (
	moved   = 64 // a change of the sum of eight pixels, eight gray levels each
	movers  = 3  // so many changes are noise
	patient = 10 // still frames that are searched, so that each search has had its turn …
	again   = 15 // … and then each so manieth
)

// unmoved says that p shows what the frames before it showed, which have been searched in vain.
func (s *still) unmoved(p *plane) bool {
	w, h := p.w/8, p.h/8
	if s.w != w || s.h != h {
		s.w, s.h, s.sums, s.frames = w, h, grow(s.sums, w*h), 0
		clear(s.sums)
	}
	changes := 0
	for y := range h {
		row := p.pix[(8*y+4)*p.stride:]
		for x := range w {
			sum := 0
			for _, v := range row[8*x : 8*x+8 : 8*x+8] {
				sum += int(v)
			}
			o := int(s.sums[y*w+x])
			if sum-o > moved || o-sum > moved {
				changes++
			}
		}
	}
	if changes <= movers {
		s.frames++
		return s.frames > patient && s.frames%again != 0
	}
	s.frames = 0
	for y := range h {
		row := p.pix[(8*y+4)*p.stride:]
		for x := range w {
			sum := 0
			for _, v := range row[8*x : 8*x+8] {
				sum += int(v)
			}
			s.sums[y*w+x] = uint16(sum)
		}
	}
	return false
}
