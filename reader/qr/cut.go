package qr

const (
	// clearFinder is how well a finder pattern must be seen to be walked from, and patternedBy what share of its
	// contrast there is across a strip of modules at the least.
	clearFinder = 0.85
	patternedBy = 0.4
	// leastSeen is how many modules from a finder pattern's middle the picture must go on to tell by, four of them not its own.
	leastSeen = 9
	// cutContrast is the contrast below which a finder pattern is not walked from: a sensor's noise in the dark is a
	// pattern that has no end.
	cutContrast = 24
)

// cut is a finder pattern whose symbol the picture's edge cuts off, or nil; of several the one nearest to the picture's middle.
func (d *Decoder) cut() (best *finder) {
	p, nearest := &d.planes[0], float32(0)
	for i := range d.finders {
		f := &d.finders[i]
		if f.score < clearFinder || f.contrast < cutContrast {
			continue
		}
		x, y := f.x-float32(p.w)/2, f.y-float32(p.h)/2
		if away := x*x + y*y; (best == nil || away < nearest) && d.leaves(f) {
			best, nearest = f, away
		}
	}
	return best
}

// leaves says that modules go on from f to the picture's edge. A symbol has a quiet zone all around (ISO/IEC 18004, 6.3.8), so
// that where a strip as wide as the finder pattern meets none the symbol is not yet at its end.
func (d *Decoder) leaves(f *finder) bool {
	v := d.view(f.size / 7)
	s := f.shape.moved(0, 0, v.scale)
	for _, k := range [4][2]float32{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
		ahead := [2]float32{k[0]*s.ux + k[1]*s.vx, k[0]*s.uy + k[1]*s.vy}
		aside := [2]float32{k[1]*s.ux + k[0]*s.vx, k[1]*s.uy + k[0]*s.vy}
		if v.patternedOut(s.x, s.y, ahead, aside, patternedBy*f.contrast) {
			return true
		}
	}
	return false
}

// patternedOut walks from a finder pattern's middle, module by module, and says whether any two modules of the strip together hold
// dark and light, least apart, to the plane's edge.
func (v *view) patternedOut(x, y float32, ahead, aside [2]float32, least float32) bool {
	lo, hi := float32(255), float32(0)
	for m := float32(5); m < 180; m++ {
		a, b := x+m*ahead[0], y+m*ahead[1]
		if a < 0 || b < 0 || a > float32(v.w) || b > float32(v.h) {
			return m >= leastSeen
		}
		l, h := float32(255), float32(0)
		for k := float32(-3); k <= 3; k++ {
			g := v.at(a+k*aside[0], b+k*aside[1])
			l, h = min(l, g), max(h, g)
		}
		if m > 5 && max(h, hi)-min(l, lo) < least {
			return false
		}
		lo, hi = l, h
	}
	return false
}
