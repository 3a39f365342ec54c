package qr

import "math"

// grid is a symbol located in a picture.
type grid struct {
	homography
	side     int
	inverted bool
	// score is how well finder and timing patterns agree with the picture, −1…1.
	score float32
	// warp is how far the picture's alignment patterns lie off the homography, where they do.
	warp *warp
}

// view is a plane to sample from: a level whose modules are some pixels wide.
type view struct {
	*plane
	scale float32 // level-0 pixels to this plane's
	level int
}

func (v *view) luma(x, y float32) float32 { return v.at(x*v.scale, y*v.scale) }

// agree correlates a pattern around (u, v), moved by (dx, dy) pixels, with the picture.
// With fine set each module is looked at in four places, so that being half a module off shows.
func agree(p *view, h *homography, c concentric, u, v, dx, dy float32, fine bool) float32 {
	ux, uy, vx, vy := h.step(u, v)
	x, y := h.at(u, v)
	s := shape{x: (x + dx) * p.scale, y: (y + dy) * p.scale, ux: ux * p.scale, uy: uy * p.scale, vx: vx * p.scale, vy: vy * p.scale}
	if !fine {
		return c.correlate(p.plane, &s)
	}
	var t tally
	for _, q := range [4][2]float32{{0.3, 0.3}, {-0.3, 0.3}, {0.3, -0.3}, {-0.3, -0.3}} {
		f := s
		f.x += q[0]*s.ux + q[1]*s.vx
		f.y += q[0]*s.uy + q[1]*s.vy
		c.add(p.plane, &f, &t)
	}
	return t.score()
}

// settle moves the pattern's cells within reach modules to where they agree
// best with the picture and gives the move in pixels; where there is no time for it, the score is −2.
func settle(p *view, h *homography, c concentric, u, v, reach float32, sign float32, late func() bool) (dx, dy, score float32) {
	ux, uy, vx, vy := h.step(u, v)
	score = -2
	if reach > 0.5 {
		for t := -reach; t <= reach; t += 0.5 {
			if late() {
				return 0, 0, -2
			}
			for s := -reach; s <= reach; s += 0.5 {
				x, y := s*ux+t*vx, s*uy+t*vy
				if a := sign * agree(p, h, c, u, v, x, y, false); a > score {
					dx, dy, score = x, y, a
				}
			}
		}
	}
	score = sign * agree(p, h, c, u, v, dx, dy, true)
	for d := float32(0.4); d > 0.06; d /= 2 {
		for moved := 0; moved < 4; moved++ {
			bx, by := dx, dy
			for _, m := range [4][2]float32{{d, 0}, {-d, 0}, {0, d}, {0, -d}} {
				x, y := dx+m[0]*ux+m[1]*vx, dy+m[0]*uy+m[1]*vy
				if a := sign * agree(p, h, c, u, v, x, y, true); a > score {
					bx, by, score = x, y, a
				}
			}
			if bx == dx && by == dy {
				break
			}
			dx, dy = bx, by
		}
	}
	return dx, dy, score
}

// timing correlates the two timing patterns (6.3.5) with the picture.
func timing(p *view, h *homography, side int, sign float32) (row, col float32) {
	one := func(column bool) float32 {
		var sum, sum2, dark, n float32
		prev := float32(0)
		// Neighbours are compared, so that a gradient along the line does not count.
		for i := 7; i <= side-8; i++ {
			u, v := float32(i)+0.5, float32(6.5)
			if column {
				u, v = v, u
			}
			l := p.luma(h.at(u, v))
			if i > 7 {
				d := l - prev
				if i&1 == 0 { // dark after light
					d = -d
				}
				dark += d
				sum2 += d * d
				sum += max(d, -d)
				n++
			}
			prev = l
		}
		if sum2 < n {
			return 0
		}
		return dark / float32(math.Sqrt(float64(sum2*n)))
	}
	return sign * one(false), sign * one(true)
}
