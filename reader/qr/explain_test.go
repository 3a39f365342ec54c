package qr_test

import (
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/munjigi/munjigi/reader/qr"
	gen "rsc.io/qr"
	"rsc.io/qr/coding"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestExplain holds what each step sees to golden pictures; arithmetic that
// differs between processors in the last bit may move a few pixels.
func TestExplain(t *testing.T) {
	g := noisy(draw(encode(t, 3, gen.M, coding.Alpha("EXPLAIN THIS")), 4, 17, false, false), 6, 1)
	pictures, err := qr.Explain(g)
	if err != nil {
		t.Fatal(err)
	}
	if len(pictures) != 5 {
		t.Fatalf("%d pictures, want one for each of 5 steps", len(pictures))
	}
	for _, p := range pictures {
		name := filepath.Join("testdata", "explain-"+p.Name+".png")
		if *update {
			write(t, name, p.Picture)
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want.Bounds() != p.Picture.Bounds() {
			t.Errorf("%s: %v, want %v", p.Name, p.Picture.Bounds(), want.Bounds())
			continue
		}
		off := 0
		b := want.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				if apart(want.At(x, y), p.Picture.At(x, y)) {
					off++
				}
			}
		}
		if off > b.Dx()*b.Dy()/100 {
			t.Errorf("%s: %d pixels differ from %s", p.Name, off, name)
		}
	}
	empty, err := qr.Explain(image.NewGray(image.Rect(0, 0, 100, 80)))
	if err != nil || len(empty) != 2 {
		t.Errorf("an empty picture gives %d pictures, error %v; want what two steps see", len(empty), err)
	}
	if none, err := qr.Explain(image.NewGray(image.Rect(0, 0, 3, 3))); err != nil || len(none) != 0 {
		t.Errorf("a picture too small gives %d pictures, error %v", len(none), err)
	}
}

func apart(a, b color.Color) bool {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	const most = 8 << 8
	far := func(a, b uint32) bool { return a > b+most || b > a+most }
	return far(r1, r2) || far(g1, g2) || far(b1, b2)
}

func write(t *testing.T, name string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}
