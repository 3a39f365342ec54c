package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/draw"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// picture is one thing to read. draw fills it in when its turn comes.
type picture struct {
	set, group string
	name       string // of a photograph
	truth      truth
	draw       func(*image.Gray)
	gray       *image.Gray
	rendering  *screens.Case // nil for what is not rendered from one
}

// rendered draws the pictures one or two ahead of their reading. The picture
// is valid until the next is asked for.
func rendered(pictures []*picture) iter.Seq[*picture] {
	return func(yield func(*picture) bool) {
		free, ready, stop := make(chan *image.Gray, 2), make(chan *picture), make(chan struct{})
		defer close(stop)
		for range 2 {
			free <- new(image.Gray)
		}
		go func() {
			defer close(ready)
			for _, p := range pictures {
				select {
				case p.gray = <-free:
				case <-stop:
					return
				}
				p.draw(p.gray)
				select {
				case ready <- p:
				case <-stop:
					return
				}
			}
		}()
		for p := range ready {
			if !yield(p) {
				return
			}
			free <- p.gray
			p.gray = nil
		}
	}
}

func casePictures(set string, cases []*screens.Case, every int) (out []*picture) {
	for i, c := range cases {
		if i%every == 0 {
			out = append(out, &picture{set: set, group: c.Set, truth: truth{c.Text}, draw: c.Render, rendering: c})
		}
	}
	return out
}

func blankPictures(seed uint64, every int) (out []*picture) {
	for _, b := range screens.Blanks(seed, max(6, 30/every)) {
		out = append(out, &picture{set: "no code", group: b.Kind, draw: b.Draw})
	}
	return out
}

// photographs lists the PNG files in the folders of dir, each four times, a
// quarter turn apart. NAME.txt (UTF-8, else Latin-1) or NAME.bin says what one
// holds; nothing may be read in a folder without such files.
func photographs(dir string, every int) (out []*picture, err error) {
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, f.Name(), "*.png"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			truth, err := expected(strings.TrimSuffix(file, ".png"))
			if err != nil {
				return nil, err
			}
			set := "photographs"
			if truth == nil {
				set = "photographs without a code"
			}
			if n++; n%every != 0 {
				continue
			}
			upright, err := load(file)
			if err != nil {
				return nil, err
			}
			if truth == nil { // the worst that there is, as large as a camera sees it
				for _, size := range [][2]int{{1280, 720}, {1920, 1080}} {
					out = append(out, &picture{set: "enlarged without a code", group: fmt.Sprintf("%d×%d", size[0], size[1]), draw: func(g *image.Gray) { enlarge(g, upright, size[0], size[1]) }})
				}
			}
			for turn := range 4 {
				out = append(out, &picture{set: set, group: f.Name(), name: filepath.Join(f.Name(), filepath.Base(file)), truth: truth, draw: func(g *image.Gray) { quarter(g, upright, turn) }})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no folder in %s holds PNG pictures", dir)
	}
	return out, nil
}

func expected(base string) (truth, error) {
	for _, ext := range []string{".txt", ".bin"} {
		b, err := os.ReadFile(base + ext)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case ext == ".txt" && !utf8.Valid(b):
			var s strings.Builder
			for _, c := range b {
				s.WriteRune(rune(c))
			}
			return truth{s.String(), string(b)}, nil
		}
		return truth{string(b)}, nil
	}
	return nil, nil
}

func load(file string) (*image.Gray, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	b := img.Bounds()
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := img.At(b.Min.X+x, b.Min.Y+y)
			luma := uint32(color.Gray16Model.Convert(c).(color.Gray16).Y)
			_, _, _, alpha := c.RGBA()
			g.Pix[y*g.Stride+x] = uint8((luma + 0xffff - alpha) >> 8) // on white paper
		}
	}
	return g, nil
}

// enlarge draws src into dst at w×h, between the pixels linearly.
func enlarge(dst, src *image.Gray, w, h int) {
	if cap(dst.Pix) < w*h {
		dst.Pix = make([]uint8, w*h)
	}
	dst.Pix, dst.Stride, dst.Rect = dst.Pix[:w*h], w, image.Rect(0, 0, w, h)
	draw.BiLinear.Scale(dst, dst.Rect, src, src.Rect, draw.Src, nil)
}

// quarter turns src clockwise by turns × 90° into dst.
func quarter(dst, src *image.Gray, turns int) {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	dw, dh := w, h
	if turns%2 == 1 {
		dw, dh = h, w
	}
	if cap(dst.Pix) < dw*dh {
		dst.Pix = make([]uint8, dw*dh)
	}
	dst.Pix, dst.Stride, dst.Rect = dst.Pix[:dw*dh], dw, image.Rect(0, 0, dw, dh)
	for y := range h {
		for x := range w {
			u, v := x, y
			switch turns % 4 {
			case 1:
				u, v = h-1-y, x
			case 2:
				u, v = w-1-x, h-1-y
			case 3:
				u, v = y, w-1-x
			}
			dst.Pix[v*dw+u] = src.Pix[y*src.Stride+x]
		}
	}
}
