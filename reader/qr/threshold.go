package qr

import (
	"encoding/binary"
	"math/bits"
)

// thresholds says, for each block of 8×8 pixels, below which luma a pixel is dark.
type thresholds struct {
	stats
	t    []uint8
	rows []around // of each block, over the blocks beside it
}

// around sums blocks up.
type around struct {
	sum            uint16 // mean of sums
	lo, hi, widest uint8  // widest is the most that one block differs by within itself
}

// set works the thresholds out of the stats: half way between the mean of the blocks within
// reach and the middle of their extremes. A mean alone fails where dark
// is rare (a finder pattern in its quiet zone), a middle alone where one pixel shines.
// Where no block within reach differs by flat within itself all is light: there noise
// and the light's gradient would draw patterns.
func (t *thresholds) set(reach, flat int) {
	n := t.w * t.h
	t.t, t.rows = grow(t.t, n), grow(t.rows, n)
	for y := range t.h { // along rows
		row := y * t.w
		for x := range t.w {
			a, b := row+max(0, x-reach), row+min(t.w-1, x+reach)+1
			sum, lo, hi, widest := uint32(0), uint8(255), uint8(0), uint8(0)
			los, his, sums := t.lo[a:b], t.hi[a:b], t.stats.sum[a:b]
			for i, l := range los {
				h := his[i]
				sum += uint32(sums[i])
				lo, hi, widest = min(lo, l), max(hi, h), max(widest, h-l)
			}
			t.rows[row+x] = around{uint16(sum / uint32(b-a)), lo, hi, widest}
		}
	}
	for y := range t.h { // down columns
		a, b := max(0, y-reach), min(t.h-1, y+reach)
		n := uint32(b - a + 1)
		for x := range t.w {
			sum, lo, hi, widest := uint32(0), uint8(255), uint8(0), uint8(0)
			for i := a*t.w + x; i <= b*t.w+x; i += t.w {
				r := &t.rows[i]
				sum += uint32(r.sum)
				lo, hi, widest = min(lo, r.lo), max(hi, r.hi), max(widest, r.widest)
			}
			v := uint8((sum/n/32 + uint32(lo) + uint32(hi) + 2) / 4)
			if int(widest) < flat {
				v = 0
			}
			t.t[y*t.w+x] = v
		}
	}
}

// quiet is what the quieter fifth of the blocks differ by within themselves at the most: noise.
func (s *stats) quiet() int {
	var count [256]int
	n := 0
	for i := 0; i < len(s.lo); i += 3 {
		count[s.hi[i]-s.lo[i]]++
		n++
	}
	for q, sum := 0, 0; q < 255; q++ {
		if sum += count[q]; sum*5 >= n {
			return q
		}
	}
	return 255
}

// flatness is a bound between noise and pattern.
func (s *stats) flatness() int { return max(6, min(24, 2*s.quiet()+2)) }

// leastBusy is how many blocks of 8×8 pixels a symbol covers at the least, its
// edge not counted: version 1 at two pixels a module.
const leastBusy = 9

// busy says whether enough of the picture is patterned closely enough to be a symbol: blocks
// that differ within themselves by more than noise, and so do all around them.
func (s *stats) busy() bool {
	least := uint8(max(6, min(40, 2*s.quiet()+4)))
	found := 0
	run := grow(s.run, s.w) // blocks busy one above the other so far
	s.run = run
	clear(run)
	for y := range s.h {
		row := y * s.w
		across := 0
		for x := range s.w {
			if s.hi[row+x]-s.lo[row+x] < least {
				run[x], across = 0, 0
				continue
			}
			if run[x] < 3 {
				run[x]++
			}
			if run[x] < 3 {
				across = 0
			} else if across++; across >= 3 {
				if found++; found >= leastBusy {
					return true
				}
			}
		}
	}
	return false
}

// edges appends to at the columns where row y of p changes between light and
// dark, beginning with the first dark one: even indices start dark runs. The
// picture's end closes the last run.
func (t *thresholds) edges(p *plane, y int, at []int32) []int32 {
	at = at[:0]
	row := p.pix[y*p.stride:][:p.w]
	th := t.t[min(y/8, t.h-1)*t.w:][:t.w]
	const tops, low = 0x8080808080808080, 0x7f7f7f7f7f7f7f7f
	carry := uint64(0)
	whole := p.w / 8
	for bx := 0; bx < whole; {
		word := uint64(0)
		base := bx * 8
		n := min(8, whole-bx)
		for k := range n {
			v := uint64(th[bx+k])
			if v == 0 {
				continue
			}
			v *= 0x0101010101010101
			x := binary.LittleEndian.Uint64(row[(bx+k)*8:])
			d := (x | tops) - v&low
			light := x&^v | ^(x^v)&d
			word |= (^light & tops >> 7 * 0x0102040810204080) >> 56 << (8 * k)
		}
		bx += n
		change := word ^ (word<<1 | carry)
		if n < 8 {
			change &= 1<<(8*n) - 1
		}
		carry = word >> (8*n - 1) & 1
		for change != 0 {
			at = append(at, int32(base+bits.TrailingZeros64(change)))
			change &= change - 1
		}
	}
	for x := whole * 8; x < p.w; x++ {
		dark := uint64(0)
		if row[x] < th[t.w-1] {
			dark = 1
		}
		if dark != carry {
			at = append(at, int32(x))
			carry = dark
		}
	}
	return append(at, int32(p.w))
}
