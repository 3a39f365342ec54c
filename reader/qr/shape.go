package qr

import "math"

// shape is how a finder pattern lies in the picture: the steps of one module
// along its two sides, which perspective makes unequal and slanted.
type shape struct {
	x, y           float32 // the centre
	ux, uy, vx, vy float32
	score          float32 // correlation with the pattern, −1…1
}

// turned is s in the picture with rows and columns exchanged. Its sides change their names,
// so that they still turn clockwise.
func (s shape) turned() shape {
	return shape{x: s.y, y: s.x, ux: s.vy, uy: s.vx, vx: s.uy, vy: s.ux, score: s.score}
}

// turns are the directions a square is tried in: every 11¼° of a quarter turn.
var turns = func() (t [8][2]float32) {
	for i := range t {
		sin, cos := math.Sincos(float64(i) * math.Pi / 16)
		t[i] = [2]float32{float32(cos), float32(sin)}
	}
	return t
}()

// mould finds the shape of a finder pattern near (x, y) that is width wide
// along the row: squares in all directions first, the best of which is then bent
// step by step. Less than least at first sight is given up.
func mould(p *plane, x, y, width float32, inverted bool, least float32) (best shape) {
	sign := float32(1)
	if inverted {
		sign = -1
	}
	best.score = -1
	for i := range turns {
		cos, sin := turns[i][0], turns[i][1]
		m := width / 7 * max(cos, sin) // a row crosses a turned square along a longer way
		s := shape{x: x, y: y, ux: cos * m, uy: sin * m, vx: -sin * m, vy: cos * m}
		s.score = sign * finderPattern.correlate(p, &s)
		if s.score > best.score {
			best = s
		}
	}
	if best.score < 0.75 && best.score > least-0.15 { // tilted: half as long again along one side
		for i := range turns {
			cos, sin := turns[i][0], turns[i][1]
			for _, q := range [2]float32{0.65, 1.5} {
				m := width / 7 * max(cos, sin/q)
				s := shape{x: x, y: y, ux: cos * m, uy: sin * m, vx: -sin * m * q, vy: cos * m * q}
				s.score = sign * finderPattern.correlate(p, &s)
				if s.score > best.score {
					best = s
				}
			}
		}
	}
	if best.score < least {
		return best
	}
	best.climb(p, sign)
	return best
}

// climb bends the shape in ever smaller steps as long as it agrees better.
func (best *shape) climb(p *plane, sign float32) {
	for _, d := range [3]float32{0.12, 0.06, 0.03} {
		for range 2 {
			before := best.score
			m := float32(math.Sqrt(float64(best.ux*best.ux + best.uy*best.uy)))
			n := float32(math.Sqrt(float64(best.vx*best.vx + best.vy*best.vy)))
			for k := range 6 {
				for _, e := range [2]float32{d, -d} {
					s := *best
					switch k {
					case 0: // larger or smaller
						s.ux, s.uy, s.vx, s.vy = s.ux*(1+e), s.uy*(1+e), s.vx*(1+e), s.vy*(1+e)
					case 1: // wider than high
						s.ux, s.uy, s.vx, s.vy = s.ux*(1+e), s.uy*(1+e), s.vx*(1-e), s.vy*(1-e)
					case 2: // turned
						s.ux, s.uy, s.vx, s.vy = s.ux-e*s.uy, s.uy+e*s.ux, s.vx-e*s.vy, s.vy+e*s.vx
					case 3: // sheared
						s.ux, s.uy, s.vx, s.vy = s.ux+e*s.vx, s.uy+e*s.vy, s.vx+e*s.ux, s.vy+e*s.uy
					case 4:
						s.x += 4 * e * m
					case 5:
						s.y += 4 * e * n
					}
					if s.score = sign * finderPattern.correlate(p, &s); s.score > best.score {
						*best = s
						break
					}
				}
			}
			if best.score < before+0.002 {
				break
			}
		}
	}
}
