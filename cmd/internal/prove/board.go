// Package prove is what the proofs of the whole line share: a camera that sees
// a code held flat, the wire between kiosk and registry with its faults and a
// record of what went over it, and a search that finds what must be nowhere.
package prove

import (
	"context"
	"fmt"
	"image"
	"os"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/pass/symbol"
)

// side is the width and height of the board's pictures, module that of one of a
// code's, in pixels: small, so that a busy machine reads many of them.
const side, module = 320, 4

// Picture is a code held flat and still before the camera, or for an empty
// text the empty room.
func Picture(text string) (*image.Gray, error) {
	g := image.NewGray(image.Rect(0, 0, side, side))
	for i := range g.Pix {
		g.Pix[i] = 200
	}
	if text == "" {
		return g, nil
	}
	code, err := symbol.Encode(text)
	if err != nil {
		return nil, err
	}
	edge := (side - module*code.Size) / 2
	for y := range code.Size * module {
		for x := range code.Size * module {
			if code.Black(x/module, y/module) {
				g.Pix[(edge+y)*side+edge+x] = 20
			}
		}
	}
	return g, nil
}

// WritePicture puts the picture of a text where a camera "folder:…?loop" reads
// it next (PGM, netpbm's P5), whole at any moment.
func WritePicture(file, text string) error {
	g, err := Picture(text)
	if err != nil {
		return err
	}
	data := append(fmt.Appendf(nil, "P5\n%d %d\n255\n", side, side), g.Pix...)
	return renameio.WriteFile(file, data, os.FileMode(0o600))
}

// Board is a camera.Source that sees the code last shown.
type Board struct {
	mu  sync.Mutex
	now *image.Gray
}

// NewBoard is a board before an empty room.
func NewBoard() *Board {
	b := &Board{}
	_ = b.Show("") // an empty room can always be drawn
	return b
}

// Show holds up a code, or with an empty text takes it away.
func (b *Board) Show(text string) error {
	g, err := Picture(text)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = g
	return nil
}

// Grab copies the picture, a hundred times a second.
func (b *Board) Grab(ctx context.Context, dst *image.Gray) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Millisecond):
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	dst.Pix = append(dst.Pix[:0], b.now.Pix...)
	dst.Stride, dst.Rect = b.now.Stride, b.now.Rect
	return nil
}

// Close leaves the board to the next dial.
func (b *Board) Close() error { return nil }
