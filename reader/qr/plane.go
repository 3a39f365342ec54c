package qr

import "encoding/binary"

// plane is a luma picture at one level of a pyramid: level n is half as wide
// as level n−1, each pixel the mean of four. A point (x, y) has pixel (i, j)'s
// centre at (i+½, j+½), so that a point of level n is one of level 0 divided by 2ⁿ.
type plane struct {
	pix          []byte
	w, h, stride int
}

// at is the luma at (x, y), interpolated between the four nearest pixels;
// outside the picture it is that of the edge. It needs a picture of 2×2 at least.
func (p *plane) at(x, y float32) float32 {
	x, y = x-0.5, y-0.5
	if !(x > 0) { // also NaN
		x = 0
	}
	if !(y > 0) {
		y = 0
	}
	if m := float32(p.w-2) + 0.999; x > m {
		x = m
	}
	if m := float32(p.h-2) + 0.999; y > m {
		y = m
	}
	xi, yi := int(x), int(y)
	fx, fy := x-float32(xi), y-float32(yi)
	o := yi*p.stride + xi
	a, b := p.pix[o:o+2:o+2], p.pix[o+p.stride:o+p.stride+2:o+p.stride+2]
	top := float32(a[0]) + fx*(float32(a[1])-float32(a[0]))
	low := float32(b[0]) + fx*(float32(b[1])-float32(b[0]))
	return top + fy*(low-top)
}

// stats are what the binarizer wants to know of each block of 8×8 pixels: the
// sum of its pixels and the darkest and lightest mean of 2×2 of them. Blocks
// at the right and lower edge overlap their neighbours instead of being smaller.
type stats struct {
	w, h   int // blocks
	sum    []uint16
	lo, hi []uint8
	run    []uint8
}

const (
	pairs = 0x00ff00ff00ff00ff
	lanes = 0x8000800080008000
)

// measure fills s for p and, where half is not nil, half with p at half its
// size. One pass of 64-bit words, eight pixels of two rows at a time: sums of 2×2 pixels
// lie in 16-bit lanes and are compared by the borrow into the lane's top bit.
func (s *stats) measure(p *plane, half *plane) {
	s.w, s.h = (p.w+7)/8, (p.h+7)/8
	s.sum, s.lo, s.hi = grow(s.sum, s.w*s.h), grow(s.lo, s.w*s.h), grow(s.hi, s.w*s.h)
	if half != nil {
		half.w, half.h = p.w/2, p.h/2
		half.stride = half.w
		half.pix = grow(half.pix, half.w*half.h)
	}
	for by := range s.h {
		y0 := min(by*8, p.h-8)
		for bx := range s.w {
			x0 := min(bx*8, p.w-8)
			sum, lo, hi := uint64(0), uint64(0x03ff03ff03ff03ff), uint64(0)
			o := y0*p.stride + x0
			for r := 0; r < 8; r += 2 {
				a := binary.LittleEndian.Uint64(p.pix[o:])
				b := binary.LittleEndian.Uint64(p.pix[o+p.stride:])
				v := a&pairs + a>>8&pairs + b&pairs + b>>8&pairs
				sum += v
				m := ((v | lanes) - hi) & lanes >> 15 * 0xffff // v ≥ hi
				hi = v&m | hi&^m
				m = ((v | lanes) - lo) & lanes >> 15 * 0xffff
				lo = lo&m | v&^m
				if half != nil {
					q := v >> 2 & pairs
					q |= q >> 8
					i := (y0+r)/2*half.stride + x0/2
					if x0&1 == 0 && y0&1 == 0 {
						binary.LittleEndian.PutUint32(half.pix[i:], uint32(q&0xffff|q>>16&0xffff0000))
					}
				}
				o += 2 * p.stride
			}
			i := by*s.w + bx
			s.sum[i] = uint16(sum + sum>>16 + sum>>32 + sum>>48)
			l, h := lo&0xffff, hi&0xffff
			for k := 16; k < 64; k += 16 {
				l, h = min(l, lo>>k&0xffff), max(h, hi>>k&0xffff)
			}
			s.lo[i], s.hi[i] = uint8(l>>2), uint8(h>>2)
		}
	}
	if half != nil && (p.w&1 != 0 || p.h&1 != 0) {
		halveEdges(p, half)
	}
}

// halveEdges fills the last eight columns and rows of half, which an odd width or height shifts.
func halveEdges(p, half *plane) {
	one := func(x, y int) {
		o := 2*y*p.stride + 2*x
		half.pix[y*half.stride+x] = uint8((int(p.pix[o]) + int(p.pix[o+1]) + int(p.pix[o+p.stride]) + int(p.pix[o+p.stride+1])) / 4)
	}
	for y := range half.h {
		for x := max(0, half.w-4); x < half.w; x++ {
			one(x, y)
		}
	}
	for y := max(0, half.h-4); y < half.h; y++ {
		for x := range half.w {
			one(x, y)
		}
	}
}

// transpose fills dst with p's columns as rows, eight by eight pixels at a time for the cache's sake.
func transpose(dst, p *plane) {
	dst.w, dst.h, dst.stride = p.h, p.w, p.h
	dst.pix = grow(dst.pix, p.w*p.h)
	const block = 16
	for y0 := 0; y0 < p.h; y0 += block {
		y1 := min(y0+block, p.h)
		for x0 := 0; x0 < p.w; x0 += block {
			x1 := min(x0+block, p.w)
			for y := y0; y < y1; y++ {
				for x, v := range p.pix[y*p.stride+x0 : y*p.stride+x1] {
					dst.pix[(x0+x)*dst.stride+y] = v
				}
			}
		}
	}
}

// grow gives s the length n, keeping its memory where that is enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	return s[:n]
}
