package camera

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ramp is a w×h picture whose luma differs from pixel to pixel.
func ramp(w, h int) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = byte(i * 7)
	}
	return g
}

func save(t testing.TB, path string, encode func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(encode(f), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T) string {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "a.png"), func(w io.Writer) error { return png.Encode(w, ramp(5, 3)) })
	save(t, filepath.Join(dir, "b.JPG"), func(w io.Writer) error { return jpeg.Encode(w, ramp(16, 8), nil) })
	save(t, filepath.Join(dir, "c.pgm"), func(w io.Writer) error { _, err := io.WriteString(w, "P2 2 1 3 0 3\n"); return err })
	save(t, filepath.Join(dir, "d.png"), func(w io.Writer) error { _, err := io.WriteString(w, "no picture"); return err })
	save(t, filepath.Join(dir, "e.png"), func(w io.Writer) error { // transparent black is white, as paper
		return png.Encode(w, &image.NRGBA{Pix: []byte{0, 0, 0, 0, 0, 0, 0, 255}, Stride: 8, Rect: image.Rect(0, 0, 2, 1)})
	})
	save(t, filepath.Join(dir, "notes.txt"), func(w io.Writer) error { return nil })
	return dir
}

func TestFolderPlaysOnce(t *testing.T) {
	s, err := Open(t.Context(), Config{Source: "folder:" + folder(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := &image.Gray{Pix: make([]byte, 0, 1000)}
	memory := &g.Pix[:1][0]
	for _, want := range []image.Point{{5, 3}, {16, 8}, {2, 1}, {}, {2, 1}} {
		err := s.Grab(t.Context(), g)
		if want == (image.Point{}) {
			if !errors.Is(err, ErrBadFrame) || !strings.Contains(err.Error(), "d.png") {
				t.Errorf("broken file: %v", err)
			}
			continue
		}
		if err != nil || g.Rect.Size() != want || g.Stride != want.X || &g.Pix[0] != memory {
			t.Errorf("picture of %v with stride %d, error %v; want %v in the memory given", g.Rect, g.Stride, err, want)
		}
	}
	if g.Pix[0] != 255 || g.Pix[1] != 0 {
		t.Errorf("transparent and black became %v", g.Pix)
	}
	if err := s.Grab(t.Context(), g); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}

func TestFolderLoopsPaced(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "a.png"), func(w io.Writer) error { return png.Encode(w, ramp(3, 3)) })
	s, err := Open(t.Context(), Config{Source: "folder:" + dir + "?loop&fps=200"})
	if err != nil {
		t.Fatal(err)
	}
	g := new(image.Gray)
	for range 5 {
		if err := s.Grab(t.Context(), g); err != nil || !bytes.Equal(g.Pix, ramp(3, 3).Pix) {
			t.Fatalf("%v, error %v", g.Pix, err)
		}
	}
	s.Close()
	s.Close()
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		config Config
		class  error
		says   string
	}{
		{Config{}, ErrUnsupported, "/dev/video0"},
		{Config{Source: "tape:1"}, ErrUnsupported, "folder:PATH"},
		{Config{Source: "a.png", Width: 9000, Height: 10}, ErrUnsupported, "size"},
		{Config{Source: "a.png", FPS: 1000}, ErrUnsupported, "fps"},
		{Config{Source: filepath.Join(dir, "none.png")}, ErrUnavailable, "none.png"},
		{Config{Source: "folder:" + dir}, ErrUnavailable, "holds no"},
		{Config{Source: "folder:" + dir + "?speed=3"}, ErrUnsupported, "loop or fps"},
		{Config{Source: "folder:" + dir + "?fps=x"}, ErrUnsupported, "1 to 240"},
		{Config{Source: "/dev/video-that-is-not"}, ErrUnavailable, "plugged in"},
		{Config{Source: "/dev/null"}, ErrUnsupported, "not a camera"},
		{Config{Source: "rpicam:no-such-program-here"}, ErrUnsupported, "install rpicam-apps"},
	} {
		_, err := Open(t.Context(), tt.config)
		if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.config, err)
		}
	}
	if err := classify("/dev/video0", os.ErrPermission); !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "group video") {
		t.Errorf("permission: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Config{Source: "a.png"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPGM(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       []byte
		says       string
	}{
		{"raw", "P5\n3 2\n255\n\x00\x01\x02\xfd\xfe\xff", []byte{0, 1, 2, 253, 254, 255}, ""},
		{"comments", "P5 # made by hand\n3# wide\n 1\n#top\n255 abc", []byte("abc"), ""},
		{"scaled", "P5 3 1 15 \x00\x07\x0f", []byte{0, 119, 255}, ""},
		{"plain", "P2\n2 2\n9\n0 9\n9 0\n", []byte{0, 255, 255, 0}, ""},
		{"picture begins with what looks like white space", "P5 2 1 255 \n ", []byte("\n "), ""},
		{"above maximum", "P5 1 1 15 \x10", nil, "above the maximum"},
		{"plain above maximum", "P2 1 1 15 16", nil, "above the maximum"},
		{"short", "P5 3 2 255 abc", nil, "3 bytes of picture, want 6"},
		{"long", "P5 1 1 255 ab", nil, "2 bytes of picture, want 1"},
		{"plain left over", "P2 1 1 255 1 x", nil, "left over"},
		{"plain short", "P2 2 2 255 1 2 3", nil, "cut off"},
		{"16 bits", "P5 1 1 65535 ab", nil, "use 1 to 255"},
		{"huge", "P5 99999 99999 255 a", nil, "outside"},
		{"no size", "P5", nil, "no number"},
		{"negative", "P5 -1 1 255 a", nil, "no number"},
		{"very long number", "P5 0000001 1 255 a", nil, "no number"},
		{"header cut off", "P5 1 1 255", nil, "white space"},
		{"colour", "P6 1 1 255 abc", nil, "not a PGM"},
		{"empty", "", nil, "not a PGM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := new(image.Gray)
			err := decodePGM([]byte(tt.file), g)
			if tt.says == "" && (err != nil || !bytes.Equal(g.Pix, tt.want)) {
				t.Errorf("%v, error %v; want %v", g.Pix, err, tt.want)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v, want one with %q", err, tt.says)
			}
		})
	}
}

func FuzzPGM(f *testing.F) {
	for _, s := range []string{"P5\n3 2\n255\n\x00\x01\x02\xfd\xfe\xff", "P2\n2 2\n9\n0 9\n9 0\n", "P5 #x\n8192 8192 255 ", "P2 1 1 1 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := new(image.Gray)
		if decodePGM(data, g) != nil {
			return
		}
		if n := g.Rect.Dx() * g.Rect.Dy(); n != len(g.Pix) || n > len(data) || g.Stride != g.Rect.Dx() {
			t.Errorf("%v with %d bytes out of a file of %d", g.Rect, len(g.Pix), len(data))
		}
	})
}

func TestLumaOfColours(t *testing.T) {
	m := image.NewRGBA(image.Rect(4, 4, 6, 5))
	m.Set(4, 4, color.RGBA{255, 255, 255, 255})
	m.Set(5, 4, color.RGBA{255, 0, 0, 255})
	g := new(image.Gray)
	luma(g, m)
	if g.Pix[0] != 255 || g.Pix[1] != 76 {
		t.Errorf("white and red have luma %v, want 255 and 76", g.Pix)
	}
}
