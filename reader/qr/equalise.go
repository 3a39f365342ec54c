package qr

// maxReach modules each way is how far light of one module may stray: a motion of four modules.
const (
	maxReach = 2
	maxTaps  = (2*maxReach + 1) * (2*maxReach + 1)
	// Two modules run into a common neighbour from twice as far.
	margin  = 2 * maxReach
	overlap = 2*margin + 1
)

// account is what light tells of modules that run into one another, as much as
// is needed to decide them: the light gathered again where each module has shed
// it (a matched filter), and how much of that is others' light. Accounts of frames add up,
// however differently these were blurred (S. Verdú, "Multiuser Detection", 2.9).
type account struct {
	told []float32                  // of each module
	blur [overlap * overlap]float32 // of a module's light in what its neighbours are told
}

// fade leaves share of what the account holds.
func (a *account) fade(n int, share float32) {
	a.told = grow(a.told, n)
	for i := range a.told {
		a.told[i] *= share
	}
	for i := range a.blur {
		a.blur[i] *= share
	}
}

// equalise decides the modules by a model of how they run into one another,
// which is estimated from function patterns and first decisions. A Laplacian
// assumes that blur is round and small; this learns which way the hand moved.
// Trusting learns from first decisions at once, where there are few function patterns. It gives false where there was
// no time, or nothing to learn from.
func (m *modules) equalise(l *layout, reach int, trusting bool, late func() bool) bool {
	m.lighten()
	m.decide(0.25)
	m.guess(l)
	for round := range 3 {
		m.own.fade(m.side*m.side, 0)
		if late() || !m.learn(&m.own, l, reach, round == 0 && !trusting, late) || !m.conclude(&m.own, l, late) {
			return false
		}
	}
	return true
}

// lighten fills light with raw free of contrast and gradient: about 1 is dark, −1 light.
func (m *modules) lighten() {
	m.light = grow(m.light, m.side*m.side)
	for i := range m.light {
		m.light[i] = max(-2.5, min(2.5, (m.mean[i]-m.raw[i])/(m.dev[i]+1)))
	}
}

// guess sets bits to what soft says, −1 light … 1 dark, and to the truth where it is known: so is the quiet zone.
func (m *modules) guess(l *layout) {
	n, w := m.side, m.side+2*margin
	m.bits = grow(m.bits, w*w)
	for i := range m.bits {
		m.bits[i] = -1
	}
	for y := range n {
		row := m.bits[(y+margin)*w+margin:]
		for x := range n {
			i := y*n + x
			row[x] = max(-1, min(1, 1.6*m.soft[i]))
			if f := l.fixed[i]; f != 0 {
				row[x] = float32(f)
			}
		}
	}
}

// learn estimates how bits have become light, and adds what light tells to a. At first, when most bits
// are guesses, it looks at the function patterns alone.
func (m *modules) learn(a *account, l *layout, reach int, first bool, late func() bool) bool {
	least := uint8(0)
	if first {
		least = mostlySure
	}
	h, ok := m.spread(l, reach, least, late)
	if !ok || late() {
		return false
	}
	n, w, side := m.side, m.side+2*margin, 2*reach+1
	if !m.foresee(&h, reach, late) {
		return false
	}
	var sum, count float32
	for y := range n {
		rest := m.rest[(y+margin)*w+margin:][:n]
		for x := range rest {
			i := y*n + x
			if m.dev[i] <= m.least { // no contrast around it: no news
				rest[x] = 0
				continue
			}
			rest[x] = m.light[i] - rest[x]
			sum, count = sum+rest[x]*rest[x], count+1
		}
	}
	if count == 0 {
		return false
	}
	weight := 1 / (sum/count + 0.01) // of news, by how noisy it is
	var blur [overlap * overlap]float32
	for i := range side * side {
		for k := range side * side {
			dy, dx := i/side-k/side, i%side-k%side
			blur[(dy+margin)*overlap+dx+margin] += weight * h[i] * h[k]
		}
	}
	for i, b := range blur {
		a.blur[i] += b
	}
	for y := range n {
		told := a.told[y*n:][:n]
		for dy := range side {
			for dx := range side {
				t := weight * h[side*side-1-dy*side-dx]
				from := m.rest[(y+margin+dy-reach)*w+margin+dx-reach:][:n]
				for x, r := range from {
					told[x] += t * r
				}
			}
		}
		for dy := margin - 2*reach; dy <= margin+2*reach; dy++ {
			for dx := margin - 2*reach; dx <= margin+2*reach; dx++ {
				t := blur[dy*overlap+dx]
				from := m.bits[(y+dy)*w+dx:][:n]
				for x, b := range from {
					told[x] += t * b
				}
			}
		}
	}
	return true
}

// foresee fills rest with the light that bits would give, run together by the taps h.
func (m *modules) foresee(h *[maxTaps]float32, reach int, late func() bool) bool {
	n, w, side := m.side, m.side+2*margin, 2*reach+1
	m.rest = grow(m.rest, w*w)
	clear(m.rest)
	for y := range n {
		if y&31 == 31 && late() {
			return false
		}
		seen := m.rest[(y+margin)*w+margin:][:n]
		for dy := range side {
			for dx := range side {
				t := h[dy*side+dx]
				from := m.bits[(y+margin+dy-reach)*w+margin+dx-reach:][:n]
				for x, b := range from {
					seen[x] += t * b
				}
			}
		}
	}
	return true
}

// doubt is how little each module is believed in before anything is told.
const doubt = 1

// conclude finds the bits between −1 and 1 that explain best what was told (least
// squares in a box, by coordinate descent, which always comes closer), and soft: what each
// module would be if all others were as found.
func (m *modules) conclude(a *account, l *layout, late func() bool) bool {
	n, w := m.side, m.side+2*margin
	var taps [overlap * overlap]struct {
		at   int
		gain float32
	}
	count := 0
	for i, g := range a.blur {
		if g != 0 && i != len(a.blur)/2 {
			taps[count].at, taps[count].gain = (i/overlap-margin)*w+i%overlap-margin, g
			count++
		}
	}
	gain := 1 / (a.blur[len(a.blur)/2] + doubt)
	for range 7 {
		if late() {
			return false
		}
		moved := float32(0)
		for y := range n {
			if y&15 == 15 && late() {
				return false
			}
			for x := range n {
				i, o := y*n+x, (y+margin)*w+x+margin
				if f := l.fixed[i]; f != 0 {
					m.soft[i] = float32(f)
					continue
				}
				v := a.told[i]
				for k := range taps[:count] {
					v -= taps[k].gain * m.bits[o+taps[k].at]
				}
				v *= gain
				m.soft[i] = v
				v = max(-1, min(1, v))
				d := v - m.bits[o]
				moved += max(d, -d)
				m.bits[o] = v
			}
		}
		if moved < 0.003*float32(n*n) {
			break
		}
	}
	return true
}

// mostlySure is how many of 25 modules must be known for a guess at the others to do no harm.
const mostlySure = 18

// spread estimates the taps with which bits add up to light, by least squares over
// the modules around which least are sure.
func (m *modules) spread(l *layout, reach int, least uint8, late func() bool) (h [maxTaps]float32, ok bool) {
	var a [maxTaps][maxTaps + 1]float64
	n, w, side := m.side, m.side+2*margin, 2*reach+1
	taps := side * side
	var row [maxTaps + 1]float32
	step := 2 // half of them will do
	if least > 0 {
		step = 1
	}
	for y := range n {
		if y&15 == 15 && late() {
			return h, false
		}
		for x := y & (step - 1); x < n; x += step {
			if m.dev[y*n+x] <= m.least || l.sure[y*n+x] < least {
				continue
			}
			k := 0
			for dy := -reach; dy <= reach; dy++ {
				o := (y+margin+dy)*w + margin + x - reach
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
