package qr

import "time"

// evidence is what successive frames have shown of one symbol, module by module. A
// pass stands still in its own modules while hand and camera move, so that
// noise, which differs from frame to frame, averages out, what a
// reflection hides in one frame another shows, and what one motion has run together another has not.
type evidence struct {
	account
	side     int
	inverted bool
	frames   int
	until    time.Time
	bits     []float32 // what it amounts to so far, as in modules
}

const (
	// lifetime of evidence: a pass is shown for 15 seconds.
	lifetime = 15 * time.Second
	// Frames that show the same symbol correlate above this in their data modules; two symbols do not, with
	// a spread of 1/√modules: 0.05 and less.
	sameSymbol = 0.2
	// memory of a frame: the newest ones count most, so that a frame that was badly located passes.
	fading = 0.93
)

// fuse adds the modules sampled last to the evidence of the same symbol, and decodes what
// has come together. Two symbols are remembered; the one that was seen less gives way to a new one.
func (d *Decoder) fuse(g *grid, l *layout, v *view) bool {
	if d.late() {
		return false
	}
	m := &d.modules
	d.fused = true // one symbol a frame
	m.lighten()
	e := d.evident(g, l)
	if e == nil {
		if e = &d.seen[0]; d.seen[1].frames < e.frames {
			e = &d.seen[1]
		}
		e.side, e.inverted, e.frames = g.side, g.inverted, 0
		e.until = d.began.Add(lifetime)
		e.fade(m.side*m.side, 0)
		m.decide(0.25)
		m.guess(l)
	} else {
		m.bits = append(m.bits[:0], e.bits...)
		for range rounds {
			if !m.align(g, l, d.late) || !m.sample(g, v, d.late) {
				break
			}
			m.lighten()
		}
		e.fade(m.side*m.side, fading)
	}
	if !m.learn(&e.account, l, maxReach, e.frames == 0, d.late) {
		return false
	}
	e.frames++
	done := m.conclude(&e.account, l, d.late)
	e.bits = append(e.bits[:0], m.bits...)
	if done && d.decode(g, l) {
		e.frames = 0
		return true
	}
	return false
}

// evident is the evidence of the symbol whose modules have been sampled and lightened, or nil.
func (d *Decoder) evident(g *grid, l *layout) (e *evidence) {
	best := float32(sameSymbol)
	for i := range d.seen {
		o := &d.seen[i]
		if o.frames > 0 && d.began.After(o.until) {
			o.frames = 0
		}
		if o.frames > 0 && o.side == g.side && o.inverted == g.inverted {
			if c := d.modules.resembles(o.bits, l); c > best {
				e, best = o, c
			}
		}
	}
	return e
}

// resembles correlates the light of data modules with bits.
func (m *modules) resembles(bits []float32, l *layout) float32 {
	n, w := m.side, m.side+2*margin
	var ab, aa, bb float32
	for _, i := range l.order {
		a, b := m.light[i], bits[(int(i)/n+margin)*w+int(i)%n+margin]
		ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / sqrt32(aa*bb)
}
