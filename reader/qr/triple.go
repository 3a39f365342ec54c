package qr

// triple is three finder patterns that may belong to one symbol: a at its top
// left, b and c so that a→b→c turns clockwise in the picture (y down).
type triple struct {
	a, b, c int16
	score   float32 // less is better
}

const (
	maxFinders = 40 // of each polarity that triples are made of
	maxTriples = 48
)

// rank fills out with the likeliest triples of finders that have not been ranked before, best first. Under
// perspective neither the right angle nor the equal sides nor the equal sizes survive, but
// they bend only so far; each is charged for how far it bends.
func rank(finders []finder, out []triple, late func() bool) []triple {
	out = out[:0]
	for a := range finders {
		if late() {
			break
		}
		for b := range finders {
			if b == a || finders[b].inverted != finders[a].inverted {
				continue
			}
			for c := range finders {
				if c == a || c == b || finders[c].inverted != finders[a].inverted || !(finders[a].fresh || finders[b].fresh || finders[c].fresh) {
					continue
				}
				s, ok := judge(&finders[a], &finders[b], &finders[c])
				if !ok || len(out) == cap(out) && s >= out[len(out)-1].score {
					continue
				}
				t := triple{int16(a), int16(b), int16(c), s}
				if len(out) < cap(out) {
					out = append(out, t)
				}
				i := len(out) - 1
				for ; i > 0 && out[i-1].score > s; i-- {
					out[i] = out[i-1]
				}
				out[i] = t
			}
		}
	}
	return out
}

func judge(a, b, c *finder) (float32, bool) {
	small, large := min(a.size, b.size, c.size), max(a.size, b.size, c.size)
	if large > 2.2*small+2 {
		return 0, false
	}
	ux, uy, vx, vy := b.x-a.x, b.y-a.y, c.x-a.x, c.y-a.y
	cross := ux*vy - uy*vx
	if cross <= 0 {
		return 0, false
	}
	lu, lv := sqrt32(ux*ux+uy*uy), sqrt32(vx*vx+vy*vy)
	cos := (ux*vx + uy*vy) / (lu * lv)
	if cos > 0.7 || cos < -0.7 || lu > 2.6*lv || lv > 2.6*lu {
		return 0, false
	}
	// A line through two patterns runs along a side of each, whatever the perspective.
	au, askew := a.along(ux, uy)
	bu, bskew := b.along(ux, uy)
	av, cskew := a.along(vx, vy)
	cv, dskew := c.along(vx, vy)
	skew := max(askew, bskew, cskew, dskew)
	if skew > 0.35 {
		return 0, false
	}
	// Sides in modules: the geometric mean of what they are by the pitch at each end.
	mu, mv := sqrt32(au*bu), sqrt32(av*cv)
	if mu < 10 || mv < 10 || mu > 200 || mv > 200 {
		return 0, false
	}
	ratio := max(mu/mv, mv/mu)
	if ratio > 1.4 {
		return 0, false
	}
	quality := a.quality + b.quality + c.quality
	cMax, cMin := max(a.contrast, b.contrast, c.contrast), min(a.contrast, b.contrast, c.contrast)
	s := 3*(ratio-1) + 2*(askew+bskew+cskew+dskew) + 0.5*(large/small-1) + 0.1*min(4, cMax/(cMin+1)-1) - 2*quality + (mu+mv)/400
	return s, true
}

// along measures a way in the modules of f: how many it is along the side it
// follows, and by how much of that it strays to the other side.
func (f *finder) along(x, y float32) (modules, skew float32) {
	det := f.ux*f.vy - f.uy*f.vx
	p, q := (x*f.vy-y*f.vx)/det, (y*f.ux-x*f.uy)/det
	p, q = max(p, -p), max(q, -q)
	if p < q {
		p, q = q, p
	}
	return p, q / p
}
