package display

import (
	"image"
	"image/color"
	"image/draw"
)

// lens is how a camera's picture of some size goes into a box: mirrored, its
// middle filling the box. It is worked out once, so that a frame costs no memory.
type lens struct {
	src  image.Point
	box  image.Rectangle
	crop image.Rectangle // of the source
	cols []int           // source column of each pixel of a row, mirrored
}

func (l *lens) fit(src image.Point, box image.Rectangle) {
	if l.src == src && l.box == box {
		return
	}
	l.src, l.box = src, box
	w, h := src.X, src.X*box.Dy()/box.Dx()
	if h > src.Y {
		w, h = src.Y*box.Dx()/box.Dy(), src.Y
	}
	w, h = max(w, 1), max(h, 1)
	at := image.Pt((src.X-w)/2, (src.Y-h)/2)
	l.crop = image.Rectangle{at, at.Add(image.Pt(w, h))}
	l.cols = l.cols[:0]
	for x := range box.Dx() {
		l.cols = append(l.cols, max(0, min(src.X-2, l.crop.Max.X-1-x*w/box.Dx())))
	}
}

// spot is where a part of the picture (0…1 each way) stands on the screen.
func (l *lens) spot(x, y float32) image.Point {
	px := (float32(l.crop.Max.X) - x*float32(l.src.X)) / float32(l.crop.Dx())
	py := (y*float32(l.src.Y) - float32(l.crop.Min.Y)) / float32(l.crop.Dy())
	return l.box.Min.Add(image.Pt(int(px*float32(l.box.Dx())), int(py*float32(l.box.Dy()))))
}

// camera draws the gray picture into box with a guide frame, and the code's
// place where it is known.
func (p *Painter) camera(dst *image.RGBA, box image.Rectangle, s State, back *image.Uniform) {
	src := s.Camera
	if box.Empty() || src.Rect.Dx() < 2 || src.Rect.Dy() < 2 {
		return
	}
	p.lens.fit(src.Rect.Size(), box)
	p.scale(dst, src)
	radius := p.frame.margin * 2 / 3
	round(dst, box, radius, back.C.(color.RGBA))

	// Four corners around the middle: white on a dark edge is seen on any picture.
	side := min(box.Dx(), box.Dy()) * 7 / 10
	thick := max(2, side/36)
	at := box.Min.Add(image.Pt((box.Dx()-side)/2, (box.Dy()-side)/2))
	guide := image.Rectangle{at, at.Add(image.Pt(side, side))}
	ink := p.palette.strip.ink
	if s.Scene == Seen || s.Located {
		ink = p.palette.next.back
	}
	corners(dst, guide.Inset(-thick/2-1), side/5+2, thick+2, p.palette.strip.back)
	corners(dst, guide.Inset(-thick/2), side/5, thick, ink)
	if s.Located {
		size := max(12, side/6)
		c := p.lens.spot(s.X, s.Y)
		c.X = max(box.Min.X+size/2, min(box.Max.X-size/2, c.X))
		c.Y = max(box.Min.Y+size/2, min(box.Max.Y-size/2, c.Y))
		in := image.Rect(c.X-size/2, c.Y-size/2, c.X-size/2+size, c.Y-size/2+size)
		p.symbol(dst, in.Inset(-2), mark, false, p.palette.strip.back)
		p.symbol(dst, in, mark, false, ink)
	}
}

// mark is the ring around the code's middle.
var mark = &symbol{arcs: []arc{turn(.5, .5, .43, 0, 2)}, dots: []point{{.5, .5}}}

// scale fills the lens's box; each pixel is the mean of four.
func (p *Painter) scale(dst *image.RGBA, src *image.Gray) {
	l := &p.lens
	w, h := l.box.Dx(), l.box.Dy()
	for y := range h {
		at := max(0, min(l.src.Y-2, l.crop.Min.Y+y*l.crop.Dy()/h))
		upper := src.Pix[at*src.Stride:][:l.src.X]
		lower := src.Pix[(at+1)*src.Stride:][:l.src.X]
		out := dst.Pix[dst.PixOffset(l.box.Min.X, l.box.Min.Y+y):][:4*w]
		for x, c := range l.cols {
			v := uint8((uint(upper[c]) + uint(upper[c+1]) + uint(lower[c]) + uint(lower[c+1]) + 2) / 4)
			px := out[4*x : 4*x+4 : 4*x+4]
			px[0], px[1], px[2], px[3] = v, v, v, 255
		}
	}
}

// round takes the corners of r away.
func round(dst *image.RGBA, r image.Rectangle, radius int, back color.RGBA) {
	for y := range radius {
		for x := range radius {
			// Distance of the pixel's middle from the arc, in half pixels.
			dx, dy := 2*(radius-x)-1, 2*(radius-y)-1
			over := dx*dx + dy*dy - 4*radius*radius
			if over <= 0 {
				continue
			}
			share := uint32(min(255, over*255/(8*radius))) // about a pixel wide
			for _, at := range [4]image.Point{
				{r.Min.X + x, r.Min.Y + y}, {r.Max.X - 1 - x, r.Min.Y + y},
				{r.Min.X + x, r.Max.Y - 1 - y}, {r.Max.X - 1 - x, r.Max.Y - 1 - y},
			} {
				px := dst.Pix[dst.PixOffset(at.X, at.Y):][:4]
				for i, v := range [3]uint8{back.R, back.G, back.B} {
					px[i] = uint8((uint32(v)*share + uint32(px[i])*(255-share)) / 255)
				}
			}
		}
	}
}

// card fills a rectangle with round corners.
func (p *Painter) card(dst *image.RGBA, r image.Rectangle, fill *image.Uniform) {
	back := dst.RGBAAt(r.Min.X, r.Min.Y)
	draw.Draw(dst, r, fill, image.Point{}, draw.Src)
	round(dst, r, p.frame.margin*2/3, back)
}

// corners draws the four corners of r: arms of length pixels, thick pixels wide.
func corners(dst *image.RGBA, r image.Rectangle, length, thick int, ink *image.Uniform) {
	for _, arm := range [8]image.Rectangle{
		{r.Min, r.Min.Add(image.Pt(length, thick))},
		{r.Min, r.Min.Add(image.Pt(thick, length))},
		image.Rect(r.Max.X-length, r.Min.Y, r.Max.X, r.Min.Y+thick),
		image.Rect(r.Max.X-thick, r.Min.Y, r.Max.X, r.Min.Y+length),
		image.Rect(r.Min.X, r.Max.Y-thick, r.Min.X+length, r.Max.Y),
		image.Rect(r.Min.X, r.Max.Y-length, r.Min.X+thick, r.Max.Y),
		{r.Max.Sub(image.Pt(length, thick)), r.Max},
		{r.Max.Sub(image.Pt(thick, length)), r.Max},
	} {
		draw.Draw(dst, arm, ink, image.Point{}, draw.Src)
	}
}
