package display

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
)

// pngFile is a panel that writes each picture to a file, whole at any moment,
// without the camera's picture and the staff's field.
type pngFile struct {
	path string
	size image.Point
	buf  bytes.Buffer
}

// PNG returns an opener for a panel that is a PNG file of the given size.
func PNG(path string, size image.Point) Opener {
	return func() (Panel, error) {
		if size.X < 64 || size.Y < 64 {
			return nil, fmt.Errorf("display panel png:%s: a size of %v is too small", path, size)
		}
		return &pngFile{path: path, size: size}, nil
	}
}

func (p *pngFile) Show(img *image.RGBA, _ []image.Rectangle) error {
	p.buf.Reset()
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&p.buf, img); err != nil {
		return err
	}
	// Whole at any moment by the rename; no fsync, which a picture that is gone
	// in a moment is not worth.
	next := p.path + ".next"
	if err := os.WriteFile(next, p.buf.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(next, p.path)
}

// Public implements the interface of that name: nobody knows who reads files.
func (p *pngFile) Public() bool { return true }

func (p *pngFile) Size() image.Point { return p.size }
func (p *pngFile) Close() error      { return nil }
func (p *pngFile) String() string    { return "png:" + p.path }
