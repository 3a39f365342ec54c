package qr

const (
	// rounds of aligning a frame with what is known.
	rounds = 2
	// farOff, in modules, is beyond what a gradient can tell.
	farOff = 1.5
	// stay is a pull towards where it is, of so many modules' evidence.
	stay = 3
)

// align moves g to where the modules sampled last agree best with what bits say of all of them: data modules are thirty times
// as many as those of function patterns, and are seen where motion has wiped alignment patterns out. Blur and motion run
// modules together the same way forwards and back; what a symmetric spread of bits leaves unexplained is how far g is off
// (least squares on the gradient: B. Lucas, T. Kanade, "An Iterative Image Registration Technique", 1981). It says whether g was moved.
func (m *modules) align(g *grid, l *layout, late func() bool) bool {
	h, ok := m.spread(l, maxReach, 0, late)
	if !ok {
		return false
	}
	for i, k := 0, len(h)-1; i < k; i, k = i+1, k-1 {
		h[i] = (h[i] + h[k]) / 2
		h[k] = h[i]
	}
	if !m.foresee(&h, maxReach, late) {
		return false
	}
	n, w := m.side, m.side+2*margin
	half := float32(n) / 2
	var a [8][9]float64
	for y := 1; y < n-1; y++ {
		if y&31 == 31 && late() {
			return false
		}
		t := (float32(y)+0.5)/half - 1
		for x := 1; x < n-1; x++ {
			i, o := y*n+x, (y+margin)*w+margin+x
			if m.dev[i] <= m.least {
				continue
			}
			s := (float32(x)+0.5)/half - 1
			gu, gv := (m.rest[o+1]-m.rest[o-1])/2, (m.rest[o+w]-m.rest[o-w])/2
			r := s*gu + t*gv
			row := [9]float32{gu, s * gu, t * gu, gv, s * gv, t * gv, s * r, t * r, m.light[i] - m.rest[o]}
			for j := range a {
				for k := j; k < len(row); k++ {
					a[j][k] += float64(row[j] * row[k])
				}
			}
		}
	}
	for i := range a {
		for k := range i {
			a[i][k] = a[k][i]
		}
		a[i][i] += stay
	}
	var e [8]float64
	if !solve(&a, &e) {
		return false
	}
	for _, v := range e {
		if !(v < farOff && v > -farOff) {
			return false
		}
	}
	moved := g.homography.moved(&e, float64(half))
	if !moved.sane(float32(n)) {
		return false
	}
	g.homography = moved
	return true
}

// moved is h where what was taken for (s, t), in half sides from the middle, lies by e further: e0 + e1·s + e2·t along s,
// e3 + e4·s + e5·t along t, and e6·s + e7·t times (s, t).
func (h *homography) moved(e *[8]float64, half float64) (out homography) {
	to := [9]float64{1 - e[1]/half, -e[2] / half, -e[0] / half, -e[4] / half, 1 - e[5]/half, -e[3] / half, e[6] / half, e[7] / half, 1}
	var q [9]float64
	for i := 0; i < 9; i += 3 {
		a, b := float64(h[i])*half, float64(h[i+1])*half // from the middle, in half sides
		c := float64(h[i+2]) + a + b
		for k := range 3 {
			q[i+k] = a*to[k] + b*to[3+k] + c*to[6+k]
		}
		q[i], q[i+1] = q[i]/half, q[i+1]/half // in modules from the corner again
		q[i+2] -= (q[i] + q[i+1]) * half
	}
	for i := range q {
		out[i] = float32(q[i] / q[8])
	}
	return out
}
