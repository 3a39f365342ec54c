package display

import (
	"image"
	"image/color"
	"math"
	"os"
	"testing"
)

// TestLegible computes from the rendered pixels that every visitor's text is as
// high as KS X 9211 asks for on that screen and has a contrast of 4.5:1, and that
// there is no text or shape but where the layout says so: for every scene and
// hint, in every layout and language.
func TestLegible(t *testing.T) {
	pairs := [][]string{{"ko", "en"}, {"en", "ko"}, {"ko"}}
	if _, err := os.Stat(foreignFont); err == nil {
		pairs = append(pairs, []string{"ko", "zh"}, []string{"ko", "ja"}, []string{"ko", "vi"}, []string{"ko", "en", "zh", "ja", "vi"})
	} else {
		t.Logf("zh, ja and vi are not tested: %v (Debian: fonts-noto-cjk)", err)
	}
	for _, l := range layouts {
		for _, langs := range pairs {
			if len(langs) > 2 && l != layouts[0] {
				continue // as many turns as languages: once is enough
			}
			if raced && l != layouts[0] {
				continue // nothing runs beside it; make test measures all without the detector, too
			}
			name := l.String()
			for _, s := range langs {
				name += "-" + s
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := l.painter(t, langs...)
				pixel := l.inches * 25.4 / math.Hypot(float64(l.size.X), float64(l.size.Y)) // mm
				want := 7.25
				if l.inches*2.54 > 28 {
					want = 12
				}
				img := l.picture()
				ratio, height, pictures := math.Inf(1), math.Inf(1), 0
				for _, v := range scenery() {
					for _, v := range v.turns(p) {
						pictures++
						p.Draw(img, v.State)
						g := p.page(p.sight(v.State).page)
						tall := map[[2]int]float64{} // of what is set at one size: some lines have no capital
						for _, line := range g.lines {
							back, ink := colours(img, line.box)
							c := contrast(back, ink)
							if ratio = min(ratio, c); c < 4.5 {
								t.Errorf("%s: %q has a contrast of %.1f:1", v.name, line.text, c)
							}
							key := [2]int{line.lang, line.size}
							tall[key] = max(tall[key], float64(inkHeight(img, line, p.langs[line.lang].measure == 'H', back))*pixel)
						}
						for key, mm := range tall {
							if height = min(height, mm); mm < want {
								t.Errorf("%s: what is set at %d pixels in %s is %.2f mm high, want %.2f", v.name, key[1], langs[key[0]], mm, want)
							}
						}
						if at, stray := strayInk(img, p, g, v); stray {
							t.Errorf("%s: something is drawn at %v, beyond the layout", v.name, at)
						}
						back, ink := colours(img, p.frame.strip)
						if c := contrast(back, ink); c < 4.5 {
							t.Errorf("%s: the strip has a contrast of %.1f:1", v.name, c)
						}
					}
				}
				t.Logf("%d pictures, least contrast %.1f:1, least text %.2f mm of %.2f mm", pictures, ratio, height, want)
			})
		}
	}
}

// colours are the two of a line of text: the ground, which is the most frequent
// one, and the one that differs from it most.
func colours(img *image.RGBA, r image.Rectangle) (back, ink color.RGBA) {
	count := map[color.RGBA]int{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; {
			c, from := img.RGBAAt(x, y), x
			for x++; x < r.Max.X && img.RGBAAt(x, y) == c; x++ {
			}
			count[c] += x - from
		}
	}
	for c, n := range count {
		if n > count[back] {
			back = c
		}
	}
	// The ink is the most frequent colour that is far from the ground: a single odd
	// pixel would flatter it.
	for c, n := range count {
		if distance(c, back) > 90 && n > count[ink] {
			ink = c
		}
	}
	return back, ink
}

func distance(a, b color.RGBA) int {
	return abs(int(a.R)-int(b.R)) + abs(int(a.G)-int(b.G)) + abs(int(a.B)-int(b.B))
}

func abs(n int) int { return max(n, -n) }

// inkHeight is how high a line's letters are in pixels: from the first to the
// last row with ink, above the base line only where the letters are an
// alphabet's, whose descenders do not count.
func inkHeight(img *image.RGBA, l line, alphabet bool, back color.RGBA) int {
	bottom := l.box.Max.Y
	if alphabet {
		bottom = l.at.Y
	}
	first, last := -1, -1
	for y := l.box.Min.Y; y < bottom; y++ {
		for x := l.box.Min.X; x < l.box.Max.X; x++ {
			if c := img.RGBAAt(x, y); c != back && contrast(back, c) >= 3 {
				if first < 0 {
					first = y
				}
				last = y
				break
			}
		}
	}
	return last - first + 1
}

// strayInk looks for pixels of the stage that are neither its ground nor inside
// what the layout has placed.
func strayInk(img *image.RGBA, p *Painter, g page, v view) (image.Point, bool) {
	places := []image.Rectangle{g.picture, g.card}
	for _, l := range g.lines {
		box := l.box.Inset(-l.size / 12) // letters may lean out of their advance
		box.Min.Y, box.Max.Y = l.box.Min.Y, l.box.Max.Y
		places = append(places, box)
	}
	if v.Staff != nil {
		places = append(places, image.Rect(0, 0, img.Rect.Max.X, 2*p.cornerSize()))
	}
	ground := img.RGBAAt(0, p.frame.stage.Max.Y-1)
	for y := 0; y < p.frame.stage.Max.Y; y++ {
	row:
		for x := 0; x < img.Rect.Max.X; x++ {
			if px := img.Pix[img.PixOffset(x, y):][:3]; px[0] == ground.R && px[1] == ground.G && px[2] == ground.B {
				continue
			}
			for _, r := range places {
				if (image.Point{x, y}).In(r) {
					x = r.Max.X - 1
					continue row
				}
			}
			return image.Pt(x, y), true
		}
	}
	return image.Point{}, false
}

// contrast is WCAG 2.2's ratio.
func contrast(a, b color.RGBA) float64 {
	lum := func(c color.RGBA) float64 {
		lin := func(v uint8) float64 {
			if c := float64(v) / 0xFF; c > 0.04045 {
				return math.Pow((c+0.055)/1.055, 2.4)
			} else {
				return c / 12.92
			}
		}
		return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
	}
	x, y := lum(a), lum(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestTones: every pair of colours that a scene can have, flashing or not, is
// legible, also as 16-bit screens show it.
func TestTones(t *testing.T) {
	pal := newPalette()
	tones := map[string]tone{"strip": pal.strip, "staff": pal.calm, "mono": pal.mono, "hint": pal.next}
	for _, s := range Scenes() {
		tones[string(s)] = pal.tone(s)
		tones[string(s)+" flashed"] = pal.tone(s).flashed()
	}
	coarse := func(u *image.Uniform) color.RGBA {
		c := u.C.(color.RGBA)
		return color.RGBA{c.R &^ 7, c.G &^ 3, c.B &^ 7, 255}
	}
	for name, tn := range tones {
		if c := contrast(coarse(tn.back), coarse(tn.ink)); c < 4.5 {
			t.Errorf("%s: contrast %.1f:1, want at least 4.5:1", name, c)
		}
		if c := coarse(tn.back); int(c.R) > 2*int(c.G) && int(c.R) > 2*int(c.B) {
			t.Errorf("%s is red: nobody is put to shame at a door", name)
		}
	}
}
