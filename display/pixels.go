package display

import (
	"image"
	"image/color"
	"image/draw"
)

// camera draws the gray picture into box, mirrored, with a guide frame.
func (p *Painter) camera(dst *image.RGBA, box image.Rectangle, src *image.Gray) {
	w, h := box.Dx(), box.Dy()
	if w <= 0 || h <= 0 {
		return
	}
	p.columns = p.columns[:0]
	for x := range w {
		p.columns = append(p.columns, src.Rect.Dx()-1-x*src.Rect.Dx()/w)
	}
	for y := range h {
		row := src.Pix[y*src.Rect.Dy()/h*src.Stride:]
		out := dst.Pix[dst.PixOffset(box.Min.X, box.Min.Y+y):][:4*w]
		for x, col := range p.columns {
			v := row[col]
			px := out[4*x : 4*x+4 : 4*x+4]
			px[0], px[1], px[2], px[3] = v, v, v, 255
		}
	}
	// Four corners around the middle: white on a dark edge is seen on any picture.
	side := min(w, h) * 7 / 10
	thick := max(2, side/40)
	at := box.Min.Add(image.Pt((w-side)/2, (h-side)/2))
	frame := image.Rectangle{at, at.Add(image.Pt(side, side))}
	corners(dst, frame.Inset(-thick/2-1), side/5+2, thick+2, p.palette.strip.back)
	corners(dst, frame.Inset(-thick/2), side/5, thick, p.palette.strip.ink)
}

// corners draws the four corners of r: arms of length pixels, thick pixels wide.
func corners(dst *image.RGBA, r image.Rectangle, length, thick int, ink *image.Uniform) {
	arm := func(at image.Rectangle) { draw.Draw(dst, at, ink, image.Point{}, draw.Src) }
	arm(image.Rect(r.Min.X, r.Min.Y, r.Min.X+length, r.Min.Y+thick))
	arm(image.Rect(r.Min.X, r.Min.Y, r.Min.X+thick, r.Min.Y+length))
	arm(image.Rect(r.Max.X-length, r.Min.Y, r.Max.X, r.Min.Y+thick))
	arm(image.Rect(r.Max.X-thick, r.Min.Y, r.Max.X, r.Min.Y+length))
	arm(image.Rect(r.Min.X, r.Max.Y-thick, r.Min.X+length, r.Max.Y))
	arm(image.Rect(r.Min.X, r.Max.Y-length, r.Min.X+thick, r.Max.Y))
	arm(image.Rect(r.Max.X-length, r.Max.Y-thick, r.Max.X, r.Max.Y))
	arm(image.Rect(r.Max.X-thick, r.Max.Y-length, r.Max.X, r.Max.Y))
}

// light draws a part's state: a disc is well, a triangle is a warning, a cross
// is a failure, so that colour alone never tells.
func light(dst *image.RGBA, r image.Rectangle, l Level) {
	ink := color.RGBA{0x38, 0xC1, 0x72, 255}
	switch l {
	case Warn:
		ink = color.RGBA{0xF4, 0xB7, 0x40, 255}
	case Bad:
		ink = color.RGBA{0xFF, 0x7A, 0x5C, 255}
	}
	n := r.Dx()
	for y := range n {
		for x := range n {
			dx, dy := 2*x+1-n, 2*y+1-n
			in := false
			switch l {
			case OK:
				in = dx*dx+dy*dy <= n*n
			case Warn:
				in = 2*abs(dx) <= dy+n
			case Bad:
				in = abs(abs(dx)-abs(dy)) <= n/3
			}
			if at := (image.Point{r.Min.X + x, r.Min.Y + y}); in && at.In(dst.Rect) {
				dst.SetRGBA(at.X, at.Y, ink)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }
