package qr

// hit is a place where rows one below the other cross dark and light in the
// widths of a finder pattern, 1:1:3:1:1 (ISO/IEC 18004, 6.3.3).
type hit struct {
	x, y, width float32 // means: centre, and the width of all seven modules along the row
	rows        int32
	lastX       float32
	lastW       float32
	lastY       int32
	inverted    bool
}

// maxHits bounds what one search may find: a page of text has some hundreds, noise thousands.
const maxHits = 4096

// scanner searches rows for finder patterns of both polarities.
type scanner struct {
	at   []int32
	hits []hit
	// last is the newest hit of each 16 columns, plus one; even entries dark on light.
	last []int32
}

// scan crosses every step-th row of p and gathers hits, until it is late.
func (s *scanner) scan(p *plane, t *thresholds, step int, darkOnly bool, late func() bool) []hit {
	s.at = grow(s.at, p.w+2)
	s.hits = grow(s.hits, maxHits)[:0]
	s.last = grow(s.last, 2*(p.w/16+3))
	clear(s.last)
	for y := step / 2; y < p.h; y += step {
		if y&31 < step && late() {
			break
		}
		at := t.edges(p, y, s.at)
		for i := 0; i+5 < len(at); i++ {
			total, core := at[i+5]-at[i], at[i+3]-at[i+2]
			// three of seven modules, give or take
			if core*4 < total || core*8 > total*5 || total < 7 {
				continue
			}
			if i&1 != 0 && darkOnly {
				continue
			}
			if c, ok := finderRuns(at[i : i+6]); ok {
				s.add(c, float32(total), int32(y), int32(step), i&1 != 0)
			}
		}
	}
	return s.hits
}

// finderRuns judges five runs, given by their six ends, and gives the middle.
// Bars and spaces are compared each with their own kind, so that ink spread, blooming screens
// and a threshold off the middle, which widen all of one and narrow all of the
// other, do no harm.
func finderRuns(at []int32) (centre float32, ok bool) {
	a, b, c := float32(at[1]-at[0]), float32(at[2]-at[1]), float32(at[3]-at[2])
	d, e := float32(at[4]-at[3]), float32(at[5]-at[4])
	m := (a + b + c + d + e) / 7
	lo, hi, slack := 0.25*m, 1.9*m+0.6, 0.75*m+1.1
	if a < lo || b < lo || d < lo || e < lo || a > hi || b > hi || d > hi || e > hi {
		return 0, false
	}
	if a-e > slack || e-a > slack || b-d > slack || d-b > slack {
		return 0, false
	}
	if widest := max(a, b, d, e); c < widest*1.15 {
		return 0, false
	}
	return (float32(at[2]+at[3])/2 + float32(at[0]+at[5])/2) / 2, true
}

// add joins a crossing to the hit above it or makes a new one.
func (s *scanner) add(x, width float32, y, step int32, inverted bool) {
	b := int(x) / 16
	polarity := 0
	if inverted {
		polarity = 1
	}
	for k := max(0, b-1); k <= b+1; k++ {
		i := s.last[2*k+polarity]
		if i == 0 {
			continue
		}
		h := &s.hits[i-1]
		near := width*0.2 + 1.5
		if y-h.lastY > 3*step || y == h.lastY || x-h.lastX > near || h.lastX-x > near || width > 1.4*h.lastW+2 || h.lastW > 1.4*width+2 {
			continue
		}
		n := float32(h.rows)
		h.x, h.y, h.width = (h.x*n+x)/(n+1), (h.y*n+float32(y)+0.5)/(n+1), (h.width*n+width)/(n+1)
		h.rows++
		h.lastX, h.lastY, h.lastW = x, y, width
		s.last[2*b+polarity] = i
		return
	}
	if len(s.hits) == maxHits {
		return
	}
	s.hits = append(s.hits, hit{x: x, y: float32(y) + 0.5, width: width, rows: 1, lastX: x, lastY: y, lastW: width, inverted: inverted})
	s.last[2*b+polarity] = int32(len(s.hits))
}
