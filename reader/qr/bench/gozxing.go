package main

import (
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// gozxingDefaults is gozxing as its users have it: no hints, and the picture's own bytes as luma.
func gozxingDefaults() decode {
	return func(g *image.Gray, _ place) (out []symbol) {
		defer func() {
			if recover() != nil { // it indexes pictures without checks in places
				out = nil
			}
		}()
		src := &luma{gozxing.LuminanceSourceBase{Width: g.Rect.Dx(), Height: g.Rect.Dy()}, g.Pix}
		bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(src))
		if err != nil {
			return nil
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil {
			return nil
		}
		return []symbol{{result.GetText(), []byte(result.GetText())}}
	}
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
