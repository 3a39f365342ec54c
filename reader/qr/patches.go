package qr

// patch is a connected part of a picture, made of blocks of 8×8 pixels of one level.
type patch struct {
	x, y       float32 // centre, pixels of level 0
	xx, xy, yy float32 // covariance of its places, pixels²
	area       float32 // pixels²
	edge       float32 // share of its outline that lies on the picture's edge, holes not counted
	blocks     int
	id         uint8
}

// patches finds parts of a picture whose blocks are alike.
type patches struct {
	like  []bool  // blocks that are alike
	of    []uint8 // among others like it: 1, and the patch's id when it belongs to one
	stack []int32
	// of what is rough, block by block
	energy []int32
}

// reserve takes the memory that n blocks need.
func (w *patches) reserve(n int) {
	w.like, w.of, w.stack, w.energy = grow(w.like, n), grow(w.of, n), grow(w.stack, n), grow(w.energy, n/4)
}

// largest is the largest patch among the like blocks of s, which are of that level. Where all is to be closed,
// blocks with too few of their kind around them do not count, so that a line or a narrow bridge is no part of it.
func (w *patches) largest(s *stats, level int, closed bool) (best patch) {
	n := s.w * s.h
	w.of, w.stack = grow(w.of, n), grow(w.stack, n)
	for y := range s.h {
		for x := range s.w {
			i := y*s.w + x
			w.of[i] = 0
			if w.like[i] && (!closed || w.surrounded(s, x, y)) {
				w.of[i] = 1
			}
		}
	}
	id := uint8(1)
	for i := range n {
		if w.of[i] != 1 {
			continue
		}
		if id++; id == 255 {
			break
		}
		if p := w.flood(s, int32(i), id); p.blocks > best.blocks {
			best = p
		}
	}
	k := float32(int(8) << level)
	best.x, best.y = (best.x+0.5)*k, (best.y+0.5)*k
	k *= k
	best.xx, best.xy, best.yy, best.area = best.xx*k, best.xy*k, best.yy*k, best.area*k
	return best
}

// surrounded: seven of nine blocks are like the one at (x, y).
func (w *patches) surrounded(s *stats, x, y int) bool {
	like, all := 0, 0
	for v := max(0, y-1); v <= min(s.h-1, y+1); v++ {
		for u := max(0, x-1); u <= min(s.w-1, x+1); u++ {
			if all++; w.like[v*s.w+u] {
				like++
			}
		}
	}
	return like*9 >= all*7
}

// flood gives all blocks connected to from their id, and adds them up, in blocks.
func (w *patches) flood(s *stats, from int32, id uint8) patch {
	stack := append(w.stack[:0], from)
	w.of[from] = id
	var n, sx, sy, sxx, sxy, syy, edge, side float32
	for len(stack) > 0 {
		i := int(stack[len(stack)-1])
		stack = stack[:len(stack)-1]
		x, y := i%s.w, i/s.w
		fx, fy := float32(x), float32(y)
		n, sx, sy = n+1, sx+fx, sy+fy
		sxx, sxy, syy = sxx+fx*fx, sxy+fx*fy, syy+fy*fy
		for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			u, v := x+d[0], y+d[1]
			if u < 0 || v < 0 || u >= s.w || v >= s.h {
				edge, side = edge+1, side+1
				continue
			}
			switch k := v*s.w + u; w.of[k] {
			case 0:
				side++
			case 1:
				w.of[k] = id
				stack = append(stack, int32(k))
			}
		}
	}
	mx, my := sx/n, sy/n
	const own = 1. / 12 // a block is not a point
	return patch{
		x: mx, y: my, xx: sxx/n - mx*mx + own, xy: sxy/n - mx*my, yy: syy/n - my*my + own,
		area: n, edge: edge / max(1, min(side, 4*sqrt32(n))), blocks: int(n), id: id,
	}
}

// patterned: the blocks of p, which is of s, differ more within themselves than from one another. Where light
// only fades it is the other way round.
func (w *patches) patterned(p *patch, s *stats) bool {
	var sum, sum2, within float32
	for i, id := range w.of[:s.w*s.h] {
		if id == p.id {
			mean := float32(s.sum[i]) / 64
			sum, sum2, within = sum+mean, sum2+mean*mean, within+float32(s.hi[i]-s.lo[i])
		}
	}
	n := float32(p.blocks)
	return within/n > sqrt32(max(0, sum2/n-sum/n*sum/n))
}

// fill is how much of the parallelogram with its covariance p covers: 1 where it is one itself.
func (p *patch) fill() float32 {
	return p.area / (12 * sqrt32(max(1, p.xx*p.yy-p.xy*p.xy)))
}
