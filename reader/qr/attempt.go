package qr

import (
	"image"
	"math"
)

// maxAttempts is how many located symbols of one search are sampled.
const maxAttempts = 6

// attempt tries triples with a fresh finder, the likeliest first, and says
// whether enough symbols have been read.
func (d *Decoder) attempt() (done bool) {
	d.triples = rank(d.finders, d.triples[:0:maxTriples], d.late)
	d.tried = d.tried[:0]
	for i := range d.finders {
		d.finders[i].fresh = false
	}
	for _, t := range d.triples {
		if len(d.tried) >= 2*maxAttempts || d.late() {
			break
		}
		if g, ok := d.locate(t); ok {
			i := len(d.tried)
			d.tried = append(d.tried, g)
			for ; i > 0 && d.tried[i-1].score < g.score; i-- {
				d.tried[i] = d.tried[i-1]
			}
			d.tried[i] = g
		}
	}
	for i := range d.tried[:min(len(d.tried), maxAttempts)] {
		g := &d.tried[i]
		if d.known(g) {
			continue
		}
		if d.symbol(g) && len(d.symbols) >= d.opts.Max {
			return true
		}
		if d.late() {
			return false
		}
	}
	return false
}

// known: the middle of g lies within a symbol that has been read.
func (d *Decoder) known(g *grid) bool {
	x, y := g.centre()
	for i := range d.symbols {
		inside := true
		c := &d.symbols[i].Corners
		turn := 0
		for k := range c {
			a, b := c[k], c[(k+1)%4]
			cross := float32(b.X-a.X)*(y-float32(a.Y)) - float32(b.Y-a.Y)*(x-float32(a.X))
			if cross > 0 {
				turn++
			}
		}
		inside = turn == 0 || turn == 4
		if inside {
			return true
		}
	}
	return false
}

func (d *Decoder) layout(side int) *layout {
	return d.layouts[(side-17)/4]
}

// symbol refines, samples and decodes what was located, by ever costlier means.
func (d *Decoder) symbol(g *grid) bool {
	l := d.layout(g.side)
	view := d.viewOf(g)
	d.refine(g, l, &view)
	if d.late() { // there is no time to read it; it may still be judged
		if g.side <= mostJudged && d.modules.sample(g, &view, never) {
			d.judged(g, &view)
		}
		return false
	}
	if d.sampled(g, l, &view) {
		return true
	}
	if g.side >= 45 && !d.late() {
		if v := readVersion(d.modules.soft, g.side); v != 0 && sideOf(v) != g.side {
			g.resize(sideOf(v))
			l, view = d.layout(g.side), d.viewOf(g)
			d.refine(g, l, &view)
			if !d.late() && d.sampled(g, l, &view) {
				return true
			}
		}
	}
	if !d.late() && d.bend(g) {
		g.warp = &d.warp
		if d.sampled(g, l, &view) {
			return true
		}
		g.warp = nil
	}
	if g.score < 0.4 {
		return false
	}
	if d.opts.Stream && !d.fused && g.score > leastFused && d.fuse(g, l, &view) {
		return true
	}
	if !d.late() {
		if d.legible() && d.equalised(g, l) {
			return true
		}
		d.jiggle(g, l, &view)
		if d.sampled(g, l, &view) || !d.late() && d.legible() && d.equalised(g, l) {
			return true
		}
	}
	d.judged(g, &view)
	return false
}

// judged finds fault with the symbol sampled last, where it is the best located one so far.
func (d *Decoder) judged(g *grid, v *view) {
	if d.modules.whole && g.score > d.best.score {
		d.best, d.sure, d.fault = *g, d.legible(), d.judgeSymbol(g, v)
	}
}

func (d *Decoder) modulePitch(g *grid) float32 {
	ux, uy, vx, vy := g.step(float32(g.side)/2, float32(g.side)/2)
	area := ux*vy - uy*vx
	return sqrt32(max(area, -area))
}

// resize keeps g's finder patterns where they are and puts another number of modules between them.
func (g *grid) resize(side int) {
	k := float32(g.side-7) / float32(side-7)
	o := 3.5 - 3.5*k
	g.side = side
	h := &g.homography
	for i := 0; i < 9; i += 3 {
		a, b := h[i], h[i+1]
		h[i], h[i+1] = a*k, b*k
		h[i+2] += (a + b) * o
	}
	w := h[8]
	for i := range h {
		h[i] /= w
	}
}

// mostJudged is how many modules a side of a symbol may have to be sampled behind the time for it.
const mostJudged = 97

// never is for what must be done, late or not.
func never() bool { return false }

// leastFused is how well a symbol must be located for its modules to be evidence.
const leastFused = 0.5

// viewOf is the view for sampling g, by the size of its smallest modules.
func (d *Decoder) viewOf(g *grid) view {
	least := float32(math.Inf(1))
	s := float32(g.side)
	for _, c := range [4][2]float32{{0, 0}, {s, 0}, {s, s}, {0, s}} {
		ux, uy, vx, vy := g.step(c[0], c[1])
		least = min(least, ux*ux+uy*uy, vx*vx+vy*vy)
	}
	return d.view(sqrt32(least))
}

// strengths of sharpening, the next tried only when error correction fails.
var strengths = [...]float32{0, 0.15, 0.4}

// least agreement of the format information's modules with one of its words.
const leastFormat = 0.5

func (d *Decoder) sampled(g *grid, l *layout, v *view) bool {
	return d.modules.sample(g, v, d.late) && d.decided(g, l)
}

// decided decides upon the modules by ever stronger sharpening, until one succeeds.
func (d *Decoder) decided(g *grid, l *layout) bool {
	m := &d.modules
	for _, k := range strengths {
		m.decide(k)
		if d.decode(g, l) {
			return true
		}
		if d.late() {
			break
		}
	}
	return false
}

// legible: the format information of the modules last decided upon could be read.
func (d *Decoder) legible() bool {
	m := &d.modules
	return max(readFormats(m.soft, m.side)[0].score, readFormats(m.flip, m.side)[0].score) > leastFormat+0.1
}

// fewPatterns: a symbol of fewer modules a side has too few function patterns to learn from them alone.
const fewPatterns = 45

// equalised makes the last attempts on modules that have been sampled.
func (d *Decoder) equalised(g *grid, l *layout) bool {
	for reach := 1; reach <= maxReach && !d.late(); reach++ {
		if d.modules.equalise(l, reach, false, d.late) && d.decode(g, l) {
			return true
		}
	}
	if g.side >= fewPatterns {
		return false
	}
	for reach := 1; reach <= maxReach && !d.late(); reach++ {
		if d.modules.equalise(l, reach, true, d.late) && d.decode(g, l) {
			return true
		}
	}
	return false
}

// decode reads the soft modules both ways round.
func (d *Decoder) decode(g *grid, l *layout) bool {
	m := &d.modules
	m.transpose()
	plain, mirrored := readFormats(m.soft, m.side), readFormats(m.flip, m.side)
	order := [4]struct {
		format
		soft     []float32
		mirrored bool
	}{{plain[0], m.soft, false}, {mirrored[0], m.flip, true}, {plain[1], m.soft, false}, {mirrored[1], m.flip, true}}
	if order[1].score > order[0].score {
		order[0], order[1], order[2], order[3] = order[1], order[0], order[3], order[2]
	}
	for _, o := range order {
		if o.score < leastFormat {
			continue
		}
		for _, share := range [...]float32{0, 0.35, 0.65} {
			if d.late() {
				return false
			}
			r, ok := d.words.read(o.soft, l, o.format, share)
			// Erasures use the redundancy up that would tell a wrong reading: nine of ten
			// codewords that are trusted must then be right as they are.
			if !ok || share > 0 && (r.spare < 2 || r.wrong*10 > l.codewords()-r.erased) {
				continue
			}
			r.mirrored = o.mirrored
			if d.accept(g, &r) {
				return true
			}
		}
	}
	return false
}

// accept turns corrected data into a symbol.
func (d *Decoder) accept(g *grid, r *reading) bool {
	version := (g.side - 17) / 4
	bytes, plain, err := content(d.bytes[:0], r.data, version)
	d.bytes = bytes[:0]
	if err != nil {
		return false
	}
	s := Symbol{Version: version, Level: "LMQH"[r.format.level], Inverted: g.inverted, Mirrored: r.mirrored}
	s.Bytes, s.Text = d.text(r.data, bytes, plain, version)
	side := float32(g.side)
	for i, c := range [4][2]float32{{0, 0}, {side, 0}, {side, side}, {0, side}} {
		x, y := g.at(c[0], c[1])
		s.Corners[i] = image.Pt(toPixel(x), toPixel(y))
	}
	if r.mirrored {
		s.Corners[1], s.Corners[3] = s.Corners[3], s.Corners[1]
	}
	for i := range d.symbols { // the same one, found twice
		if d.symbols[i].Text == s.Text && d.known(g) {
			return true
		}
	}
	d.symbols = append(d.symbols, s)
	d.finding = Finding{Problem: None, Measure: d.modulePitch(g)}
	d.trail = trail{grid: *g, found: true}
	d.trail.warp = nil
	return true
}

// toPixel rounds; a degenerate outline (NaN, far away) stays within int32.
func toPixel(v float32) int {
	if v != v {
		return 0
	}
	return int(math.Round(float64(max(-4*maxSide, min(4*maxSide, v)))))
}
