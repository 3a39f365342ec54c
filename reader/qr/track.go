package qr

// trail is where a symbol was last seen.
type trail struct {
	grid
	found  bool
	frames int  // since then
	sure   bool // its format information could be read
	vain   int  // frames in which it was looked for first, and not read
}

// What was located wrongly is often located so again, as two finder patterns may be right and the third a look-alike, and
// reading it takes all the time there is. So many frames it is looked for in vain, then in every other one.
const (
	patience     = 3
	longPatience = 10 // with one whose format information could be read
)

// elsewhere: the next symbol is to be looked for as if none had been seen.
func (t *trail) elsewhere() bool {
	if !t.found || t.frames > maxTrail {
		return false
	}
	most := patience
	if t.sure {
		most = longPatience
	}
	if t.vain++; t.vain > most && (t.vain-most)%2 == 1 {
		t.frames++
		return true
	}
	return false
}

// maxTrail is for how many frames a symbol is looked for where it was.
const maxTrail = 5

// A finder pattern seen this well is looked for in the next frame where it was: noise and motion seldom leave
// all three of a symbol to be found in the same frame.
const leastFollowed = 0.62

// maxFollowed is how many are, an eighth of a millisecond each.
const maxFollowed = 8

// remember keeps the frame's best finder patterns for the next one.
func (d *Decoder) remember() {
	d.past = d.past[:0]
	for i := range d.finders {
		f := d.finders[i]
		if f.score < leastFollowed {
			continue
		}
		at := len(d.past)
		if at == maxFollowed {
			if at--; d.past[at].score >= f.score {
				continue
			}
		} else {
			d.past = append(d.past, f)
		}
		for ; at > 0 && d.past[at-1].score < f.score; at-- {
			d.past[at] = d.past[at-1]
		}
		d.past[at] = f
	}
}

// follow looks for the last frame's finder patterns around where they were going, and attempts what it finds.
func (d *Decoder) follow() (done bool) {
	for i := range d.past {
		if d.late() {
			break
		}
		f := &d.past[i]
		v := d.view(f.size / 7)
		s := f.shape.moved(f.dx, f.dy, v.scale)
		best := seek(v.plane, s, 5, f.inverted)
		if best.score < leastFinder {
			continue
		}
		o := newFinder(v.plane, &best, v.level, f.inverted)
		o.dx, o.dy = o.x-f.x, o.y-f.y
		d.addFinder(o)
	}
	return len(d.finders) > 2 && d.attempt()
}

// moved is s displaced by (dx, dy), in a plane of that scale.
func (s shape) moved(dx, dy, scale float32) shape {
	return shape{x: (s.x + dx) * scale, y: (s.y + dy) * scale, ux: s.ux * scale, uy: s.uy * scale, vx: s.vx * scale, vy: s.vy * scale}
}

// seek finds the finder pattern within reach modules of s that agrees best.
func seek(p *plane, s shape, reach float32, inverted bool) shape {
	sign := float32(1)
	if inverted {
		sign = -1
	}
	best := s
	best.score = sign * s.glance(p)
	for b := -reach; b <= reach; b += 0.75 {
		for a := -reach; a <= reach; a += 0.75 {
			o := s
			o.x += a*s.ux + b*s.vx
			o.y += a*s.uy + b*s.vy
			if o.score = sign * o.glance(p); o.score > best.score {
				best = o
			}
		}
	}
	best.score = sign * finderPattern.correlate(p, &best)
	best.climb(p, sign)
	return best
}

// track looks for the finder patterns of the last symbol around where they
// were, with the shapes they had, and attempts what it finds there. One that cannot be seen, under noise
// or a reflection, is taken to have gone the way of the others.
func (d *Decoder) track() (done bool) {
	t := &d.trail
	if !t.found || t.frames > maxTrail {
		return false
	}
	t.frames++
	v := d.viewOf(&t.grid)
	far := float32(t.side) - 3.5
	var shapes [3]shape
	var dx, dy, seen float32
	for i, c := range [3][2]float32{{3.5, 3.5}, {far, 3.5}, {3.5, far}} {
		ux, uy, vx, vy := t.step(c[0], c[1])
		x, y := t.at(c[0], c[1])
		shapes[i] = shape{x: x, y: y, ux: ux, uy: uy, vx: vx, vy: vy}
		reach := float32(6) // modules
		if seen > 0 {
			reach = 2.5 // another has told where to
		}
		best := seek(v.plane, shapes[i].moved(dx, dy, v.scale), reach, t.inverted)
		if best.score < leastFinder {
			continue
		}
		shapes[i].score = best.score
		f := newFinder(v.plane, &best, v.level, t.inverted)
		f.fresh = true
		d.finders = append(d.finders, f)
		dx, dy, seen = (dx*seen+f.x-x)/(seen+1), (dy*seen+f.y-y)/(seen+1), seen+1
	}
	if seen < 2 {
		return false
	}
	for i := range shapes {
		if shapes[i].score == 0 {
			s := shapes[i].moved(dx, dy, v.scale)
			s.score = leastFinder / 2
			f := newFinder(v.plane, &s, v.level, t.inverted)
			f.fresh = true
			d.finders = append(d.finders, f)
		}
	}
	return d.attempt()
}

// leastHeld is how well a symbol that could not be read must be located to be tracked.
const leastHeld = 0.6

// hold tracks the frame's best symbol although it could not be read, unless one that was read is being tracked.
func (d *Decoder) hold() {
	if len(d.symbols) == 0 && d.best.score > leastHeld && (!d.trail.found || d.trail.frames > 0) {
		vain := 0
		if d.trail.found && d.trail.frames <= maxTrail {
			vain = d.trail.vain
		}
		d.trail = trail{grid: d.best, found: true, sure: d.sure, vain: vain}
		d.trail.warp = nil
	}
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

// course is the way of what a finding is about, from frame to frame.
type course struct {
	x, y    float32 // where it was, pixels
	dx, dy  float32 // mean of its steps
	length  float32 // mean of their lengths
	missing int     // frames since it was seen
	resting int     // frames that it has not moved at all
}

const (
	steps   = 6  // that the means are of, about
	brisk   = 3  // pixels a frame, of a picture 1280 wide
	farAway = 10 // a step that is no step, of that
	lost    = 3  // frames
	direct  = 0.75
	rest    = 0.7 // pixels a frame: no hand is as quiet …
	room    = 150 // … for so many frames
)

// apart notes where it is and says that nobody holds it there: it is being brought in or carried away, as it moves one
// way all the time, where a hand that shakes or waves turns round; or it is part of the room.
func (c *course) apart(x, y float32, width int) bool {
	scale := 1280 / float32(width)
	dx, dy := (x-c.x)*scale, (y-c.y)*scale
	d := sqrt32(dx*dx + dy*dy)
	if c.missing > lost || d > 10*farAway {
		*c = course{x: x, y: y, missing: 0}
		return false
	}
	c.x, c.y, c.missing = x, y, 0
	if c.resting++; d > rest {
		c.resting = 0
	}
	if 3*d < c.length { // it has arrived
		c.dx, c.dy, c.length = c.dx/2, c.dy/2, c.length/2
	}
	const k = 1. / steps
	c.dx, c.dy, c.length = c.dx+(dx-c.dx)*k, c.dy+(dy-c.dy)*k, c.length+(d-c.length)*k
	straight := sqrt32(c.dx*c.dx + c.dy*c.dy)
	return straight > brisk && straight > direct*c.length || c.resting > room
}
