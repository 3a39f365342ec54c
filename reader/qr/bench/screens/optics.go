package screens

import "math"

// blur convolves a (w×h) with a Gaussian of σ pixels, cut off at 4 σ; the edge repeats.
func blur(a []float32, w, h int, sigma float64) {
	if sigma <= 0 {
		return
	}
	r := int(math.Ceil(4 * sigma))
	kernel := make([]float32, 2*r+1)
	sum := 0.0
	for i := range kernel {
		sum += math.Exp(-float64((i-r)*(i-r)) / (2 * sigma * sigma))
	}
	for i := range kernel {
		kernel[i] = float32(math.Exp(-float64((i-r)*(i-r))/(2*sigma*sigma)) / sum)
	}
	padded := make([]float32, w+2*r)
	for y := range h {
		row := a[y*w:][:w]
		copy(padded[r:], row)
		for i := range r {
			padded[i], padded[r+w+i] = row[0], row[w-1]
		}
		clear(row)
		for i, k := range kernel {
			for x, v := range padded[i:][:w] {
				row[x] += k * v
			}
		}
	}
	out := make([]float32, len(a))
	for y := range h {
		row := out[y*w:][:w]
		for i, k := range kernel {
			for x, v := range a[max(0, min(h-1, y+i-r))*w:][:w] {
				row[x] += k * v
			}
		}
	}
	copy(a, out)
}

// motion averages a (w×h) along a straight path of length pixels in direction
// heading (degrees), two bilinear taps to a pixel.
func motion(a []float32, w, h int, length, heading float64) {
	if length < 0.05 {
		return
	}
	sin, cos := math.Sincos(heading * math.Pi / 180)
	taps := 2*int(math.Ceil(length)) + 1
	out := make([]float32, len(a))
	for t := range taps {
		s := length * ((float64(t)+0.5)/float64(taps) - 0.5)
		shift(out, a, w, h, s*cos, s*sin, 1/float32(taps))
	}
	copy(a, out)
}

// shift adds gain times a, moved by (dx, dy), to out.
func shift(out, a []float32, w, h int, dx, dy float64, gain float32) {
	ix, iy := int(math.Floor(dx)), int(math.Floor(dy))
	fx, fy := float32(dx-float64(ix)), float32(dy-float64(iy))
	for _, k := range [4]struct {
		x, y int
		g    float32
	}{{ix, iy, (1 - fx) * (1 - fy)}, {ix + 1, iy, fx * (1 - fy)}, {ix, iy + 1, (1 - fx) * fy}, {ix + 1, iy + 1, fx * fy}} {
		g := gain * k.g
		for y := range h {
			src, dst := a[max(0, min(h-1, y+k.y))*w:][:w], out[y*w:][:w]
			lo, hi := min(w, max(0, -k.x)), max(0, min(w, w-k.x))
			for x := range lo {
				dst[x] += g * src[0]
			}
			if lo < hi {
				for x, v := range src[lo+k.x : hi+k.x] {
					dst[lo+x] += g * v
				}
			}
			for x := max(lo, hi); x < w; x++ {
				dst[x] += g * src[w-1]
			}
		}
	}
}
