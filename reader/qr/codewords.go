package qr

// reading is a symbol's corrected data, before its meaning.
type reading struct {
	format   format
	mirrored bool
	data     []byte
	wrong    int // codewords that were corrected
	erased   int
	spare    int // check codewords not needed
}

// codewords assembles and corrects codewords out of soft modules.
type codewords struct {
	all   []byte    // as placed
	trust []float32 // of each codeword: its weakest module
	block [256]byte
	sure  [256]float32
	data  []byte
}

// read takes the mask off, assembles the codewords, takes the interleaving
// apart (7.6) and corrects each block.
func (c *codewords) read(soft []float32, l *layout, f format, share float32) (r reading, ok bool) {
	total := l.codewords()
	c.all, c.trust, c.data = grow(c.all, total), grow(c.trust, total), grow(c.data, total)
	for i := range total {
		b := byte(0)
		weakest := float32(1e9)
		for k := range 8 {
			at := i*8 + k
			s := soft[l.order[at]]
			if l.masks[at]>>f.mask&1 != 0 {
				s = -s
			}
			b <<= 1
			if s > 0 {
				b |= 1
			} else {
				s = -s
			}
			weakest = min(weakest, s)
		}
		c.all[i], c.trust[i] = b, weakest
	}
	layoutOf := blocks[l.version-1][f.level]
	n, check := int(layoutOf.n), int(layoutOf.check)
	short := total / n // codewords of the shorter blocks; the last total%n have one more
	longs := total % n
	out := 0
	r.format = f
	r.spare = check
	for b := range n {
		data := short - check
		if b >= n-longs {
			data++
		}
		for i := range data {
			at := i*n + b
			if i == short-check { // only the longer blocks go on
				at = i*n + b - (n - longs)
			}
			c.block[i], c.sure[i] = c.all[at], c.trust[at]
		}
		first := n*(short-check) + longs
		for i := range check {
			at := first + i*n + b
			c.block[data+i], c.sure[data+i] = c.all[at], c.trust[at]
		}
		erase := int(share * float32(check))
		var places [maxCheck]uint8
		c.weakest(places[:erase], data+check)
		wrong, ok := correct(c.block[:data+check], check, places[:erase])
		if !ok {
			return r, false
		}
		r.wrong += wrong
		r.erased += erase
		r.spare = min(r.spare, check-erase-2*wrong)
		out += copy(c.data[out:], c.block[:data])
	}
	r.data = c.data[:out]
	return r, true
}

// weakest names the least trusted of the block's first n codewords.
func (c *codewords) weakest(places []uint8, n int) {
	if len(places) == 0 {
		return
	}
	k := 0
	for i := range n {
		at := k
		if k == len(places) {
			if c.sure[i] >= c.sure[places[k-1]] {
				continue
			}
			at = k - 1
		} else {
			k++
		}
		for at > 0 && c.sure[places[at-1]] > c.sure[i] {
			places[at] = places[at-1]
			at--
		}
		places[at] = uint8(i)
	}
}
