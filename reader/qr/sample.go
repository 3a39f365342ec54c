package qr

// modules are a symbol's gray levels, one a module, and what is made of them.
type modules struct {
	side  int
	whole bool      // all was sampled: there was time
	raw   []float32 // luma, 255 − luma for inverted symbols
	mean  []float32 // of the surroundings
	dev   []float32 // mean distance of the surroundings from their mean: the contrast
	soft  []float32 // above zero is dark; about ±1 for sure modules
	flip  []float32 // soft, rows and columns exchanged
	sums  []float64
	least float32 // contrast below which nothing is told
	// For equalise: contrast-free light; decisions and what they leave unexplained, margin modules
	// wider on each side.
	light, bits, rest []float32
	own               account
}

// sample reads g's modules from v: each the mean of four places around its middle. It gives false where there was no time.
func (m *modules) sample(g *grid, v *view, late func() bool) bool {
	n := g.side
	m.side, m.whole = n, false
	m.raw, m.mean, m.dev = grow(m.raw, n*n), grow(m.mean, n*n), grow(m.dev, n*n)
	m.soft, m.flip = grow(m.soft, n*n), grow(m.flip, n*n)
	h := g.homography
	for i := range 6 { // to the plane's own pixels
		h[i] *= v.scale
	}
	for y := range n {
		if y&15 == 15 && late() {
			return false
		}
		row := m.raw[y*n : y*n+n]
		fy := float32(y) + 0.5
		for x := range row {
			fx := float32(x) + 0.5
			w := 1 / (h[6]*fx + h[7]*fy + h[8])
			px, py := (h[0]*fx+h[1]*fy+h[2])*w, (h[3]*fx+h[4]*fy+h[5])*w
			// A quarter of a module right and down.
			const q = 0.22
			ux, uy := (h[0]-px*h[6])*w*q, (h[3]-py*h[6])*w*q
			vx, vy := (h[1]-px*h[7])*w*q, (h[4]-py*h[7])*w*q
			if g.warp != nil {
				dx, dy := g.warp.off(fx, fy)
				px, py = px+dx*v.scale, py+dy*v.scale
			}
			l := (v.at(px+ux+vx, py+uy+vy) + v.at(px+ux-vx, py+uy-vy) + v.at(px-ux+vx, py-uy+vy) + v.at(px-ux-vx, py-uy-vy)) / 4
			if g.inverted {
				l = 255 - l
			}
			row[x] = l
		}
	}
	m.level()
	m.whole = true
	return true
}

// level works out the surroundings' mean and contrast of each module.
func (m *modules) level() {
	n := m.side
	m.around(m.raw, m.mean, 5)
	for i, l := range m.raw {
		d := l - m.mean[i]
		m.soft[i] = max(d, -d)
	}
	m.around(m.soft, m.dev, 6)
	// Where a reflection leaves no contrast, what little there is must not look sure.
	all := float32(0)
	for _, d := range m.dev {
		all += d
	}
	m.least = 0.3 * all / float32(n*n)
	for i, d := range m.dev {
		m.dev[i] = max(d, m.least)
	}
}

// around is the mean of src within reach modules of each, as far as the symbol goes.
func (m *modules) around(src, dst []float32, reach int) {
	n := m.side
	w := n + 1
	m.sums = grow(m.sums, w*w)
	clear(m.sums[:w])
	for y := range n {
		sum := 0.0
		m.sums[(y+1)*w] = 0
		for x := range n {
			sum += float64(src[y*n+x])
			m.sums[(y+1)*w+x+1] = m.sums[y*w+x+1] + sum
		}
	}
	for y := range n {
		a, b := max(0, y-reach), min(n, y+reach+1)
		for x := range n {
			c, d := max(0, x-reach), min(n, x+reach+1)
			s := m.sums[b*w+d] - m.sums[b*w+c] - m.sums[a*w+d] + m.sums[a*w+c]
			dst[y*n+x] = float32(s / float64((b-a)*(d-c)))
		}
	}
}

// decide fills soft: each module against the mean of its surroundings, after
// its own four neighbours' light has been taken out of it by strength (a
// Laplacian in steps of modules, which undoes blur whatever the pixels' size).
func (m *modules) decide(strength float32) {
	n := m.side
	for y := range n {
		for x := range n {
			i := y*n + x
			l := m.raw[i]
			if strength > 0 {
				left, right, up, down := l, l, l, l
				if x > 0 {
					left = m.raw[i-1]
				} else {
					left = m.mean[i] + m.dev[i]
				}
				if x < n-1 {
					right = m.raw[i+1]
				} else {
					right = m.mean[i] + m.dev[i]
				}
				if y > 0 {
					up = m.raw[i-n]
				} else {
					up = m.mean[i] + m.dev[i]
				}
				if y < n-1 {
					down = m.raw[i+n]
				} else {
					down = m.mean[i] + m.dev[i]
				}
				l += strength * (4*l - left - right - up - down)
			}
			m.soft[i] = (m.mean[i] - l) / (m.dev[i] + 1)
		}
	}
}

// transpose fills flip.
func (m *modules) transpose() {
	n := m.side
	for y := range n {
		for x := range n {
			m.flip[x*n+y] = m.soft[y*n+x]
		}
	}
}
