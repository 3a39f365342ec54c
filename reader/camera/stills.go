package camera

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stills plays pictures from files.
type stills struct {
	files  []string
	next   int
	loop   bool
	ticker *time.Ticker // nil: as fast as they are asked for
	closed chan struct{}
	once   sync.Once
}

func isStill(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png", ".jpg", ".jpeg", ".pgm":
		return true
	}
	return false
}

func openStill(path string) (Source, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, classifyFile("picture", err)
	}
	return &stills{files: []string{path}, closed: make(chan struct{})}, nil
}

// openFolder takes PATH or PATH?loop&fps=N. A loop without fps plays 30 a second.
func openFolder(spec string) (Source, error) {
	dir, query, _ := strings.Cut(spec, "?")
	s := &stills{closed: make(chan struct{})}
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("folder options %q: %w: %w", query, err, ErrUnsupported)
	}
	fps := 0
	for key, values := range options {
		switch key {
		case "loop":
			s.loop = true
		case "fps":
			if fps, err = strconv.Atoi(values[0]); err != nil || fps < 1 || fps > 240 {
				return nil, fmt.Errorf("folder option fps is %q, use 1 to 240: %w", values[0], ErrUnsupported)
			}
		default:
			return nil, fmt.Errorf("folder option %q is not known, use loop or fps=N: %w", key, ErrUnsupported)
		}
	}
	if s.loop && fps == 0 {
		fps = 30
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, classifyFile("folder of pictures", err)
	}
	for _, e := range entries { // in name order
		if !e.IsDir() && isStill(e.Name()) {
			s.files = append(s.files, filepath.Join(dir, e.Name()))
		}
	}
	if len(s.files) == 0 {
		return nil, fmt.Errorf("folder %s holds no .png, .jpg or .pgm picture: %w", dir, ErrUnavailable)
	}
	if fps > 0 {
		s.ticker = time.NewTicker(time.Second / time.Duration(fps))
	}
	return s, nil
}

func classifyFile(what string, err error) error {
	if os.IsPermission(err) {
		return fmt.Errorf("%s: %w; let this user read it: %w", what, err, ErrPermission)
	}
	return fmt.Errorf("%s: %w: %w", what, err, ErrUnavailable)
}

// Grab reads the next file; one that is broken is [ErrBadFrame], and the one after it follows.
func (s *stills) Grab(ctx context.Context, dst *image.Gray) error {
	if s.next == len(s.files) {
		if !s.loop {
			return io.EOF
		}
		s.next = 0
	}
	if s.ticker != nil {
		select {
		case <-s.ticker.C:
		case <-s.closed:
			return ErrUnplugged
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	path := s.files[s.next]
	s.next++
	if err := readStill(path, dst); err != nil {
		return fmt.Errorf("picture %s: %w: %w", path, err, ErrBadFrame)
	}
	return nil
}

func (s *stills) Close() error {
	if s.ticker != nil {
		s.ticker.Stop()
	}
	s.once.Do(func() { close(s.closed) })
	return nil
}

// maxFile bounds the bytes read of one picture.
const maxFile = 128 << 20

func readStill(path string, dst *image.Gray) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxFile {
		return fmt.Errorf("more than %d bytes", maxFile)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pgm":
		return decodePGM(data, dst)
	case ".png":
		return decodeStd(data, dst, png.DecodeConfig, png.Decode)
	default:
		return decodeStd(data, dst, jpeg.DecodeConfig, jpeg.Decode)
	}
}

// decodeStd checks the size before it decodes, so that a small file cannot ask for a huge picture.
func decodeStd(data []byte, dst *image.Gray, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) error {
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return err
	}
	img, err := decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	luma(dst, img)
	return nil
}

// luma copies the luma of img into dst; what is transparent becomes white, as paper is.
func luma(dst *image.Gray, img image.Image) {
	b := img.Bounds()
	resize(dst, b.Dx(), b.Dy())
	plane := func(pix []byte, stride, first int) {
		for y := range b.Dy() {
			copy(dst.Pix[y*dst.Stride:][:b.Dx()], pix[first+y*stride:])
		}
	}
	switch m := img.(type) {
	case *image.Gray:
		plane(m.Pix, m.Stride, m.PixOffset(b.Min.X, b.Min.Y))
	case *image.YCbCr:
		plane(m.Y, m.YStride, m.YOffset(b.Min.X, b.Min.Y))
	default:
		draw.Draw(dst, dst.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(dst, dst.Rect, img, b.Min, draw.Over)
	}
}
