package qr

// All memory is taken before it is needed: by New for the largest symbol, by the first picture for those of its size. What a
// later one shows, a look-alike of version 40 or a search that never had its turn, then takes none.

const (
	maxModules = 177 // a side of version 40
	maxContent = 7089
)

// reserve takes the memory that reading any symbol needs.
func (m *modules) reserve() {
	const n, wide = maxModules * maxModules, (maxModules + 2*margin) * (maxModules + 2*margin)
	for _, s := range [...]*[]float32{&m.raw, &m.mean, &m.dev, &m.soft, &m.flip, &m.light} {
		*s = grow(*s, n)
	}
	m.bits, m.rest = grow(m.bits, wide), grow(m.rest, wide)
	m.sums = grow(m.sums, (maxModules+1)*(maxModules+1))
	m.own.told = grow(m.own.told, n)
}

func (e *evidence) reserve() {
	e.told = grow(e.told, maxModules*maxModules)
	e.bits = grow(e.bits, (maxModules+2*margin)*(maxModules+2*margin))
}

// reserve takes the memory that pictures of p's size need.
func (d *Decoder) reserve(p *plane) {
	if d.size == [2]int{p.w, p.h} {
		return
	}
	d.size = [2]int{p.w, p.h}
	for n := range levels {
		w, h := p.w>>n, p.h>>n
		d.marks[n].reserve(w, h)
		if n > 0 {
			d.memory[n] = grow(d.memory[n], w*h)
		}
		if n < 2 { // coarser ones are never smoothed
			d.smooth[n].pix = grow(d.smooth[n].pix, w*h)
		}
	}
	d.across.pix = grow(d.across.pix, p.w*p.h)
	d.turnedMarks.reserve(p.h, p.w)
	side := max(p.w, p.h)
	d.row = grow(d.row, side+2)
	d.scanner.reserve(side)
	d.patches.reserve(len(d.marks[0].t))
}

// reserve takes the memory that a plane of w×h pixels needs.
func (t *thresholds) reserve(w, h int) {
	w, h = (w+7)/8, (h+7)/8
	n := w * h
	t.sum, t.lo, t.hi, t.run = grow(t.sum, n), grow(t.lo, n), grow(t.hi, n), grow(t.run, w)
	t.t, t.rows = grow(t.t, n), grow(t.rows, n)
}

func (s *scanner) reserve(w int) {
	s.at, s.hits, s.last = grow(s.at, w+2), grow(s.hits, maxHits), grow(s.last, 2*(w/16+3))
}

func (c *codewords) reserve() {
	const most = 3706 // of version 40
	c.all, c.trust, c.data = grow(c.all, most), grow(c.trust, most), grow(c.data, most)
}
