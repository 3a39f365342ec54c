package qr

// levels of the pyramid: a module of 48 pixels is 6 wide on the last.
const levels = 4

// level is pyramid level n of the picture, or nil where that would be too small.
// A level's block statistics and the next level are made in one pass.
func (d *Decoder) level(n int) *plane {
	if n >= levels {
		return nil
	}
	if d.planes[n].pix == nil {
		if n == 0 || d.level(n-1) == nil || d.planes[n].pix == nil {
			return nil
		}
	}
	return &d.planes[n]
}

// prepare measures level n and makes level n+1.
func (d *Decoder) prepare(n int) {
	p := &d.planes[n]
	var half *plane
	if n+1 < levels && p.w/2 >= minSide && p.h/2 >= minSide {
		half = &d.planes[n+1]
		half.pix = d.memory[n+1]
	}
	d.marks[n].measure(p, half)
	if half != nil {
		d.memory[n+1] = half.pix
	}
}

// search is one way of looking for finder patterns.
type search struct {
	level int
	reach int // of the threshold, in blocks of 8 pixels
	flat  bool
	step  int
	fine  bool // search the smoothed plane
	down  bool // along columns instead of rows
}

// What every picture is searched for, by its kind, and what takes its turns over frames.
var (
	always = [...]search{{1, 1, true, 1, false, false}, {0, 1, true, 2, false, false}, {2, 1, true, 1, false, false}, {3, 1, true, 1, false, false}}
	noisy  = [...]search{{1, 1, true, 1, true, false}, {0, 1, true, 2, true, false}, {2, 1, true, 1, false, false}, {3, 1, true, 1, false, false}}
	small  = [...]search{{0, 1, true, 1, false, false}, {0, 0, true, 1, false, false}, {1, 1, true, 1, false, false}, {2, 1, true, 1, false, false}}
	others = [...]search{
		{0, 1, true, 1, true, false}, {1, 1, true, 1, false, true}, {1, 1, true, 1, true, false}, {0, 0, true, 1, false, false},
		{0, 1, true, 1, false, true}, {1, 0, true, 1, false, false}, {2, 0, true, 1, false, false}, {1, 2, true, 1, false, false},
	}
)

const (
	noise       = 14      // blocks' quiet differences from which on planes are smoothed before they are searched
	smallPixels = 300_000 // pictures of fewer are searched more closely at once
)

// look reads p's symbols into d.symbols.
func (d *Decoder) look(p plane) {
	d.begin(&p)
	d.symbols, d.finders = d.symbols[:0], d.finders[:0]
	d.fused = false
	d.best.score = -1
	if d.opts.Stream && d.still.unmoved(&p) {
		return
	}
	d.reserve(&p)
	for i := range d.planes {
		d.planes[i] = plane{}
		d.smooth[i].w = 0
	}
	d.planes[0] = p
	for n := 0; n < levels && d.planes[n].pix != nil; n++ {
		d.prepare(n)
	}
	d.prepared(&p)
	d.search()
	if d.opts.Stream {
		d.remember()
		d.hold()
	}
	if len(d.symbols) > 0 || d.best.score > 0 {
		d.still.frames = 0
	}
	d.judge()
}

func (d *Decoder) search() {
	if d.opts.Stream && !d.trail.elsewhere() && (d.track() && len(d.symbols) >= d.opts.Max || d.follow()) {
		return
	}
	list := &always
	switch {
	case d.planes[0].w*d.planes[0].h < smallPixels:
		list = &small
	case d.marks[0].quiet() >= noise:
		list = &noisy
	}
	from := d.resume
	for i := range list {
		d.resume = (from + i) % len(list)
		if d.lateFor(&list[d.resume]) || d.try(&list[d.resume]) {
			return
		}
	}
	d.resume = 0
	if d.opts.Stream && len(d.symbols) > 0 {
		return // whoever showed this one is waiting; the next frame looks for more
	}
	// Noise looks busy everywhere, so that it cannot be told from a symbol by that.
	if !d.promising() && !(d.opts.Stream && list == &noisy) && !d.marks[0].busy() || d.late() || d.complete() {
		return
	}
	d.turn++
	for i := range others {
		// Where nothing speaks for a symbol, one search a picture, another each time.
		if i > 0 && !d.promising() && !d.opts.Thorough && !d.opts.Stream {
			return
		}
		s := &others[(d.turn+i)%len(others)]
		if d.lateFor(s) || d.try(s) || d.late() || d.complete() {
			return
		}
	}
}

// promising: some finder pattern has been found beyond doubt.
func (d *Decoder) promising() bool {
	for i := range d.finders {
		if d.finders[i].score > 0.65 {
			return true
		}
	}
	return false
}

// try searches in one way and attempts what it finds. It says whether enough symbols have been read.
func (d *Decoder) try(s *search) (done bool) {
	p := d.level(s.level)
	if p == nil {
		return false
	}
	marks := &d.marks[s.level]
	if s.fine {
		p = d.smoothed(s.level)
	}
	if s.down {
		p, marks = d.turned(p, s), &d.turnedMarks
	}
	return d.find(p, marks, s) && d.attempt()
}

// turned is p with rows and columns exchanged: a hand that moves to the side runs the bars of a finder
// pattern into one another that lie across its way, but not those along it.
func (d *Decoder) turned(p *plane, s *search) *plane {
	transpose(&d.across, p)
	d.turnedMarks.measure(&d.across, nil)
	return &d.across
}

// smoothed is level n without most of its noise.
func (d *Decoder) smoothed(n int) *plane {
	if d.smooth[n].w == 0 {
		d.row = smooth(&d.smooth[n], &d.planes[n], d.row)
	}
	return &d.smooth[n]
}

// maxInspected bounds how many hits of one search are looked at from all sides, a hundredth of a millisecond each.
const maxInspected = 140

// find adds one search's finder patterns to d.finders and says whether there are new ones.
func (d *Decoder) find(p *plane, marks *thresholds, s *search) (fresh bool) {
	flat := 5
	if s.flat {
		flat = marks.flatness()
	}
	marks.set(s.reach, flat)
	step := s.step
	if d.opts.Thorough {
		step = 1
	}
	hits := d.scanner.scan(p, marks, step, d.opts.DarkOnLight, d.late)
	looked := 0
	for _, many := range [2]bool{true, false} { // what several rows cross comes first
		for i := range hits {
			h := &hits[i]
			// A third of the core's height at the least, where that is more than one row.
			if h.rows > 1 != many || float32(h.rows*int32(step)) < h.width/7 {
				continue
			}
			if !glance(p, h) {
				continue
			}
			if f, ok := inspect(p, s.level, h); ok {
				if s.down {
					f = f.turned()
				}
				fresh = d.addFinder(f) || fresh
			}
			if looked++; looked >= maxInspected || looked%2 == 0 && d.late() {
				return fresh
			}
		}
	}
	return fresh
}

// What makes a finder pattern worth another attempt that has been found again: so much more quality, or a size that differs by this factor.
const (
	muchBetter = 0.05
	apart      = 1.06
)

// addFinder keeps the best finders, one for each place.
func (d *Decoder) addFinder(f finder) bool {
	f.fresh = true
	n, worst := 0, -1
	for i := range d.finders {
		o := &d.finders[i]
		if o.inverted != f.inverted {
			continue
		}
		near := 0.3 * min(f.size, o.size)
		dx, dy := f.x-o.x, f.y-o.y
		if dx < near && -dx < near && dy < near && -dy < near && f.size < 1.6*o.size && o.size < 1.6*f.size {
			if o.quality >= f.quality {
				return false
			}
			// One that was seen badly before, blurred or at a slant, and so measured badly, is another chance.
			f.fresh = o.fresh || f.quality > o.quality+muchBetter || f.size > apart*o.size || o.size > apart*f.size
			*o = f
			return f.fresh
		}
		n++
		if worst < 0 || o.quality < d.finders[worst].quality {
			worst = i
		}
	}
	if n < maxFinders {
		d.finders = append(d.finders, f)
		return true
	}
	if d.finders[worst].quality >= f.quality {
		return false
	}
	d.finders[worst] = f
	return true
}
