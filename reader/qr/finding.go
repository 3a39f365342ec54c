package qr

import "math"

// Problem says why a picture gave no symbol, so that a visitor can be told what to do.
type Problem uint8

const (
	// NoCode: nothing speaks for a symbol. Measure: 0.
	NoCode Problem = iota
	// None: a symbol was read. Measure: its modules' size in pixels.
	None
	// TooSmall: Measure is the size of a module in pixels; from two on reading is sure.
	TooSmall
	// TooLarge: the symbol is cut off by the picture's edge, or too near. Measure: the modules' size in pixels.
	TooLarge
	// Moving: blurred in one direction. Measure: contrast of single modules along it, 0…1 of that across.
	Moving
	// OutOfFocus: blurred all round. Measure: contrast of single modules, 0…1 of that of large areas.
	OutOfFocus
	// Glare: a reflection. Measure: share of the symbol's modules it hides, 0…1.
	Glare
	// TooDark and TooBright: Measure is the picture's, or the symbol's, mean luma.
	TooDark
	TooBright
	// Tilted: Measure is the angle in degrees.
	Tilted
	// Unclear: a symbol is there and could not be read for none of these reasons. Measure: how well it was located, 0…1.
	Unclear
)

var problems = [...]string{"no code", "none", "too small", "too large", "moving", "out of focus", "glare", "too dark", "too bright", "tilted", "unclear"}

func (p Problem) String() string {
	if int(p) < len(problems) {
		return problems[p]
	}
	return "unknown"
}

// Finding is what the newest picture suffers from.
type Finding struct {
	Problem Problem
	Measure float32
	// Located says that something was there that was read or may be a symbol, with its
	// centre at X, Y: 0…1 of the picture's width and height, from the upper left.
	Located bool
	X, Y    float32
	// Growing says that what this picture shows of the symbol was added to what earlier ones did: it may be read in a moment.
	Growing bool
}

// Finding is about the picture that was decoded last.
func (d *Decoder) Finding() Finding {
	f := d.finding
	f.Growing = d.fused
	return f
}

// judge finds fault with the picture, by what tells most of it: a symbol that goes on beyond the edge, one that was well located, else a texture
// that looks like one, else a symbol that was badly located, else finder patterns, else the light.
func (d *Decoder) judge() {
	d.course.missing++
	if len(d.symbols) > 0 { // the rest is said by accept
		d.place(d.trail.centre())
		return
	}
	if d.best.score < wellLocated || d.fault.Problem == TooLarge {
		if f := d.cut(); f != nil {
			d.finding = Finding{Problem: TooLarge, Measure: f.size / 7}
			if t, seen := d.texture(); seen {
				d.come(t.x, t.y) // steadier than where a symbol is thought to be of which much is missing
			} else {
				d.come(f.x, f.y)
			}
			return
		}
	}
	located := d.best.score > leastJudged && !d.dwarfed()
	if located && d.best.score > wellLocated {
		d.finding = d.fault
		d.come(d.best.centre())
		return
	}
	t, seen := d.texture()
	if seen {
		d.finding = t.fault()
	}
	if seen && d.finding.Problem != Unclear {
		d.come(t.x, t.y)
		return
	}
	if d.opts.Stream && !seen {
		if p, ok := d.overexposed(); ok {
			d.finding = Finding{Problem: TooBright, Measure: saturated}
			d.place(p.x, p.y)
			return
		}
	}
	switch best := d.surest(); {
	case located:
		d.finding = d.fault
		d.come(d.best.centre())
		if d.fault.Problem != Unclear {
			return
		}
	case seen: // finder patterns alone tell less than it
		d.come(t.x, t.y)
		return
	case best != nil:
		if d.finding = d.judgePicture(); d.finding.Problem != NoCode {
			d.place(best.x, best.y)
		}
	default:
		d.finding = d.judgePicture()
	}
	if p := d.finding.Problem; d.opts.Stream && (p == NoCode || p == Unclear) {
		if p, ok := d.dim(); ok {
			d.finding = Finding{Problem: TooDark}
			d.place(p.x, p.y)
		}
	}
}

// place says where in the picture the finding was seen.
func (d *Decoder) place(x, y float32) {
	f, p := &d.finding, &d.planes[0]
	f.Located = true
	f.X, f.Y = max(0, min(1, x/float32(p.w))), max(0, min(1, y/float32(p.h)))
}

// come is place for what may be on its way, or part of the room: what a hand that comes in does to it will be over in a
// moment, and nobody is there to hear what a picture on the wall suffers from.
func (d *Decoder) come(x, y float32) {
	d.place(x, y)
	if d.opts.Stream && d.course.apart(x, y, d.planes[0].w) {
		d.finding.Problem, d.finding.Measure = Unclear, 0
	}
}

// centre is where the middle of the symbol lies in the picture.
func (g *grid) centre() (x, y float32) {
	half := float32(g.side) / 2
	return g.at(half, half)
}

// surest is the finder pattern that is seen best, or nil.
func (d *Decoder) surest() (best *finder) {
	for i := range d.finders {
		if f := &d.finders[i]; f.score >= leastFollowed && (best == nil || f.score > best.score) {
			best = f
		}
	}
	return best
}

// What is good enough, by what can still be read.
const (
	smallModule = 1.9  // pixels
	steepTilt   = 48   // degrees
	weakSingle  = 0.45 // contrast of single modules, of that of large areas
	faint       = 0.22 // of both directions: then which one is weaker says nothing
	muchGlare   = 0.06 // share of modules
	darkPicture = 22   // mean luma
	lightScreen = 240
)

// judgePicture finds fault with a picture in which no symbol could be located.
func (d *Decoder) judgePicture() Finding {
	p := &d.planes[0]
	sum := 0.0
	for _, s := range d.marks[0].sum {
		sum += float64(s)
	}
	mean := float32(sum / 64 / float64(len(d.marks[0].sum)))
	for i := range d.finders {
		f := &d.finders[i]
		if f.score < 0.75 {
			continue
		}
		margin := f.size * 1.2
		if f.size*3 > float32(min(p.w, p.h)) || f.x < margin || f.y < margin || float32(p.w)-f.x < margin || float32(p.h)-f.y < margin {
			return Finding{Problem: TooLarge, Measure: f.size / 7}
		}
	}
	switch {
	case mean < darkPicture:
		return Finding{Problem: TooDark, Measure: mean}
	case mean > lightScreen:
		return Finding{Problem: TooBright, Measure: mean}
	}
	best, alike := (*finder)(nil), 0
	for i := range d.finders {
		f := &d.finders[i]
		if f.score < leastFollowed {
			continue
		}
		alike++
		if best == nil || f.score > best.score {
			best = f
		}
	}
	if best == nil || alike < 2 && best.score < sureFinder {
		return Finding{Problem: NoCode, Measure: 0}
	}
	return d.judgeFinder(best)
}

// dwarfed: what was located is far smaller than a finder pattern that is there beyond doubt, and a chance.
func (d *Decoder) dwarfed() bool {
	for i := range d.finders {
		if f := &d.finders[i]; f.score > 0.85 && f.size/7 > 1.6*d.modulePitch(&d.best) {
			return true
		}
	}
	return false
}

// sureFinder is how well a finder pattern must be seen to speak for a symbol by itself, and
// leastJudged and wellLocated how well a symbol must be located to be judged instead of its finder patterns, and of a texture.
const (
	sureFinder  = 0.72
	leastJudged = 0.5
	wellLocated = 0.7
)

// judgeFinder finds fault with a symbol of which finder patterns are seen, but no more.
func (d *Decoder) judgeFinder(f *finder) Finding {
	v := d.view(f.size / 7)
	s := f.shape.moved(0, 0, v.scale)
	luma := func(a, b float32) float32 {
		l := v.at(s.x+a*s.ux+b*s.vx, s.y+a*s.uy+b*s.vy)
		if f.inverted {
			return 255 - l
		}
		return l
	}
	core, large := luma(0, 0), float32(1)
	for _, k := range [4][2]float32{{4.5, 0}, {-4.5, 0}, {0, 4.5}, {0, -4.5}} {
		large = max(large, luma(k[0], k[1])-core)
	}
	ring := func(a, b float32) float32 { // the light ring against core and dark ring
		return max(0, (luma(2*a, 2*b)+luma(-2*a, -2*b)-core)/2-(luma(3*a, 3*b)+luma(-3*a, -3*b))/4) / large
	}
	across, down := ring(1, 0), ring(0, 1)
	weak, strong := min(across, down), max(across, down, 0.01)
	switch tilt := angle(&f.shape); {
	case f.size/7 < smallModule:
		return Finding{Problem: TooSmall, Measure: f.size / 7}
	case tilt > steepTilt:
		return Finding{Problem: Tilted, Measure: tilt}
	case strong < faint:
		return Finding{Problem: OutOfFocus, Measure: strong}
	case weak < 0.6*strong:
		return Finding{Problem: Moving, Measure: weak / strong}
	case strong < weakSingle:
		return Finding{Problem: OutOfFocus, Measure: strong}
	}
	return Finding{Problem: Unclear, Measure: f.score}
}

// angle is by how many degrees a square is turned away that looks like s: a circle on it
// is an ellipse in the picture, whose axes the singular values are.
func angle(s *shape) float32 {
	a, b := s.ux*s.ux+s.uy*s.uy+s.vx*s.vx+s.vy*s.vy, 2*(s.ux*s.vy-s.uy*s.vx)
	long, short := sqrt32(max(0, a+b))+sqrt32(max(0, a-b)), sqrt32(max(0, a+b))-sqrt32(max(0, a-b))
	return float32(math.Acos(float64(min(1, max(short, -short)/long))) * 180 / math.Pi)
}

// judgeSymbol finds fault with a symbol that was located and sampled but not read.
func (d *Decoder) judgeSymbol(g *grid, v *view) Finding {
	p := &d.planes[0]
	side := float32(g.side)
	half := side / 2
	ux, uy, vx, vy := g.step(half, half)
	area := ux*vy - uy*vx
	module := sqrt32(max(area, -area))
	for _, c := range [4][2]float32{{0, 0}, {side, 0}, {side, side}, {0, side}} {
		x, y := g.at(c[0], c[1])
		if m := module; x < -m || y < -m || x > float32(p.w)+m || y > float32(p.h)+m {
			return Finding{Problem: TooLarge, Measure: module}
		}
	}
	m := &d.modules
	hidden, sum := 0, float32(0)
	for i, l := range m.raw {
		if l > 250 && m.dev[i] <= m.least {
			hidden++
		}
		sum += l
	}
	if share := float32(hidden) / float32(len(m.raw)); share > muchGlare {
		return Finding{Problem: Glare, Measure: share}
	}
	if tilt := angle(&shape{ux: ux, uy: uy, vx: vx, vy: vy}); tilt > steepTilt {
		return Finding{Problem: Tilted, Measure: tilt}
	}
	if module < smallModule {
		return Finding{Problem: TooSmall, Measure: module}
	}
	// Timing patterns are single modules; a finder pattern's core and surround are large areas.
	large := m.raw[3*m.side+3] - m.raw[7*m.side+7]
	large = max(large, -large, 1)
	across, down := m.single(false)/large, m.single(true)/large
	weak, strong := min(across, down), max(across, down)
	switch {
	case strong < faint:
		return Finding{Problem: OutOfFocus, Measure: strong}
	case weak < weakSingle && weak < 0.6*strong:
		return Finding{Problem: Moving, Measure: weak / strong}
	case strong < weakSingle:
		return Finding{Problem: OutOfFocus, Measure: strong}
	}
	if mean := sum / float32(len(m.raw)); mean < darkPicture {
		return Finding{Problem: TooDark, Measure: mean}
	} else if mean > lightScreen {
		return Finding{Problem: TooBright, Measure: mean}
	}
	return Finding{Problem: Unclear, Measure: max(0, g.score)}
}

// single is the mean contrast of the timing pattern's modules along a row or down a column.
func (m *modules) single(down bool) float32 {
	sum, n := float32(0), float32(0)
	for i := 8; i < m.side-9; i++ {
		a, b := 6*m.side+i, 6*m.side+i+1
		if down {
			a, b = i*m.side+6, (i+1)*m.side+6
		}
		d := m.raw[b] - m.raw[a]
		if i&1 != 0 {
			d = -d
		}
		sum, n = sum+d, n+1
	}
	return max(0, sum/n)
}
