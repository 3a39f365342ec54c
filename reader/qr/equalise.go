package qr

// maxReach modules each way is how far light of one module may stray: a motion of four modules.
const (
	maxReach = 2
	maxTaps  = (2*maxReach + 1) * (2*maxReach + 1)
)

// equalise decides the modules by a model of how they run into one another:
// the spread of one module's light over its neighbours is estimated from
// function patterns and first decisions by least squares, what the
// neighbours shed is taken away, and what the module itself has shed is gathered again
// (decision-directed estimation and soft parallel interference cancellation,
// as in S. Verdú, "Multiuser Detection", 7). A Laplacian assumes that blur is
// round and small; this learns which way the hand moved.
// It gives false where there was no time, or nothing to learn from.
func (m *modules) equalise(l *layout, reach int, late func() bool) bool {
	n := m.side
	m.light, m.bits, m.rest = grow(m.light, n*n), grow(m.bits, n*n), grow(m.rest, n*n)
	for i := range m.light {
		m.light[i] = max(-2.5, min(2.5, (m.mean[i]-m.raw[i])/(m.dev[i]+1)))
	}
	m.decide(0.25)
	for range 2 {
		m.guess(l)
		h, ok := m.spread(reach)
		if !ok || late() {
			return false
		}
		energy := float32(0)
		for _, t := range h {
			energy += t * t
		}
		for range 3 {
			m.convolve(m.rest, m.bits, &h, reach, false)
			for i, e := range m.light {
				m.rest[i] = e - m.rest[i]
			}
			m.convolve(m.soft, m.rest, &h, reach, true)
			for i, b := range m.bits {
				m.soft[i] = 0.8*m.soft[i]/energy + b
			}
			m.guess(l)
			if late() {
				return false
			}
		}
	}
	return true
}

// guess sets bits to what soft says, −1 light … 1 dark, and to the truth where it is known.
func (m *modules) guess(l *layout) {
	for i, s := range m.soft {
		m.bits[i] = max(-1, min(1, 1.6*s))
		if f := l.fixed[i]; f != 0 {
			m.bits[i] = float32(f)
		}
	}
}

// spread estimates the taps with which bits add up to light.
func (m *modules) spread(reach int) (h [maxTaps]float32, ok bool) {
	var a [maxTaps][maxTaps + 1]float64
	n, side := m.side, 2*reach+1
	taps := side * side
	var row [maxTaps + 1]float32
	for y := reach; y < n-reach; y++ {
		for x := reach; x < n-reach; x += 2 { // half of them will do
			k := 0
			for dy := -reach; dy <= reach; dy++ {
				o := (y+dy)*n + x - reach
				k += copy(row[k:], m.bits[o:o+side])
			}
			row[taps] = m.light[y*n+x]
			for i := range taps {
				r := row[i]
				for k := i; k <= taps; k++ {
					a[i][k] += float64(r * row[k])
				}
			}
		}
	}
	for i := range taps {
		for k := range i {
			a[i][k] = a[k][i]
		}
		a[i][i] += 10 // a pull towards nothing for what the bits do not tell
	}
	for i := range taps {
		p := a[i][i]
		if p < 1e-6 {
			return h, false
		}
		for k := i + 1; k < taps; k++ {
			f := a[k][i] / p
			for c := i; c < taps; c++ {
				a[k][c] -= f * a[i][c]
			}
			a[k][taps] -= f * a[i][taps]
		}
	}
	for i := taps - 1; i >= 0; i-- {
		v := a[i][taps]
		for c := i + 1; c < taps; c++ {
			v -= a[i][c] * float64(h[c])
		}
		h[i] = float32(v / a[i][i])
	}
	return h, h[taps/2] > 0.05
}

// convolve sums src around each module with h's weights, or the weights turned by 180°. Outside the symbol
// all is light, −1, where src is bits and nothing where it is a rest.
func (m *modules) convolve(dst, src []float32, h *[maxTaps]float32, reach int, turned bool) {
	n, side := m.side, 2*reach+1
	outside := float32(-1)
	if turned {
		outside = 0
	}
	for y := range n {
		out := dst[y*n : y*n+n]
		clear(out)
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				k := (dy+reach)*side + dx + reach
				if turned {
					k = side*side - 1 - k
				}
				w := h[k]
				if y+dy < 0 || y+dy >= n {
					for i := range out {
						out[i] += w * outside
					}
					continue
				}
				from := src[(y+dy)*n : (y+dy)*n+n]
				lo, hi := max(0, -dx), n-max(0, dx)
				part := from[lo+dx : hi+dx]
				for i, v := range part {
					out[lo+i] += w * v
				}
				for i := range lo {
					out[i] += w * outside
				}
				for i := hi; i < n; i++ {
					out[i] += w * outside
				}
			}
		}
	}
}
