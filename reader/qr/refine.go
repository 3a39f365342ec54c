package qr

// maxMatches: three finder patterns and up to 46 alignment patterns.
const maxMatches = 49

// warp keeps how far each alignment pattern lies off the homography, in
// modules' places: the picture of a bent or badly projected symbol.
type warp struct {
	n      int
	at     [7]float32    // rows and columns of the nodes, modules
	dx, dy [7][7]float32 // pixels
	seen   [7][7]bool
}

// refine moves the homography of g onto what the picture shows of finder and
// alignment patterns (6.3.6): first the pattern nearest the far
// corner, which ties down the perspective, then all others, which are then near where
// they are looked for. off is the mean distance of the patterns from the homography, in modules.
func (d *Decoder) refine(g *grid, l *layout, v *view) (found int) {
	sign := float32(1)
	if g.inverted {
		sign = -1
	}
	side := float32(g.side)
	m := d.matches[:0]
	for _, c := range [3][2]float32{{3.5, 3.5}, {side - 3.5, 3.5}, {3.5, side - 3.5}} {
		dx, dy, score := settle(v, &g.homography, finderPattern, c[0], c[1], 0.5, sign, d.late)
		if score < 0.3 {
			dx, dy = 0, 0
		}
		x, y := g.at(c[0], c[1])
		m = append(m, match{c[0], c[1], x + dx, y + dy, 2})
	}
	if l.aligns == 0 {
		return 0
	}
	last := l.aligns - 1
	d.warp = warp{n: l.aligns}
	for i := range l.aligns {
		d.warp.at[i] = float32(l.align[i]) + 0.5
	}
	try := func(row, col int, reach, least float32) bool {
		u, w := d.warp.at[col], d.warp.at[row]
		dx, dy, score := settle(v, &g.homography, alignmentPattern, u, w, reach, sign, d.late)
		if score < least {
			return false
		}
		x, y := g.at(u, w)
		m = append(m, match{u, w, x + dx, y + dy, 1})
		d.warp.seen[row][col] = true
		return true
	}
	reach := min(5, 2+side*0.04)
	if try(last, last, reach, 0.55) {
		if h, ok := fit(m, side); ok {
			g.homography = h
		} else {
			m = m[:3]
			d.warp.seen[last][last] = false
		}
	}
	if l.aligns > 2 {
		near := float32(1.5)
		if len(m) < 4 {
			near = 2.5
		}
		// From the far corner outwards, so that each fit helps the next ring.
		for ring := 1; ring <= last && !d.late(); ring++ {
			for i := last - ring; i <= last && !d.late(); i++ {
				for k := last - ring; k <= last; k++ {
					if i != last-ring && k != last-ring || !l.hasAlignment(i, k) {
						continue
					}
					try(i, k, near, 0.6)
				}
			}
			if h, ok := fit(m, side); ok {
				g.homography = h
				near = 1.5
			}
		}
	}
	d.matches = m
	return len(m) - 3
}

// bend notes where alignment patterns lie off g's homography, so that sampling
// can follow them, and says whether they do by more than a fifth of a module.
func (d *Decoder) bend(g *grid) bool {
	w := &d.warp
	worst := float32(0)
	for i := range w.n {
		clear(w.dx[i][:])
		clear(w.dy[i][:])
	}
	for _, m := range d.matches[min(3, len(d.matches)):] {
		x, y := g.at(m.u, m.v)
		ux, uy, vx, vy := g.step(m.u, m.v)
		area := ux*vy - uy*vx
		dx, dy := m.x-x, m.y-y
		worst = max(worst, (dx*dx+dy*dy)/max(area, -area))
		for i := range w.n {
			for k := range w.n {
				if w.at[i] == m.v && w.at[k] == m.u {
					w.dx[i][k], w.dy[i][k] = dx, dy
				}
			}
		}
	}
	if worst < 0.04 {
		return false
	}
	// Nodes not seen take the mean of their seen neighbours.
	for i := range w.n {
		for k := range w.n {
			if w.seen[i][k] || i == 0 && (k == 0 || k == w.n-1) || k == 0 && i == w.n-1 {
				continue
			}
			var sx, sy, n float32
			for _, o := range [4][2]int{{i - 1, k}, {i + 1, k}, {i, k - 1}, {i, k + 1}} {
				if o[0] >= 0 && o[1] >= 0 && o[0] < w.n && o[1] < w.n && w.seen[o[0]][o[1]] {
					sx, sy, n = sx+w.dx[o[0]][o[1]], sy+w.dy[o[0]][o[1]], n+1
				}
			}
			if n > 0 {
				w.dx[i][k], w.dy[i][k] = sx/n, sy/n
			}
		}
	}
	return true
}

// off is the displacement at module (u, v): between four nodes bilinear,
// outside as at the edge's tile.
func (w *warp) off(u, v float32) (dx, dy float32) {
	i, s := w.tile(v)
	k, t := w.tile(u)
	blend := func(a *[7][7]float32) float32 {
		top := a[i][k] + t*(a[i][k+1]-a[i][k])
		low := a[i+1][k] + t*(a[i+1][k+1]-a[i+1][k])
		return top + s*(low-top)
	}
	return blend(&w.dx), blend(&w.dy)
}

func (w *warp) tile(u float32) (i int, s float32) {
	for i < w.n-2 && u > w.at[i+1] {
		i++
	}
	s = (u - w.at[i]) / (w.at[i+1] - w.at[i])
	return i, max(-0.3, min(1.3, s))
}

// jiggle moves the corners of g by ever smaller steps as long as all function
// patterns together agree better with the picture (the idea of quirc's
// jiggle_perspective, here on gray levels: coordinate descent over eight parameters).
func (d *Decoder) jiggle(g *grid, l *layout, v *view) {
	sign := float32(1)
	if g.inverted {
		sign = -1
	}
	side := float32(g.side)
	far := side - 3.5
	corners := [4]match{{3.5, 3.5, 0, 0, 1}, {far, 3.5, 0, 0, 1}, {3.5, far, 0, 0, 1}, {side - 6.5, side - 6.5, 0, 0, 1}}
	for i := range corners {
		corners[i].x, corners[i].y = g.at(corners[i].u, corners[i].v)
	}
	best := d.total(&g.homography, l, v, sign)
	ux, uy, vx, vy := g.step(side/2, side/2)
	for _, d0 := range [4]float32{0.8, 0.4, 0.2, 0.1} {
		for range 3 {
			moved := false
			for i := 3; i >= 0; i-- {
				if d.late() {
					return
				}
				step := d0
				if i < 3 {
					step = d0 / 2 // finder patterns are known better
				}
				for _, m := range [4][2]float32{{step, 0}, {-step, 0}, {0, step}, {0, -step}} {
					try := corners
					try[i].x += m[0]*ux + m[1]*vx
					try[i].y += m[0]*uy + m[1]*vy
					h, ok := fit(try[:], side)
					if !ok {
						continue
					}
					if s := d.total(&h, l, v, sign); s > best {
						best, corners, g.homography, moved = s, try, h, true
					}
				}
			}
			if !moved {
				break
			}
		}
	}
}

// total is how well all function patterns agree: the patterns' own correlations and the timing's.
func (d *Decoder) total(h *homography, l *layout, v *view, sign float32) float32 {
	side := float32(l.side)
	far := side - 3.5
	s := agree(v, h, finderPattern, 3.5, 3.5, 0, 0, false) +
		agree(v, h, finderPattern, far, 3.5, 0, 0, false) +
		agree(v, h, finderPattern, 3.5, far, 0, 0, false)
	for i := range l.aligns {
		for k := range l.aligns {
			if l.hasAlignment(i, k) && (i > 0 && k > 0 || l.aligns == 2) {
				w := float32(0.7)
				if i == l.aligns-1 && k == i {
					w = 1.5
				}
				s += w * agree(v, h, alignmentPattern, float32(l.align[k])+0.5, float32(l.align[i])+0.5, 0, 0, false)
			}
		}
	}
	row, col := timing(v, h, l.side, 1)
	return sign * (s + 2*row + 2*col)
}
