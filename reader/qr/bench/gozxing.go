package main

import (
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// gozxingDefaults is gozxing as its users have it: no hints, and the picture's own bytes as luma.
type gozxingDefaults struct{ result *gozxing.Result }

func (z *gozxingDefaults) read(g *image.Gray, _ place) {
	z.result = nil
	defer func() { _ = recover() }() // it indexes pictures without checks in places
	src := &luma{gozxing.LuminanceSourceBase{Width: g.Rect.Dx(), Height: g.Rect.Dy()}, g.Pix}
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(src))
	if err != nil {
		return
	}
	z.result, _ = qrcode.NewQRCodeReader().Decode(bitmap, nil) // an error says that there is no code
}

func (z *gozxingDefaults) symbols() []symbol {
	if z.result == nil {
		return nil
	}
	return []symbol{{z.result.GetText(), []byte(z.result.GetText())}}
}

// luma lends a picture's bytes to gozxing.
type luma struct {
	gozxing.LuminanceSourceBase
	pix []byte
}

func (l *luma) GetRow(y int, row []byte) ([]byte, error) {
	if y < 0 || y >= l.Height {
		return row, fmt.Errorf("row %d is outside the picture", y)
	}
	return append(row[:0], l.pix[y*l.Width:(y+1)*l.Width]...), nil
}

func (l *luma) GetMatrix() []byte               { return l.pix }
func (l *luma) Invert() gozxing.LuminanceSource { return gozxing.LuminanceSourceInvert(l) }
func (l *luma) String() string                  { return gozxing.LuminanceSourceString(l) }
