package qr

import "math"

// locate works out which symbol three finder patterns may be the corners of:
// its dimension and a first homography. It gives false where the picture
// between them does not look like a symbol.
func (d *Decoder) locate(t triple) (g grid, ok bool) {
	a, b, c := &d.finders[t.a], &d.finders[t.b], &d.finders[t.c]
	pitch := (a.size + b.size + c.size) / 21
	v := d.view(pitch)
	sign := float32(1)
	if a.inverted {
		sign = -1
	}
	// Along a projective line the geometric mean of the pitches at its ends is length over modules.
	ab, _ := a.along(b.x-a.x, b.y-a.y)
	ba, _ := b.along(b.x-a.x, b.y-a.y)
	ac, _ := a.along(c.x-a.x, c.y-a.y)
	ca, _ := c.along(c.x-a.x, c.y-a.y)
	mu, mv := sqrt32(ab*ba), sqrt32(ac*ca)
	k1, k2 := sqrt32(ba/ab)-1, sqrt32(ca/ac)-1
	middle := (mu+mv)/2 + 7
	nearest := int(math.Round(float64(middle-17)/4))*4 + 17
	away := 4
	if middle > 60 {
		away = 8
	}
	pa, pb, pc := [2]float32{a.x, a.y}, [2]float32{b.x, b.y}, [2]float32{c.x, c.y}
	g.score = -1
	for side := nearest - away; side <= nearest+away; side += 4 {
		if side < 21 || side > 177 {
			continue
		}
		// The two timing patterns each tell the perspective along them.
		bestU, bestV := float32(-1), float32(-1)
		bu, bv := k1, k2
		for i := -6; i <= 6; i++ {
			e := float32(i) * 0.02
			h := fromThree(pa, pb, pc, k1+e, k2+e, float32(side))
			if !h.sane(float32(side)) {
				continue
			}
			row, col := timing(&v, &h, side, sign)
			cost := float32(math.Abs(float64(e)))
			if row-cost > bestU {
				bestU, bu = row-cost, k1+e
			}
			if col-cost > bestV {
				bestV, bv = col-cost, k2+e
			}
		}
		s := (bestU + bestV) / 2
		off := float32(side) - middle
		if s -= off * off / (float32(side) * 8); s > g.score {
			h := fromThree(pa, pb, pc, bu, bv, float32(side))
			if h.sane(float32(side)) {
				g = grid{homography: h, side: side, inverted: a.inverted, score: s}
			}
		}
	}
	if g.side == 0 {
		return g, false
	}
	far := float32(g.side) - 3.5
	f1 := sign * agree(&v, &g.homography, finderPattern, 3.5, 3.5, 0, 0, false)
	f2 := sign * agree(&v, &g.homography, finderPattern, far, 3.5, 0, 0, false)
	f3 := sign * agree(&v, &g.homography, finderPattern, 3.5, far, 0, 0, false)
	g.score = (g.score + f1 + f2 + f3) / 4
	return g, f1+f2+f3 > 1.2 && g.score > 0.3
}

func sqrt32(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// view picks the level on which a module is three to six pixels wide, where
// each pixel is the mean of many and two samples a module still stand apart.
func (d *Decoder) view(pitch float32) view {
	n := 0
	for n+1 < levels && pitch >= 6 && d.level(n+1) != nil {
		n++
		pitch /= 2
	}
	return view{d.level(n), 1 / float32(int(1)<<n), n}
}
