package qr

import "sync"

// layout is what is known of a version before anything is read: where its
// function patterns lie and in which order its codewords are placed
// (ISO/IEC 18004, 6.3 and 7.7.3).
type layout struct {
	version, side int
	// align are the rows, and columns, of alignment patterns' centres.
	align  [7]int
	aligns int
	// order is the index y·side+x of each data module as bits are placed, most
	// significant bit of the first codeword first; remainder bits are left out.
	order []uint16
	// fixed says which modules are function patterns with a known colour: 1
	// dark, −1 light, 0 not known (data, format and version information).
	fixed []int8
	// sure says of each module how many of those up to two away in both directions, itself
	// included, are known: function patterns and the quiet zone; 25 at the most.
	sure []uint8
	// masks has one bit for each of the eight data masks that turns the module of order over.
	masks []uint8
}

func sideOf(version int) int { return 17 + 4*version }

// alignmentRows gives the centres of alignment patterns along one side (Annex E).
func alignmentRows(version int) (rows [7]int, n int) {
	if version < 2 {
		return rows, 0
	}
	n = version/7 + 2
	step := 26 // version 32 alone breaks the rule
	if version != 32 {
		step = (version*4 + n*2 + 1) / (n*2 - 2) * 2
	}
	at := sideOf(version) - 7
	for i := n - 1; i > 0; i-- {
		rows[i] = at
		at -= step
	}
	rows[0] = 6
	return rows, n
}

// layouts are those of all versions. Working one out takes longer than a step of a frame may, and memory.
var layouts = sync.OnceValue(func() *[41]*layout {
	all := new([41]*layout)
	for v := 1; v < len(all); v++ {
		all[v] = newLayout(v)
	}
	return all
})

// newLayout works out a version's layout.
func newLayout(version int) *layout {
	side := sideOf(version)
	l := &layout{version: version, side: side, fixed: make([]int8, side*side)}
	l.align, l.aligns = alignmentRows(version)
	used := make([]bool, side*side)
	set := func(x, y int, dark bool) {
		if x < 0 || y < 0 || x >= side || y >= side {
			return
		}
		used[y*side+x] = true
		l.fixed[y*side+x] = -1
		if dark {
			l.fixed[y*side+x] = 1
		}
	}
	for i := range side { // timing patterns
		set(6, i, i%2 == 0)
		set(i, 6, i%2 == 0)
	}
	for _, c := range [3][2]int{{3, 3}, {side - 4, 3}, {3, side - 4}} { // finder patterns and separators
		for dy := -4; dy <= 4; dy++ {
			for dx := -4; dx <= 4; dx++ {
				r := max(dx, -dx, dy, -dy)
				set(c[0]+dx, c[1]+dy, r != 2 && r != 4)
			}
		}
	}
	for i := range l.aligns {
		for k := range l.aligns {
			if !l.hasAlignment(i, k) {
				continue
			}
			for dy := -2; dy <= 2; dy++ {
				for dx := -2; dx <= 2; dx++ {
					set(l.align[k]+dx, l.align[i]+dy, max(dx, -dx, dy, -dy) != 1)
				}
			}
		}
	}
	for _, p := range formatModules(side) {
		used[p[1]*side+p[0]] = true
	}
	set(8, side-8, true) // the dark module
	if version >= 7 {
		for i := range 18 {
			used[(side-11+i%3)*side+i/3] = true
			used[i/3*side+side-11+i%3] = true
		}
	}
	l.sure = make([]uint8, side*side)
	for y := range side {
		for x := range side {
			known := uint8(0)
			for v := y - 2; v <= y+2; v++ {
				for u := x - 2; u <= x+2; u++ {
					if u < 0 || v < 0 || u >= side || v >= side || l.fixed[v*side+u] != 0 {
						known++
					}
				}
			}
			l.sure[y*side+x] = known
		}
	}
	bits := l.codewords() * 8
	l.order, l.masks = make([]uint16, 0, bits), make([]uint8, 0, bits)
	up := true
	for right := side - 1; right > 0; right -= 2 {
		if right == 6 { // the timing pattern's column is skipped
			right--
		}
		for i := range side {
			y := i
			if up {
				y = side - 1 - i
			}
			for x := right; x >= right-1; x-- {
				if !used[y*side+x] && len(l.order) < bits {
					l.order = append(l.order, uint16(y*side+x))
					l.masks = append(l.masks, maskBits(x, y))
				}
			}
		}
		up = !up
	}
	return l
}

// hasAlignment: rows and columns of centres cross everywhere but at the finder patterns.
func (l *layout) hasAlignment(row, col int) bool {
	last := l.aligns - 1
	return !(row == 0 && (col == 0 || col == last) || row == last && col == 0)
}

// codewords is how many codewords, data and check, fit the symbol.
func (l *layout) codewords() int {
	v := l.version
	modules := (16*v+128)*v + 64
	if n := v/7 + 2; v >= 2 {
		modules -= (25*n-10)*n - 55
	}
	if v >= 7 {
		modules -= 36
	}
	return modules / 8
}

// maskBits has bit m set where data mask m turns the module in column x, row y over (Table 10).
func maskBits(x, y int) (bits uint8) {
	for m, hit := range [8]bool{
		(x+y)%2 == 0,
		y%2 == 0,
		x%3 == 0,
		(x+y)%3 == 0,
		(y/2+x/3)%2 == 0,
		x*y%2+x*y%3 == 0,
		(x*y%2+x*y%3)%2 == 0,
		((x+y)%2+x*y%3)%2 == 0,
	} {
		if hit {
			bits |= 1 << m
		}
	}
	return bits
}
