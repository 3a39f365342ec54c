// Package qr reads QR codes (ISO/IEC 18004, Model 2) out of luma pictures:
// upright or turned, dark on light or light on dark, and mirrored.
//
// Use [New] once and [Decoder.Decode] for each picture. The package promises
// that no picture, whatever its content, makes it panic, and that a picture
// without a code costs time but is not an error.
package qr

import (
	"fmt"
	"image"
)

// Symbol is one code that was read.
type Symbol struct {
	// Bytes is the content as encoded: a byte segment's bytes unchanged, numeric and
	// alphanumeric segments as ASCII, kanji as Shift JIS.
	Bytes []byte
	// Text is the content as text. Without a declared character set it is Bytes
	// where those are valid UTF-8, else a guess.
	Text string
	// Corners are the outer corners of the symbol without its quiet zone, in the
	// picture's pixels: top left, top right, bottom right, bottom left as the symbol
	// itself counts them. They may lie outside the picture.
	Corners [4]image.Point
	// Version is 1 … 40; the symbol has 17 + 4·Version modules a side.
	Version int
	// Level of error correction: 'L', 'M', 'Q' or 'H'.
	Level byte
	// Inverted: light modules on a dark ground, as in a phone's dark mode.
	Inverted bool
	// Mirrored: seen as in a mirror.
	Mirrored bool
}

// Options tunes a Decoder. The zero value reads one symbol a picture.
type Options struct {
	// Max is how many symbols of one picture to look for; 0 means 1. Looking for
	// several takes longer where there are none.
	Max int
	// Thorough searches each third row for codes instead of each fifth or so of a large picture.
	Thorough bool
	// DarkOnLight reads no inverted codes, which halves the time a picture without a code takes.
	DarkOnLight bool
}

// Decoder reads symbols. It keeps work buffers and is used by one goroutine at a time.
type Decoder struct {
	opts Options
	zx   *zxing
	tmp  []byte
}

// New makes a Decoder.
func New(o Options) *Decoder {
	if o.Max < 1 {
		o.Max = 1
	}
	return &Decoder{opts: o, zx: newZxing(o)}
}

// maxSide bounds a picture's sides, so that no index overflows.
const maxSide = 1 << 14

// Decode returns the symbols found in g, which it does not change or keep. No
// symbol is an empty slice and a nil error; an error means that g is not a
// picture (its Pix is shorter than its Rect and Stride say, or a side is above
// 16384 pixels) or that the decoder itself failed on it, and is of this picture only.
func (d *Decoder) Decode(g *image.Gray) ([]Symbol, error) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w <= 0 || h <= 0 {
		return nil, nil
	}
	if w > maxSide || h > maxSide {
		return nil, fmt.Errorf("picture of %d×%d pixels is too large, use at most %d a side", w, h, maxSide)
	}
	if g.Stride < w || (h-1)*g.Stride+w > len(g.Pix) {
		return nil, fmt.Errorf("picture of %d×%d pixels has stride %d and only %d bytes", w, h, g.Stride, len(g.Pix))
	}
	luma := g.Pix
	if g.Stride != w {
		luma = d.scratch(w * h)
		for y := range h {
			copy(luma[y*w:(y+1)*w], g.Pix[y*g.Stride:])
		}
	}
	luma = luma[:w*h]
	symbols, err := d.zx.read(luma, w, h)
	if len(symbols) == 0 && err == nil && !d.opts.DarkOnLight {
		inverted := d.scratch(w * h)
		for i, v := range luma {
			inverted[i] = 255 - v
		}
		symbols, err = d.zx.read(inverted, w, h)
		for i := range symbols {
			symbols[i].Inverted = true
		}
	}
	for i := range symbols {
		for k := range symbols[i].Corners {
			symbols[i].Corners[k] = symbols[i].Corners[k].Add(g.Rect.Min)
		}
	}
	return symbols, err
}

func (d *Decoder) scratch(n int) []byte {
	if cap(d.tmp) < n {
		d.tmp = make([]byte, n)
	}
	return d.tmp[:n]
}
