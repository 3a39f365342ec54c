package display

import (
	_ "embed"
	"fmt"
	"image"
	"image/draw"
	"strings"
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

// typeface draws text from glyphs that are rasterised once a size.
type typeface struct {
	font   *opentype.Font
	faces  map[int]font.Face
	glyphs map[glyphKey]glyph
}

type glyphKey struct {
	size int // pixels an em
	r    rune
}

type glyph struct {
	mask    *image.Alpha
	bounds  image.Rectangle // around the pen's position on the base line
	advance int             // pixels
}

func newTypeface() (*typeface, error) {
	f, err := opentype.Parse(nanumSquare)
	if err != nil {
		return nil, fmt.Errorf("built-in font: %w", err)
	}
	return &typeface{font: f, faces: map[int]font.Face{}, glyphs: map[glyphKey]glyph{}}, nil
}

func (t *typeface) glyph(size int, r rune) glyph {
	key := glyphKey{size, r}
	if g, ok := t.glyphs[key]; ok {
		return g
	}
	face := t.faces[size]
	if face == nil {
		var err error
		// 72 dpi makes points pixels. Only a nonsensical size is an error.
		face, err = opentype.NewFace(t.font, &opentype.FaceOptions{Size: float64(size), DPI: 72})
		if err != nil {
			return glyph{}
		}
		t.faces[size] = face
	}
	var g glyph
	bounds, mask, at, advance, ok := face.Glyph(fixed.Point26_6{}, r)
	if ok {
		g = glyph{image.NewAlpha(bounds.Sub(bounds.Min)), bounds, advance.Round()}
		draw.Draw(g.mask, g.mask.Rect, mask, at, draw.Src) // the face reuses its mask
	}
	t.glyphs[key] = g
	return g
}

// width is text's width in pixels.
func (t *typeface) width(size int, text string) (w int) {
	for _, r := range text {
		w += t.glyph(size, r).advance
	}
	return w
}

// draw puts text with its base line's start at pen and returns where it ends.
func (t *typeface) draw(dst *image.RGBA, pen image.Point, size int, ink *image.Uniform, text []byte) image.Point {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		g := t.glyph(size, r)
		if g.mask != nil {
			draw.DrawMask(dst, g.bounds.Add(pen), ink, image.Point{}, g.mask, image.Point{}, draw.Over)
		}
		pen.X += g.advance
	}
	return pen
}

// wrap breaks text at spaces into lines of at most width pixels, as even as
// possible so that no line is left with one word. It reports whether it fits.
func (t *typeface) wrap(size int, text string, width, lines int) ([]string, bool) {
	for n := 1; n <= lines; n++ {
		goal := t.width(size, text)/n + 1
		if out, ok := t.fill(size, text, width, goal, n); ok {
			return out, true
		}
	}
	return []string{text}, false
}

// fill breaks text into at most n lines, each at least goal wide where that
// stays within width.
func (t *typeface) fill(size int, text string, width, goal, n int) ([]string, bool) {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		longer := strings.TrimLeft(line+" "+word, " ")
		if line != "" && (t.width(size, longer) > width || t.width(size, line) >= goal) {
			out, line = append(out, line), word
			continue
		}
		line = longer
	}
	out = append(out, line)
	for _, l := range out {
		if t.width(size, l) > width {
			return nil, false
		}
	}
	return out, len(out) <= n
}
