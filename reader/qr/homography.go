package qr

import "math"

// homography maps the symbol's plane, in modules from its top left corner, to
// level-0 pixels: x = (h0·u + h1·v + h2)/(h6·u + h7·v + h8), y likewise (R.
// Hartley, A. Zisserman, "Multiple View Geometry", 2.3).
type homography [9]float32

func (h *homography) at(u, v float32) (x, y float32) {
	w := 1 / (h[6]*u + h[7]*v + h[8])
	return (h[0]*u + h[1]*v + h[2]) * w, (h[3]*u + h[4]*v + h[5]) * w
}

// step is how far one module to the right and one down leads at (u, v), in pixels.
func (h *homography) step(u, v float32) (ux, uy, vx, vy float32) {
	w := 1 / (h[6]*u + h[7]*v + h[8])
	x, y := (h[0]*u+h[1]*v+h[2])*w, (h[3]*u+h[4]*v+h[5])*w
	return (h[0] - x*h[6]) * w, (h[3] - y*h[6]) * w, (h[1] - x*h[7]) * w, (h[4] - y*h[7]) * w
}

// sane: the whole symbol of side modules lies before the camera and nothing of it is
// drawn out beyond what a camera can resolve.
func (h *homography) sane(side float32) bool {
	least, most := float32(math.Inf(1)), float32(0)
	for _, c := range [4][2]float32{{0, 0}, {side, 0}, {side, side}, {0, side}} {
		w := h[6]*c[0] + h[7]*c[1] + h[8]
		if !(w > 0.05) { // h8 is about 1
			return false
		}
		ux, uy, vx, vy := h.step(c[0], c[1])
		area := ux*vy - uy*vx
		if area < 0 {
			area = -area
		}
		least, most = min(least, area), max(most, area)
	}
	return least > 0.2 && most < 40*least && most < maxSide*maxSide
}

// match is a point of the symbol seen in the picture.
type match struct {
	u, v, x, y float32
	weight     float32
}

// fit finds the homography that comes nearest to all matches: linear least
// squares with h8 = 1 in coordinates that are moved and scaled to about ±1 for
// the arithmetic's sake, where the algebraic error is then that in pixels up
// to the perspective's own factor. It wants four matches at least, no three of
// which lie on a line.
func fit(matches []match, side float32) (h homography, ok bool) {
	if len(matches) < 4 {
		return h, false
	}
	var cx, cy, sum float64
	for _, m := range matches {
		cx, cy, sum = cx+float64(m.x), cy+float64(m.y), sum+1
	}
	cx, cy = cx/sum, cy/sum
	spread := 1.0
	for _, m := range matches {
		spread = max(spread, math.Abs(float64(m.x)-cx), math.Abs(float64(m.y)-cy))
	}
	half := float64(side) / 2
	var a [8][9]float64
	add := func(row *[9]float64, w float64) {
		for i := range 8 {
			for k := i; k < 9; k++ {
				a[i][k] += w * row[i] * row[k]
			}
		}
	}
	for _, m := range matches {
		u, v := float64(m.u)/half-1, float64(m.v)/half-1
		x, y := (float64(m.x)-cx)/spread, (float64(m.y)-cy)/spread
		w := float64(m.weight)
		add(&[9]float64{u, v, 1, 0, 0, 0, -x * u, -x * v, x}, w)
		add(&[9]float64{0, 0, 0, u, v, 1, -y * u, -y * v, y}, w)
	}
	for i := range 8 {
		for k := range i {
			a[i][k] = a[k][i]
		}
	}
	var s [8]float64
	if !solve(&a, &s) {
		return h, false
	}
	// Undo the scaling: picture · S · symbol.
	n := [9]float64{s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], 1}
	for i := range 3 { // columns first: u' = u/half − 1
		a, b, c := n[3*i], n[3*i+1], n[3*i+2]
		n[3*i], n[3*i+1], n[3*i+2] = a/half, b/half, c-a-b
	}
	for k := range 3 {
		n[k], n[3+k] = n[k]*spread+cx*n[6+k], n[3+k]*spread+cy*n[6+k]
	}
	if math.Abs(n[8]) < 1e-6 {
		return h, false
	}
	for i := range n {
		h[i] = float32(n[i] / n[8])
	}
	return h, h.sane(side)
}

// solve is Gaussian elimination with pivots of the 8 equations in a, right side last.
func solve(a *[8][9]float64, out *[8]float64) bool {
	for i := range 8 {
		p := i
		for k := i + 1; k < 8; k++ {
			if math.Abs(a[k][i]) > math.Abs(a[p][i]) {
				p = k
			}
		}
		if !(math.Abs(a[p][i]) > 1e-12) {
			return false
		}
		a[i], a[p] = a[p], a[i]
		for k := i + 1; k < 8; k++ {
			f := a[k][i] / a[i][i]
			for c := i; c < 9; c++ {
				a[k][c] -= f * a[i][c]
			}
		}
	}
	for i := 7; i >= 0; i-- {
		v := a[i][8]
		for c := i + 1; c < 8; c++ {
			v -= a[i][c] * out[c]
		}
		out[i] = v / a[i][i]
	}
	return true
}

// fromThree is the homography through the centres of three finder patterns, a
// at the top left, whose perspective is given by k1 and k2: the pitch at a over
// that at b (and c) is (1+k)² for a projective line.
func fromThree(a, b, c [2]float32, k1, k2, side float32) homography {
	n := 1 / (side - 7)
	var h homography
	h[6], h[7] = k1*n, k2*n
	for i := range 2 {
		h[3*i] = ((1+k1)*b[i] - a[i]) * n
		h[3*i+1] = ((1+k2)*c[i] - a[i]) * n
	}
	// From the first centre to the corner, 3.5 modules each way; then h8 = 1 again.
	w := 1 - 3.5*(h[6]+h[7])
	for i := range 2 {
		h[3*i+2] = a[i] - 3.5*(h[3*i]+h[3*i+1])
	}
	for i := range 8 {
		h[i] /= w
	}
	h[8] = 1
	return h
}
