package qr

import "math/bits"

// formatModules are the columns and rows of the 15 bits of format information,
// most significant first, and then of their copy (ISO/IEC 18004, 7.9).
func formatModules(side int) (at [30][2]int) {
	for i := range 15 {
		switch {
		case i < 6:
			at[i] = [2]int{i, 8}
		case i < 8:
			at[i] = [2]int{i + 1, 8}
		case i == 8:
			at[i] = [2]int{8, 7}
		default:
			at[i] = [2]int{8, 14 - i}
		}
		if i < 7 {
			at[15+i] = [2]int{8, side - 1 - i}
		} else {
			at[15+i] = [2]int{side - 15 + i, 8}
		}
	}
	return at
}

// formatCode is the 15 bits that stand for 5: two of the level, three of the
// mask, ten of a BCH code (7.9.1, Annex C).
func formatCode(v int) int {
	rest := v << 10
	for i := 14; i >= 10; i-- {
		if rest>>i&1 != 0 {
			rest ^= 0x537 << (i - 10)
		}
	}
	return (v<<10 | rest) ^ 0x5412
}

// versionCode is the 18 bits that stand for a version from 7 on (7.10, Annex D).
func versionCode(v int) int {
	rest := v << 12
	for i := 17; i >= 12; i-- {
		if rest>>i&1 != 0 {
			rest ^= 0x1f25 << (i - 12)
		}
	}
	return v<<12 | rest
}

// format is a reading of the format information.
type format struct {
	level int // 0…3 are L, M, Q, H
	mask  int
	score float32 // 0…1: how well the modules agree
}

// levelOf turns the two bits of a level into L, M, Q, H = 0…3.
var levelOf = [4]int{1, 0, 3, 2}

// readFormats gives the two likeliest readings of the format information out of
// soft modules (above zero is dark): both copies vote with all their bits, which
// keeps what a hard decision would throw away (soft-decision decoding by
// correlation with all 32 words).
func readFormats(soft []float32, side int) (out [2]format) {
	at := formatModules(side)
	var v [15]float32
	norm := float32(0)
	for i := range 15 {
		for _, p := range [2][2]int{at[i], at[15+i]} {
			s := max(-1, min(1, soft[p[1]*side+p[0]]))
			v[i] += s
			norm += max(s, -s)
		}
	}
	if norm == 0 {
		return out
	}
	for data := range 32 {
		word, sum := formatCode(data), float32(0)
		for i := range 15 {
			if word>>(14-i)&1 != 0 {
				sum += v[i]
			} else {
				sum -= v[i]
			}
		}
		f := format{level: levelOf[data>>3], mask: data & 7, score: sum / norm}
		if f.score > out[0].score {
			out[0], out[1] = f, out[0]
		} else if f.score > out[1].score {
			out[1] = f
		}
	}
	return out
}

// readVersion decodes the version information of soft modules, 7…40, or gives 0 where
// neither copy is within the three wrong bits that the code corrects.
func readVersion(soft []float32, side int) int {
	for copied := range 2 {
		word := 0
		for i := range 18 {
			x, y := i/3, side-11+i%3
			if copied == 1 {
				x, y = y, x
			}
			if soft[y*side+x] > 0 {
				word |= 1 << i
			}
		}
		for v := 7; v <= 40; v++ {
			if bits.OnesCount32(uint32(word^versionCode(v))) <= 3 {
				return v
			}
		}
	}
	return 0
}
