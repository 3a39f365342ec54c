package qr

import (
	"image"
	"image/color"
	"time"
)

// NamedPicture is what one step of reading sees.
type NamedPicture struct {
	Name    string // "1-threshold", … : sorts in the order of the steps
	Picture image.Image
}

var (
	inkHit    = color.RGBA{255, 170, 0, 255}
	inkFinder = color.RGBA{230, 0, 60, 255}
	inkGrid   = color.RGBA{0, 160, 70, 255}
	inkEdge   = color.RGBA{0, 90, 255, 255}
)

// Explain reads g as thoroughly as can be and gives pictures of what the steps
// see: which pixels count as dark, where rows cross something like a finder pattern (orange) and
// what holds up as one (red), the grid laid over the likeliest symbol (green points, blue outline), the
// modules' gray levels and what was decided. Steps that were not reached are
// left out. The error is Decode's.
func Explain(g *image.Gray) ([]NamedPicture, error) {
	d := New(Options{Thorough: true, Budget: time.Second}) // someone is waiting, but no visitor
	symbols, err := d.Decode(g)
	if err != nil || d.planes[0].pix == nil {
		return nil, err
	}
	p := &d.planes[0]
	marks := &d.marks[0]
	marks.set(1, marks.flatness())
	out := []NamedPicture{{"1-threshold", d.drawThreshold(p, marks)}}

	marked := copyOf(p)
	for _, h := range d.scanner.scan(p, marks, 1, false, func() bool { return false }) {
		for k := range int(h.width) {
			plot(marked, h.x-h.width/2+float32(k), h.y, inkHit)
		}
	}
	for i := range d.finders {
		f := &d.finders[i]
		const r = 3.5
		line(marked, f.at(-r, -r), f.at(r, -r), inkFinder)
		line(marked, f.at(r, -r), f.at(r, r), inkFinder)
		line(marked, f.at(r, r), f.at(-r, r), inkFinder)
		line(marked, f.at(-r, r), f.at(-r, -r), inkFinder)
	}
	out = append(out, NamedPicture{"2-finders", marked})

	found := d.best
	if len(symbols) > 0 {
		found = d.trail.grid
	} else if found.score < 0 {
		return out, nil
	}
	found.warp = nil
	laid := copyOf(p)
	side := float32(found.side)
	corner := func(u, v float32) [2]float32 { x, y := found.homography.at(u, v); return [2]float32{x, y} }
	line(laid, corner(0, 0), corner(side, 0), inkEdge)
	line(laid, corner(side, 0), corner(side, side), inkEdge)
	line(laid, corner(side, side), corner(0, side), inkEdge)
	line(laid, corner(0, side), corner(0, 0), inkEdge)
	for y := range found.side {
		for x := range found.side {
			c := corner(float32(x)+0.5, float32(y)+0.5)
			plot(laid, c[0], c[1], inkGrid)
		}
	}
	out = append(out, NamedPicture{"3-grid", laid})

	v := d.viewOf(&found)
	m := &d.modules
	m.sample(&found, &v, never)
	m.decide(0)
	gray, bits := image.NewGray(image.Rect(0, 0, 6*m.side, 6*m.side)), image.NewGray(image.Rect(0, 0, 6*m.side, 6*m.side))
	for i := range gray.Pix {
		at := i/gray.Stride/6*m.side + i%gray.Stride/6
		gray.Pix[i] = uint8(max(0, min(255, m.raw[at])))
		// Sure modules are black and white, doubtful ones gray.
		bits.Pix[i] = uint8(max(0, min(255, 128-110*m.soft[at])))
	}
	return append(out, NamedPicture{"4-modules", gray}, NamedPicture{"5-decided", bits}), nil
}

// at is the point u, v modules from the pattern's centre.
func (s *shape) at(u, v float32) [2]float32 {
	return [2]float32{s.x + u*s.ux + v*s.vx, s.y + u*s.uy + v*s.vy}
}

func (d *Decoder) drawThreshold(p *plane, t *thresholds) image.Image {
	out := image.NewGray(image.Rect(0, 0, p.w, p.h))
	at := make([]int32, p.w+2)
	for y := range p.h {
		row := out.Pix[y*out.Stride:][:p.w]
		for i := range row {
			row[i] = 255
		}
		edges := t.edges(p, y, at)
		for i := 0; i+1 < len(edges); i += 2 {
			clear(row[edges[i]:edges[i+1]])
		}
	}
	return out
}

// copyOf is p at half its contrast, to draw on.
func copyOf(p *plane) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, p.w, p.h))
	for y := range p.h {
		for x := range p.w {
			l := p.pix[y*p.stride+x]/2 + 100
			o := out.PixOffset(x, y)
			out.Pix[o], out.Pix[o+1], out.Pix[o+2], out.Pix[o+3] = l, l, l, 255
		}
	}
	return out
}

func plot(m *image.RGBA, x, y float32, c color.RGBA) { m.SetRGBA(int(x), int(y), c) }

func line(m *image.RGBA, a, b [2]float32, c color.RGBA) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	n := max(dx, -dx, dy, -dy, 1)
	if !(n < 4*maxSide) {
		return
	}
	for i := float32(0); i <= n; i++ {
		plot(m, a[0]+dx*i/n, a[1]+dy*i/n, c)
	}
}
