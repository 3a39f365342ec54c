package qr

import "time"

// evidence is what successive frames have shown of one symbol, module by module. A
// pass stands still in its own modules while hand and camera move, so that
// noise, which differs from frame to frame, averages out, and what a
// reflection hides in one frame another shows.
type evidence struct {
	side     int
	inverted bool
	frames   int
	until    time.Time
	sum      []float32 // of contrast-free modules, dark above zero
	trust    []float32 // of their weights
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
func (d *Decoder) fuse(g *grid, l *layout, now time.Time) bool {
	m := &d.modules
	n := m.side * m.side
	m.light = grow(m.light, n)
	for i := range m.light {
		m.light[i] = max(-2.5, min(2.5, (m.mean[i]-m.raw[i])/(m.dev[i]+1)))
	}
	e := &d.seen[0]
	best := float32(-1)
	for i := range d.seen {
		o := &d.seen[i]
		if o.frames > 0 && now.After(o.until) {
			o.frames = 0
		}
		if o.frames > 0 && o.side == g.side && o.inverted == g.inverted {
			if c := o.resembles(m, l); c > sameSymbol && c > best {
				e, best = o, c
			}
		}
	}
	if best < 0 {
		if d.seen[1].frames < e.frames {
			e = &d.seen[1]
		}
		e.side, e.inverted, e.frames = g.side, g.inverted, 0
		e.until = now.Add(lifetime)
		e.sum, e.trust = grow(e.sum, n), grow(e.trust, n)
		clear(e.sum)
		clear(e.trust)
	}
	e.frames++
	for i, s := range m.light {
		// A module without contrast around it tells nothing.
		w := float32(1)
		if m.dev[i] <= m.least {
			w = 0.1
		}
		e.sum[i] = e.sum[i]*fading + s*w
		e.trust[i] = e.trust[i]*fading + w
	}
	if e.frames < 2 {
		return false
	}
	// The sum takes the place of one frame's gray levels.
	for i := range m.raw {
		m.raw[i] = 128 - 40*e.sum[i]/(e.trust[i]+0.01)
	}
	m.level()
	if d.decided(g, l) || d.legible() && d.equalised(g, l) {
		e.frames = 0
		return true
	}
	return false
}

// resembles correlates data modules.
func (e *evidence) resembles(m *modules, l *layout) float32 {
	var ab, aa, bb float32
	for _, i := range l.order {
		a, b := e.sum[i], m.light[i]
		ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / sqrt32(aa*bb)
}
