package qr

// concentric is a pattern of square rings, n modules a side, n odd.
type concentric struct {
	n    int
	dark []bool
}

var (
	// finderPattern is a finder pattern with its light surround (ISO/IEC 18004, 6.3.3).
	finderPattern = rings(9, 2, 4)
	// alignmentPattern is an alignment pattern (6.3.6).
	alignmentPattern = rings(5, 1)
)

// rings makes a pattern that is dark but for the light rings named by their distance from the centre.
func rings(n int, light ...int) concentric {
	c := concentric{n, make([]bool, n*n)}
	for i := range c.dark {
		dx, dy := i%n-n/2, i/n-n/2
		c.dark[i] = true
		for _, r := range light {
			if r == max(dx, -dx, dy, -dy) {
				c.dark[i] = false
			}
		}
	}
	return c
}

// tally sums what a correlation needs; luma is in sixteenths.
type tally struct {
	sum, sum2, dark int64
	n, nDark        int64
}

// score is the normalised cross-correlation with the pattern: 1 is the
// pattern itself, −1 its negative; gain and offset of the light do not touch it.
func (t *tally) score() float32 {
	if t.n == 0 {
		return 0
	}
	n, k := float32(t.n), float32(t.nDark)
	mean := float32(t.sum) / n
	variance := float32(t.sum2)/n - mean*mean
	if variance < 128 { // half a gray level
		return 0
	}
	light := float32(t.sum-t.dark) / (n - k)
	share := k / n
	return (light - float32(t.dark)/k) * sqrt32(share*(1-share)/variance)
}

// correlate compares the pattern, as s has it lie in p, with the picture.
func (c concentric) correlate(p *plane, s *shape) float32 {
	var t tally
	c.add(p, s, &t)
	return t.score()
}

// add samples the modules' middles. Within the picture it goes in steps of 1/65536 pixel, without
// float arithmetic or clamping: searches spend their time here.
func (c concentric) add(p *plane, s *shape, t *tally) {
	r := float32(c.n / 2)
	const edge = 2
	ex, ey := r*(max(s.ux, -s.ux)+max(s.vx, -s.vx)), r*(max(s.uy, -s.uy)+max(s.vy, -s.vy))
	if !(s.x-ex > edge && s.y-ey > edge && s.x+ex < float32(p.w-edge) && s.y+ey < float32(p.h-edge)) {
		c.addClamped(p, s, t)
		return
	}
	const one = 65536
	ux, uy, vx, vy := int(s.ux*one), int(s.uy*one), int(s.vx*one), int(s.vy*one)
	half := c.n / 2
	x0, y0 := int((s.x-0.5)*one)-half*(ux+vx), int((s.y-0.5)*one)-half*(uy+vy)
	var sum, sum2, dark, nDark int
	i := 0
	for range c.n {
		x, y := x0, y0
		for range c.n {
			o := y>>16*p.stride + x>>16
			fx, fy := x>>8&255, y>>8&255
			a, b := p.pix[o:o+2], p.pix[o+p.stride:o+p.stride+2]
			top := int(a[0])<<8 + (int(a[1])-int(a[0]))*fx
			low := int(b[0])<<8 + (int(b[1])-int(b[0]))*fx
			l := (top<<8 + (low-top)*fy) >> 12
			sum += l
			sum2 += l * l
			if c.dark[i] {
				dark += l
				nDark++
			}
			i++
			x, y = x+ux, y+uy
		}
		x0, y0 = x0+vx, y0+vy
	}
	t.sum, t.sum2, t.dark = t.sum+int64(sum), t.sum2+int64(sum2), t.dark+int64(dark)
	t.n, t.nDark = t.n+int64(c.n*c.n), t.nDark+int64(nDark)
}

func (c concentric) addClamped(p *plane, s *shape, t *tally) {
	for i, d := range c.dark {
		u, v := float32(i%c.n-c.n/2), float32(i/c.n-c.n/2)
		l := int64(16 * p.at(s.x+u*s.ux+v*s.vx, s.y+u*s.uy+v*s.vy))
		t.sum += l
		t.sum2 += l * l
		if d {
			t.dark += l
			t.nDark++
		}
		t.n++
	}
}
