package virtual

import "math"

// smear averages s.a (w×h) along a motion of m pixels.
func (s *Scene) smear(w, h int, m [2]float64) {
	length := math.Hypot(m[0], m[1])
	if length < 0.75 {
		return
	}
	taps := min(9, int(math.Round(length))+1)
	for y := 0; y < h; y++ {
		acc := s.acc[:w]
		clear(acc)
		for i := 0; i < taps; i++ {
			t := float64(i)/float64(taps-1) - 0.5
			dx := max(1-w, min(w-1, int(math.Round(m[0]*t))))
			sy := max(0, min(h-1, y+int(math.Round(m[1]*t))))
			src := s.a[sy*w:][:w]
			// Columns whose source lies outside repeat the edge.
			lo, hi := max(0, -dx), min(w, w-dx)
			for x := 0; x < lo; x++ {
				acc[x] += uint32(src[0])
			}
			from := src[lo+dx : hi+dx]
			for x, a := range acc[lo:hi] {
				acc[lo+x] = a + uint32(from[x])
			}
			for x := hi; x < w; x++ {
				acc[x] += uint32(src[w-1])
			}
		}
		inv := uint32(65536 / taps)
		dst := s.b[y*w:][:w]
		for x, a := range acc {
			dst[x] = uint16(a * inv >> 16)
		}
	}
	s.a, s.b = s.b, s.a
}

// blur blurs s.a (w×h) with a Gaussian of sigma pixels, made of two extended
// boxes each way: boxes of radius r whose two outermost pixels count with a
// fraction, so that any sigma costs the same (Gwosdek et al., "Theoretical
// foundations of Gaussian convolution by extended box filtering", 2011).
func (s *Scene) blur(w, h int, sigma float64) {
	if sigma <= 0 {
		return
	}
	const times = 2
	t := sigma * sigma / times // variance of one box
	r := 0
	for float64((r+1)*(r+2))/3 <= t {
		r++
	}
	fr := float64(r)
	alpha := (t*(2*fr+1) - fr*(fr+1)*(2*fr+1)/3) / (2 * ((fr+1)*(fr+1) - t))
	whole := 65536 / (2*fr + 1 + 2*alpha)
	k := kernel{r: r, whole: uint32(whole), ends: uint32(whole * alpha)}
	for range times {
		for y := 0; y < h; y++ {
			k.row(s.b[y*w:][:w], s.a[y*w:][:w])
		}
		k.columns(s.a, s.b, w, h, s.acc[:w])
	}
}

// kernel is one extended box; its weights are 16-bit fractions.
type kernel struct {
	r           int
	whole, ends uint32
}

func (k kernel) row(dst, src []uint16) {
	n, r := len(src), k.r
	at := func(i int) uint32 { return uint32(src[max(0, min(n-1, i))]) }
	sum := uint32(0)
	for i := -r; i <= r; i++ {
		sum += at(i)
	}
	edge := func(x int) {
		dst[x] = uint16((sum*k.whole + (at(x-r-1)+at(x+r+1))*k.ends) >> 16)
		sum += at(x+r+1) - at(x-r)
	}
	lo, hi := min(n, r+1), max(min(n, r+1), n-r-1)
	for x := 0; x < lo; x++ {
		edge(x)
	}
	if lo < hi {
		out := dst[lo:hi]
		before := src[lo-r-1:][:len(out)]
		leaving := src[lo-r:][:len(out)]
		after := src[lo+r+1:][:len(out)]
		for i := range out {
			in := uint32(after[i])
			out[i] = uint16((sum*k.whole + (uint32(before[i])+in)*k.ends) >> 16)
			sum += in - uint32(leaving[i])
		}
	}
	for x := hi; x < n; x++ {
		edge(x)
	}
}

// columns runs down all columns at once, row by row, for the cache's sake.
func (k kernel) columns(dst, src []uint16, w, h int, sum []uint32) {
	at := func(y int) []uint16 { return src[max(0, min(h-1, y))*w:][:w] }
	clear(sum)
	for i := -k.r; i <= k.r; i++ {
		for x, v := range at(i) {
			sum[x] += uint32(v)
		}
	}
	for y := 0; y < h; y++ {
		before, leaving, after := at(y - k.r - 1)[:len(sum)], at(y - k.r)[:len(sum)], at(y + k.r + 1)[:len(sum)]
		out := dst[y*w:][:len(sum)]
		for x, v := range sum {
			in := uint32(after[x])
			out[x] = uint16((v*k.whole + (uint32(before[x])+in)*k.ends) >> 16)
			sum[x] = v + in - uint32(leaving[x])
		}
	}
}
