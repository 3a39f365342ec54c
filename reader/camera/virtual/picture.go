package virtual

import "image"

// NewPicture draws a page on the phone, such as a screenshot, as wide as its
// glass and from its top on; what is longer than the glass is cut off.
func (s *Scene) NewPicture(page *image.Gray) *Screen {
	l := s.look
	out := &Screen{side: paneW}
	t := texture{w: s.blank.w, h: s.blank.h, pix: append([]uint32(nil), s.blank.pix...)}
	white, black := float64(l.White), float64(l.Black)
	if l.Inverted {
		white, black = black, white
	}
	b := page.Bounds()
	perTexel := float64(b.Dx()) / (paneW * texelsPerMM)
	x0, y0 := texelAt(paneX, texLeft), texelAt(paneY, texTop)
	for y := y0; y < texelAt(paneY+paneH, texTop); y++ {
		for x := x0; x < texelAt(paneX+paneW, texLeft); x++ {
			sum, n := 0, 0
			for i := range 9 { // 3×3 samples, as for a code
				px := b.Min.X + int((float64(x-x0)+(float64(i%3)+0.5)/3)*perTexel)
				py := b.Min.Y + int((float64(y-y0)+(float64(i/3)+0.5)/3)*perTexel)
				if (image.Point{X: px, Y: py}).In(b) {
					sum += int(page.GrayAt(px, py).Y)
					n++
				}
			}
			if n > 0 {
				t.pix[y*t.w+x] = texel(black+float64(sum)/float64(n)/255*(white-black), 1)
			}
		}
	}
	out.mip[0] = t
	for i := 1; i < levels; i++ {
		out.mip[i] = out.mip[i-1].half()
	}
	return out
}

// Show is Present for a page instead of a code, see [Scene.NewPicture].
func (p *Phone) Show(page *image.Gray) {
	s := p.scene.NewPicture(page)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen, p.holding = s, true
}
