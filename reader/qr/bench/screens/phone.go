package screens

import (
	"image"
	"math"
	"math/rand/v2"
)

const (
	cells   = 4 // cells of the phone's picture to a module
	samples = 5 // samples a pixel, each way
)

// What a cell shows besides 0 (the screen's black) … 255 (its white).
const (
	bezel   = 1
	outside = 2
)

// phone is a telephone's face in cells, and where it lies in the picture.
type phone struct {
	c         *Case
	w, h      int
	face      []uint8
	left, top float64 // of the face in modules from the code's centre
	h2i, i2h  [9]float64
	level     [256]float32 // what a cell radiates, gray levels
	quad      [4][2]float64
}

func newPhone(c *Case, rng *rand.Rand) *phone {
	n := c.code.n
	margin := 2 + rng.IntN(5) // of the page beside the card
	const quiet = 4           // ISO/IEC 18004, 9.1
	const frame = 2
	wide := n + 2*(quiet+margin+frame)
	high := int(float64(wide) * (1.9 + 0.25*rng.Float64()))
	p := &phone{c: c, w: wide * cells, h: high * cells}
	p.face = make([]uint8, p.w*p.h)
	above := int(float64(high)*(0.3+0.2*rng.Float64())) - n/2
	p.left, p.top = -float64(n)/2-float64(quiet+margin+frame), -float64(n)/2-float64(above)

	p.fill(0, 0, wide*cells, high*cells, bezel)
	page := uint8(255)
	if rng.IntN(4) == 0 { // the page is dark, the card around the code is white
		page = 40
	}
	p.fill(frame*cells, frame*cells, (wide-frame)*cells, (high-frame)*cells, page)
	x0, y0 := (frame+margin)*cells, (above-quiet)*cells
	side := (n + 2*quiet) * cells
	p.words(rng, frame*cells+cells*2, frame*cells+2*cells, (wide-frame)*cells, y0-3*cells, page)
	p.words(rng, frame*cells+cells*2, y0+side+2*cells, (wide-frame)*cells, (high-frame)*cells-4*cells, page)
	p.fill(x0, y0, x0+side, y0+side, 255)
	for i, dark := range c.code.dark {
		if dark {
			x, y := x0+(quiet+i%n)*cells, y0+(quiet+i/n)*cells
			p.fill(x, y, x+cells, y+cells, 0)
		}
	}
	p.round(5 * cells)

	black, white := c.Mid-c.Contrast/2, c.Mid+c.Contrast/2
	for i := range p.level {
		p.level[i] = float32(black + (white-black)*float64(i)/255)
	}
	p.level[bezel] = float32(math.Max(4, black*0.6))
	p.h2i = c.homography()
	p.i2h = invert(p.h2i)
	for i, k := range [4][2]float64{{0, 0}, {float64(wide), 0}, {float64(wide), float64(high)}, {0, float64(high)}} {
		p.quad[i][0], p.quad[i][1] = project(&p.h2i, p.left+k[0], p.top+k[1])
	}
	return p
}

func (p *phone) fill(x0, y0, x1, y1 int, v uint8) {
	for y := max(0, y0); y < min(p.h, y1); y++ {
		row := p.face[y*p.w:]
		for x := max(0, x0); x < min(p.w, x1); x++ {
			row[x] = v
		}
	}
}

// words sets lines of word-like bars: the name of the place, the countdown, help.
func (p *phone) words(rng *rand.Rand, x0, y0, x1, y1 int, page uint8) {
	ink := uint8(60)
	if page < 128 {
		ink = 200
	}
	for y := y0; y < y1; {
		high := cells + rng.IntN(2*cells)
		if y+high > y1 {
			break
		}
		stop := x0 + (x1-x0)/3 + rng.IntN(2*(x1-x0)/3)
		for x := x0; x < stop-cells; {
			wide := cells + rng.IntN(3*cells)
			p.fill(x, y, min(x+wide, stop), y+high, ink)
			x += wide + cells/2 + rng.IntN(cells)
		}
		y += high + cells + rng.IntN(3*cells)
	}
}

// round cuts the corners off with radius r.
func (p *phone) round(r int) {
	for y := range r {
		for x := range r {
			if dx, dy := r-x, r-y; dx*dx+dy*dy > r*r {
				for _, i := range []int{y*p.w + x, y*p.w + p.w - 1 - x, (p.h-1-y)*p.w + x, (p.h-1-y)*p.w + p.w - 1 - x} {
					p.face[i] = outside
				}
			}
		}
	}
}

// draw integrates the phone over each pixel of its box (with a margin for the
// blurs) before the room, and gives the share of each pixel that it covers.
func (p *phone) draw(light []float32) (area, cover []float32, box image.Rectangle) {
	margin := int(4*p.c.Blur+p.c.Motion/2) + 3
	lo, hi := image.Pt(math.MaxInt32, math.MaxInt32), image.Pt(math.MinInt32, math.MinInt32)
	for _, q := range p.quad {
		x, y := int(math.Floor(q[0])), int(math.Floor(q[1]))
		lo.X, lo.Y, hi.X, hi.Y = min(lo.X, x), min(lo.Y, y), max(hi.X, x), max(hi.Y, y)
	}
	box = image.Rect(lo.X-margin, lo.Y-margin, hi.X+margin+1, hi.Y+margin+1).Intersect(image.Rect(0, 0, Width, Height))
	if box.Empty() {
		return nil, nil, image.Rectangle{}
	}
	w := box.Dx()
	area, cover = make([]float32, w*box.Dy()), make([]float32, w*box.Dy())
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := area[(y-box.Min.Y)*w:][:w]
		copy(row, light[y*Width+box.Min.X:])
		x0, x1 := p.span(float64(y), float64(y+1))
		for x := max(box.Min.X, x0); x < min(box.Max.X, x1); x++ {
			sum, hits := p.pixel(float64(x), float64(y))
			share := float32(hits) / (samples * samples)
			row[x-box.Min.X] = sum/(samples*samples) + row[x-box.Min.X]*(1-share)
			cover[(y-box.Min.Y)*w+x-box.Min.X] = share
		}
	}
	return area, cover, box
}

func (p *phone) pixel(x, y float64) (sum float32, hits int) {
	m := &p.i2h
	for j := range samples {
		sy := y + (float64(j)+0.5)/samples
		u, v, w := m[1]*sy+m[2], m[4]*sy+m[5], m[7]*sy+m[8]
		for i := range samples {
			sx := x + (float64(i)+0.5)/samples
			k := cells / (m[6]*sx + w)
			cx, cy := (m[0]*sx+u)*k-p.left*cells, (m[3]*sx+v)*k-p.top*cells
			if cx < 0 || cy < 0 || cx >= float64(p.w) || cy >= float64(p.h) {
				continue
			}
			if cell := p.face[int(cy)*p.w+int(cx)]; cell != outside {
				sum += p.level[cell]
				hits++
			}
		}
	}
	return sum, hits
}

// span is the range of pixels that the phone may touch in the rows y0…y1.
func (p *phone) span(y0, y1 float64) (int, int) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, a := range p.quad {
		b := p.quad[(i+1)%4]
		if a[1] > b[1] {
			a, b = b, a
		}
		if b[1] < y0 || a[1] > y1 {
			continue
		}
		for _, y := range [2]float64{math.Max(y0, a[1]), math.Min(y1, b[1])} {
			x := a[0]
			if b[1] > a[1] {
				x += (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
			}
			lo, hi = math.Min(lo, x), math.Max(hi, x)
		}
		if b[1] == a[1] {
			lo, hi = math.Min(lo, b[0]), math.Max(hi, b[0])
		}
	}
	if lo > hi {
		return 0, 0
	}
	return int(math.Max(-1, lo)) - 1, int(math.Min(Width, hi)) + 2
}
