package display

import (
	_ "embed"
	"image"
	"image/draw"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// NanumSquare Bold by NAVER, under the SIL Open Font License 1.1 (font/OFL.txt),
// unmodified: all 11,172 syllables.
//
//go:embed font/NanumSquareB.ttf
var nanumSquare []byte

// typeface draws text from glyphs that are rasterised once a size. A letter that
// its font lacks comes from the built-in one.
type typeface struct {
	fonts    []*opentype.Font
	faces    map[faceKey]font.Face
	glyphs   map[glyphKey]glyph
	advances map[rune]int // at em pixels an em, 26.6
}

type faceKey struct{ font, size int }

type glyphKey struct {
	size int // pixels an em
	r    rune
}

type glyph struct {
	mask   *image.Alpha
	bounds image.Rectangle // around the pen's position on the base line
}

func newTypeface(fonts ...*opentype.Font) *typeface {
	return &typeface{fonts: fonts, faces: map[faceKey]font.Face{}, glyphs: map[glyphKey]glyph{}, advances: map[rune]int{}}
}

// forget drops what was rasterised, for a screen of another size.
func (t *typeface) forget() {
	clear(t.faces)
	clear(t.glyphs)
}

// has says whether a font lists a letter.
func (t *typeface) has(font int, r rune) bool {
	n, err := t.fonts[font].GlyphIndex(nil, r)
	return err == nil && n != 0
}

// face is the first font that has r, at a size.
func (t *typeface) face(size int, r rune) font.Face {
	key := faceKey{0, size}
	for i := range t.fonts {
		if t.has(i, r) {
			key.font = i
			break
		}
	}
	face := t.faces[key]
	if face == nil {
		var err error
		// 72 dpi makes points pixels. Only a nonsensical size is an error.
		face, err = opentype.NewFace(t.fonts[key.font], &opentype.FaceOptions{Size: float64(size), DPI: 72})
		if err != nil {
			return nil
		}
		t.faces[key] = face
	}
	return face
}

// reach is how far a letter's ink goes above and below the base line, in parts of
// an em.
func (t *typeface) reach(r rune) (above, below float64) {
	b, _, ok := t.face(em, r).GlyphBounds(r)
	if !ok {
		return 0.7, 0
	}
	return float64(-b.Min.Y.Floor()) / em, float64(b.Max.Y.Ceil()) / em
}

func (t *typeface) glyph(size int, r rune) glyph {
	key := glyphKey{size, r}
	if g, ok := t.glyphs[key]; ok {
		return g
	}
	face := t.face(size, r)
	if face == nil {
		return glyph{}
	}
	var g glyph
	bounds, mask, at, _, ok := face.Glyph(fixed.Point26_6{}, r)
	if ok {
		g = glyph{image.NewAlpha(bounds.Sub(bounds.Min)), bounds}
		draw.Draw(g.mask, g.mask.Rect, mask, at, draw.Src) // the face reuses its mask
	}
	t.glyphs[key] = g
	return g
}

// advance is how far a letter moves the pen, in 26.6 pixels at size.
func (t *typeface) advance(size int, r rune) int {
	a, ok := t.advances[r]
	if !ok {
		if face := t.face(em, r); face != nil {
			w, _ := face.GlyphAdvance(r)
			a = int(w)
		}
		t.advances[r] = a
	}
	return a * size / em
}

// em is the size at which advances are looked up, pixels.
const em = 1024

// width is text's width in pixels. It rasterises nothing.
func (t *typeface) width(size int, text string) (w int) {
	for _, r := range text {
		w += t.advance(size, r)
	}
	return (w + 63) / 64
}

// measure is width of bytes.
func (t *typeface) measure(size int, text []byte) (w int) {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		w += t.advance(size, r)
	}
	return (w + 63) / 64
}

// draw puts text with its base line's start at pen and returns where it ends.
func (t *typeface) draw(dst *image.RGBA, pen image.Point, size int, ink *image.Uniform, text []byte) image.Point {
	x := 0
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if g := t.glyph(size, r); g.mask != nil {
			draw.DrawMask(dst, g.bounds.Add(image.Pt(pen.X+(x+32)/64, pen.Y)), ink, image.Point{}, g.mask, image.Point{}, draw.Over)
		}
		x += t.advance(size, r)
	}
	return image.Pt(pen.X+(x+63)/64, pen.Y)
}
