package qr

// pair is two finder patterns that may be neighbours in a symbol whose third was not found.
type pair struct {
	a, b    int16
	modules float32 // of a side between centres
	score   float32
	corners bool // they lie across a diagonal
}

const maxPairs = 3

// slanting is how much a diagonal strays to one side of a finder pattern, of what it follows the other, at the least.
const slanting = 0.55

// complete looks for the third finder pattern of the likeliest pairs where
// their shapes say it must be, and attempts what comes of it: a reflection or the edge of
// a finger hides one pattern more often than two.
func (d *Decoder) complete() (done bool) {
	d.pairs = d.pairs[:0]
	for i := range d.finders {
		for k := range i {
			a, b := &d.finders[i], &d.finders[k]
			if a.inverted != b.inverted || a.size > 1.7*b.size || b.size > 1.7*a.size || a.bound && b.bound {
				continue
			}
			am, askew := a.along(b.x-a.x, b.y-a.y)
			bm, bskew := b.along(b.x-a.x, b.y-a.y)
			m, corners := sqrt32(am*bm), min(askew, bskew) > slanting
			s := a.quality + b.quality - askew - bskew
			if corners {
				m *= sqrt32(sqrt32(askew * bskew))
				s = a.quality + b.quality - (2-askew-bskew)/2 - 0.2
			}
			if max(askew, bskew) > 0.2 && !corners || m < 13 || m > 172 || am > 1.5*bm || bm > 1.5*am {
				continue
			}
			if len(d.pairs) == maxPairs && s <= d.pairs[maxPairs-1].score {
				continue
			}
			if len(d.pairs) < maxPairs {
				d.pairs = append(d.pairs, pair{})
			}
			at := len(d.pairs) - 1
			for ; at > 0 && d.pairs[at-1].score < s; at-- {
				d.pairs[at] = d.pairs[at-1]
			}
			d.pairs[at] = pair{int16(i), int16(k), m, s, corners}
		}
	}
	fresh := false
	for _, p := range d.pairs {
		a, b := d.finders[p.a], d.finders[p.b]
		d.finders[p.a].bound, d.finders[p.b].bound = true, true
		if p.corners {
			fresh = d.between(&a, &b) || fresh
			if d.late() {
				break
			}
			continue
		}
		found := d.third(&a, &b, p.modules)
		if d.late() {
			break
		}
		found = d.third(&b, &a, p.modules) || found
		if d.late() {
			break
		}
		if !found && min(a.score, b.score) > leastHiding {
			d.imagine(&a, &b, p.modules)
			found = true
		}
		fresh = fresh || found
	}
	return fresh && d.attempt()
}

// third looks on both sides of a, away from the line to b, for a pattern like a.
func (d *Decoder) third(a, b *finder, modules float32) (found bool) {
	v := d.view(a.size / 7)
	sign := float32(1)
	if a.inverted {
		sign = -1
	}
	s := a.shape
	px, py := a.across(b.x-a.x, b.y-a.y)
	reach := 2 + 0.12*modules
	for _, side := range [2]float32{modules, -modules} {
		var best shape
		best.score = 0.25
		for t := -reach; t <= reach && !d.late(); t += 0.7 {
			for r := -reach; r <= reach; r += 0.7 {
				c := shape{
					x: (s.x + px*side + r*s.ux + t*s.vx) * v.scale, y: (s.y + py*side + r*s.uy + t*s.vy) * v.scale,
					ux: s.ux * v.scale, uy: s.uy * v.scale, vx: s.vx * v.scale, vy: s.vy * v.scale,
				}
				if c.x < 0 || c.y < 0 || c.x > float32(v.w) || c.y > float32(v.h) {
					continue
				}
				if c.score = sign * c.glance(v.plane); c.score > best.score {
					best = c
				}
			}
		}
		if best.score <= 0.25 {
			continue
		}
		best.score = sign * finderPattern.correlate(v.plane, &best)
		best.climb(v.plane, sign)
		if best.score < 0.4 {
			continue
		}
		if d.addFinder(newFinder(v.plane, &best, v.level, a.inverted)) {
			found = true
		}
	}
	return found
}

// glance correlates with 25 of the 81 modules: centre, ring, ring and outside in eight directions.
func (s *shape) glance(p *plane) float32 {
	var sum, sum2, dark float32
	one := func(u, v float32) float32 {
		l := p.at(s.x+u*s.ux+v*s.vx, s.y+u*s.uy+v*s.vy)
		sum += l
		sum2 += l * l
		return l
	}
	dark += one(0, 0)
	for _, c := range [8][2]float32{{1, 0}, {0, 1}, {-1, 0}, {0, -1}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}} {
		one(2*c[0], 2*c[1])
		dark += one(3*c[0], 3*c[1])
		one(4*c[0], 4*c[1])
	}
	const n, nDark = 25, 9
	variance := sum2/n - sum/n*sum/n
	if variance < 1 {
		return 0
	}
	light := (sum - dark) / (n - nDark)
	return (light - dark/nDark) * 0.48 / sqrt32(variance)
}
