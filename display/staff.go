package display

import (
	"image"
	"image/draw"
)

// The staff's field is the one place where anything of health is seen. It is
// put together in a buffer that is wiped, and kept in no cache.

// corner draws the field into the visitors' screen's upper right corner: small,
// and no colour of its own, so that it means nothing from where the queue stands.
func (p *Painter) corner(dst *image.RGBA, s *Staff) {
	const between = " · "
	f := p.faces[0]
	size := p.cornerSize()
	vaccinated, weeks, doses := p.record(s)
	width := f.width(size, vaccinated) + f.width(size, weeks) + 2*f.width(size, between) + f.measure(size, p.fill(doses, s.Doses))
	stage := p.frame.stage
	box := image.Rect(stage.Max.X-width-size*2, stage.Min.Y, stage.Max.X, stage.Min.Y+size*2)
	draw.Draw(dst, box, p.palette.strip.back, image.Point{}, draw.Src)
	pen := image.Pt(box.Min.X+size, box.Min.Y+size*135/100)
	for _, text := range [...]string{vaccinated, between, weeks, between} {
		pen = f.draw(dst, pen, size, p.palette.strip.ink, p.fill(text, 0))
	}
	f.draw(dst, pen, size, p.palette.strip.ink, p.fill(doses, s.Doses))
	clear(p.buf)
}

// cornerSize is that of its letters.
func (p *Painter) cornerSize() int { return p.frame.stripText * 6 / 5 }

func (p *Painter) record(s *Staff) (vaccinated, weeks, doses string) {
	w := &p.langs[0].words.Staff
	vaccinated, weeks = w.Incomplete, w.NotPassed
	if s.Complete {
		vaccinated = w.Complete
	}
	if s.TwoWeeksOn {
		weeks = w.Passed
	}
	return vaccinated, weeks, w.Doses
}

// field draws the staff's own panel: the record as large as it goes, or that
// there is none.
func (p *Painter) field(dst *image.RGBA, s *Staff) {
	tone := p.palette.calm
	if p.frame.small {
		tone = p.palette.mono
	}
	draw.Draw(dst, dst.Rect, tone.back, image.Point{}, draw.Src)
	in := dst.Rect.Inset(p.frame.margin)
	if s == nil {
		p.column(dst, in, tone.ink, 0, p.langs[0].words.Staff.None)
		return
	}
	vaccinated, weeks, doses := p.record(s)
	p.column(dst, in, tone.ink, s.Doses, vaccinated, weeks, doses)
	clear(p.buf)
}

// column sets texts below each other, all at one size, as large as they fit;
// one text alone may take three lines.
func (p *Painter) column(dst *image.RGBA, in image.Rectangle, ink *image.Uniform, n int, texts ...string) {
	f, most := p.faces[0], in.Dy()
	if len(texts) == 1 { // a remark
		most = max(14, in.Dy()/6)
		for size := most; size > 6; size-- {
			if lines, ok := f.wrap(size, texts[0], in.Dx(), 3); ok {
				texts = lines
				break
			}
		}
	}
	size := min(most, in.Dy()*10/(12*len(texts)))
	for ; size > 6; size-- {
		widest := 0
		for _, t := range texts {
			widest = max(widest, f.measure(size, p.fill(t, n)))
		}
		if widest <= in.Dx() {
			break
		}
	}
	y := in.Min.Y + (in.Dy()-len(texts)*size*6/5)/2
	for _, t := range texts {
		text := p.fill(t, n)
		f.draw(dst, image.Pt(in.Min.X+(in.Dx()-f.measure(size, text))/2, y+size*92/100), size, ink, text)
		y += size * 6 / 5
	}
}
