package qr

import "math"

// texture is a part of the picture that looks like a symbol from afar, whether or not finder patterns can be
// seen: dark and light close together all over it. Where nothing else of a symbol can be made out, its outline and how
// steeply the luma runs in it tell what blurs it, tilts it or cuts it off. Tilt turns both alike, so that
// covariance of places times energy of slopes stays a circle; motion takes slopes away and leaves the outline
// (after J. Gårding and T. Lindeberg, "Direct Computation of Shape Cues Using Scale-Adapted Spatial
// Derivative Operators", 1996).
type texture struct {
	patch
	level         int
	mean, dev     float32 // of luma
	kurtosis      float32 // of luma: 1 where all is dark or light, 3 where each place is the mean of many
	gxx, gxy, gyy float32 // energy of luma's slopes, (gray levels a pixel)²
	white         float32 // share of blocks in and around it that are white to the sensor's end
}

const (
	leastTexture = 30   // blocks
	mostTexture  = 3.7  // kurtosis; one bright spot on a plain ground has more
	leastFill    = 0.45 // of its parallelogram
	saturated    = 250  // luma
)

// largeGrain is an edge's width times a module's, pixels² of the finest level and of coarser ones, above which blocks of 8×8
// pixels do not all hold dark and light.
var largeGrain = [2]float32{10, 6.5}

// texture looks for one, on the finest level on which it is closed.
func (d *Decoder) texture() (t texture, ok bool) {
	w := &d.patches
	for n := 0; n < levels && d.planes[n].pix != nil; n++ {
		s := &d.marks[n].stats
		least := uint8(max(6, min(40, s.quiet()*3/2+4)))
		w.like = grow(w.like, s.w*s.h)
		busy := 0
		for i, hi := range s.hi {
			w.like[i] = hi-s.lo[i] >= least
			if w.like[i] {
				busy++
			}
		}
		if busy < leastTexture {
			continue
		}
		p := w.largest(s, n, true)
		if p.blocks < leastTexture || p.fill() < leastFill || !w.patterned(&p, s) {
			continue
		}
		o := texture{patch: p, level: n}
		o.measure(w, &d.planes[n], s)
		_, _, cos, sin := axes(o.gxx, o.gxy, o.gyy)
		if w := o.width(-sin, cos); o.kurtosis > mostTexture || w > absurd && !o.small() || o.dev < faintest && w > widerEdge {
			continue
		}
		t, ok = o, true
		// Large and sharp modules: the blocks of this level do not all hold dark and light.
		if o.kurtosis > 1.6 || o.dev*o.dev < largeGrain[min(n, 1)]*sqrt32(o.gxx*o.gyy) {
			break
		}
	}
	return t, ok
}

// measure looks at the luma of t's blocks in p.
func (t *texture) measure(w *patches, p *plane, s *stats) {
	step := 1
	for t.blocks*48 > 6000*step {
		step++
	}
	var n, sum, xx, xy, yy, white, around int
	var sum2, sum3, sum4 float64
	k := 0
	for i, id := range w.of[:s.w*s.h] {
		if s.lo[i] >= saturated && t.covers(float32(i%s.w), float32(i/s.w)) {
			white++
		}
		if id != t.id {
			continue
		}
		around++
		x0, y0 := min(i%s.w*8, p.w-8), min(i/s.w*8, p.h-8)
		for y := max(1, y0); y < min(p.h-1, y0+8); y++ {
			o := y * p.stride
			for x := max(1, x0) + k%step; x < min(p.w-1, x0+8); x += step {
				l := int(p.pix[o+x])
				gx, gy := int(p.pix[o+x+1])-int(p.pix[o+x-1]), int(p.pix[o+x+p.stride])-int(p.pix[o+x-p.stride])
				n, sum, xx, xy, yy = n+1, sum+l, xx+gx*gx, xy+gx*gy, yy+gy*gy
				f := float64(l - 128)
				sum2, sum3, sum4 = sum2+f*f, sum3+f*f*f, sum4+f*f*f*f
			}
			k++
		}
		k++
	}
	if n == 0 {
		return
	}
	c := 1 / float64(n)
	m := float64(sum)*c - 128
	v := sum2*c - m*m
	t.mean, t.dev = float32(m+128), float32(math.Sqrt(max(0, v)))
	t.kurtosis = float32((sum4*c - 4*m*sum3*c + 6*m*m*sum2*c - 3*m*m*m*m) / max(1, v*v))
	g := float32(c / 4)
	t.gxx, t.gxy, t.gyy = float32(xx)*g, float32(xy)*g, float32(yy)*g
	t.white = float32(white) / float32(white+around)
}

// covers: the block at column x and row y lies within the outline of t, or what would be it.
func (t *texture) covers(x, y float32) bool {
	k := float32(int(8) << t.level)
	x, y = (x+0.5)*k-t.x, (y+0.5)*k-t.y
	det := t.xx*t.yy - t.xy*t.xy
	return (t.yy*x*x-2*t.xy*x*y+t.xx*y*y)/max(1, det) < 3
}

// axes of a symmetric matrix: its eigenvalues, the larger one first, and the direction of that.
func axes(xx, xy, yy float32) (large, small, cos, sin float32) {
	mean, q := (xx+yy)/2, sqrt32((xx-yy)*(xx-yy)/4+xy*xy)
	s, c := math.Sincos(math.Atan2(float64(2*xy), float64(xx-yy)) / 2)
	return mean + q, mean - q, float32(c), float32(s)
}

// along is the value of a symmetric matrix in a direction.
func along(xx, xy, yy, cos, sin float32) float32 {
	return xx*cos*cos + 2*xy*cos*sin + yy*sin*sin
}

const (
	// ordinary is how many modules a side a pass has, about: that of version 10.
	ordinary = 57
	// A smaller texture is too small a symbol: two pixels for each of its modules.
	smallSide  = 120
	smallGrain = 10 // pixels²; a blurred symbol's fragment has more
	// An edge as wide as this, of a module, runs modules into one another.
	wideEdge  = 0.62
	widerEdge = 0.85
	absurd    = 6 // and this is no edge of a module
	// How much longer one axis of outline or slopes is than the other.
	streaked = 1.35
	slanted  = 1.65
	steeply  = 2.8
	cut      = 0.085 // share of the outline on the picture's edge
	faintest = 10    // gray levels from the mean
	// Kurtosis: some places are means of several modules; most are.
	mixed   = 2.2
	smeared = 2.5
)

// width is how wide an edge between dark and light is in a direction, of a module, were t an ordinary symbol: the variance of luma over
// the energy of its slopes is an edge's width times a module's.
func (t *texture) width(cos, sin float32) float32 {
	k := float32(int(1) << t.level)
	q := t.dev * t.dev / max(0.01, along(t.gxx, t.gxy, t.gyy, cos, sin)) * k * k
	return q * ordinary * ordinary / (12 * along(t.xx, t.xy, t.yy, cos, sin))
}

// grain is an edge's width times a module's, pixels².
func (t *texture) grain() float32 {
	k := float32(int(1) << t.level)
	return t.dev * t.dev / max(0.01, sqrt32(max(0, t.gxx*t.gyy-t.gxy*t.gxy))) * k * k
}

// small: an ordinary symbol of its size has modules of less than two pixels, and it is sharp, so that it is no part of a larger one.
func (t *texture) small() bool { return t.area < smallSide*smallSide && t.grain() < smallGrain }

// fault finds fault with t; Unclear means that it looks as a symbol should.
func (t *texture) fault() Finding {
	long, short, cos, sin := axes(t.xx, t.xy, t.yy)
	steep, gentle, gcos, gsin := axes(t.gxx, t.gxy, t.gyy)
	aspect, streaks := sqrt32(long/max(1, short)), sqrt32(steep/max(0.01, gentle))
	wide := t.width(-gsin, gcos) // where slopes are gentle
	round := sqrt32(wide * t.width(gcos, gsin))
	side := sqrt32(t.area)
	turned := along(t.gxx, t.gxy, t.gyy, -sin, cos) / max(0.01, along(t.gxx, t.gxy, t.gyy, cos, sin))
	switch {
	case t.dev < faintest && t.mean > 170:
		return Finding{Problem: TooBright, Measure: t.mean}
	case t.dev < faintest:
		return Finding{Problem: TooDark, Measure: t.mean}
	case t.white > 0.12:
		return Finding{Problem: Glare, Measure: t.white}
	case t.small():
		return Finding{Problem: TooSmall, Measure: side / ordinary}
	case t.edge > cut:
		return Finding{Problem: TooLarge, Measure: side / ordinary}
	case aspect > slanted && turned > streaked && wide < wideEdge && (t.kurtosis < smeared || aspect > steeply):
		return Finding{Problem: Tilted, Measure: float32(math.Acos(float64(1/aspect))) * 180 / math.Pi}
	case streaks > streaked && (wide > wideEdge || t.kurtosis > smeared && wide > wideEdge/2):
		return Finding{Problem: Moving, Measure: 1 / streaks}
	case round > widerEdge && t.kurtosis > mixed, round > wideEdge && t.kurtosis > smeared:
		return Finding{Problem: OutOfFocus, Measure: min(1, weakSingle*wideEdge/round)}
	}
	return Finding{Problem: Unclear, Measure: t.fill()}
}
