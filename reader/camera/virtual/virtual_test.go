package virtual_test

import (
	"context"
	"errors"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"rsc.io/qr"
)

var update = flag.Bool("update", false, "write the golden files anew")

var _ camera.Source = (*virtual.Phone)(nil)

func code(t testing.TB) *qr.Code {
	t.Helper()
	c, err := qr.Encode("MJ1:THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789 THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789 THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 01234567", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func grab(t testing.TB, p *virtual.Phone, dst *image.Gray, n int) {
	t.Helper()
	for range n {
		if err := p.Grab(t.Context(), dst); err != nil {
			t.Fatal(err)
		}
	}
}

// play is one visit: an empty room, a phone that comes, stays and goes.
func play(t testing.TB, seed uint64) []*image.Gray {
	p := virtual.New(virtual.Options{Seed: seed, Size: image.Pt(640, 360), Unpaced: true})
	defer p.Close()
	var out []*image.Gray
	take := func(n int) {
		g := new(image.Gray)
		grab(t, p, g, n)
		out = append(out, g)
	}
	take(3)
	p.Present(code(t))
	take(11)
	take(30)
	p.Leave()
	take(8)
	take(30)
	return out
}

func TestSameSeedSameFrames(t *testing.T) {
	a, b, c := play(t, 1), play(t, 1), play(t, 2)
	for i := range a {
		if string(a[i].Pix) != string(b[i].Pix) {
			t.Errorf("picture %d differs between two runs of one seed", i)
		}
		if string(a[i].Pix) == string(c[i].Pix) {
			t.Errorf("picture %d is the same for two seeds", i)
		}
	}
}

// TestGolden compares with a small tolerance: another architecture may round floats differently.
func TestGolden(t *testing.T) {
	pictures := play(t, 7)
	for i, name := range []string{"empty", "coming", "held", "leaving", "gone"} {
		got := pictures[i]
		path := filepath.Join("testdata", name+".png")
		if *update {
			write(t, path, got)
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := img.(*image.Gray)
		if got.Rect != want.Rect {
			t.Fatalf("%s: size %v, want %v", name, got.Rect, want.Rect)
		}
		sum := 0
		for k, v := range want.Pix {
			sum += max(int(v)-int(got.Pix[k]), int(got.Pix[k])-int(v))
		}
		if mean := float64(sum) / float64(len(want.Pix)); mean > 0.1 {
			t.Errorf("%s: differs by %.2f levels on average; look at it, then run go test -update", name, mean)
		}
	}
}

func write(t *testing.T, path string, g *image.Gray) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, g), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestComesAndGoes(t *testing.T) {
	p := virtual.New(virtual.Options{Seed: 3, Unpaced: true})
	bright := func(g *image.Gray) (n int) {
		for _, v := range g.Pix {
			if v > 190 {
				n++
			}
		}
		return n
	}
	g := new(image.Gray)
	grab(t, p, g, 1)
	if !p.Away() {
		t.Error("the phone is there before Present")
	}
	empty := bright(g)
	p.Present(code(t))
	grab(t, p, g, 40)
	if p.Away() {
		t.Error("the phone is away after Present")
	}
	if n := bright(g); n < empty+40_000 {
		t.Errorf("%d bright pixels with the phone held, %d without", n, empty)
	}
	p.Leave()
	grab(t, p, g, 40)
	if !p.Away() {
		t.Error("the phone is still there after Leave")
	}
	if n := bright(g); n > empty+100 {
		t.Errorf("%d bright pixels after the phone left, %d before it came", n, empty)
	}
}

func TestPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.New(virtual.Options{Size: image.Pt(64, 36), FPS: 25})
		start := time.Now()
		grab(t, p, new(image.Gray), 50)
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("50 frames at 25 per second took %v", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Grab(ctx, new(image.Gray)); !errors.Is(err, context.Canceled) {
			t.Errorf("Grab after cancel: %v", err)
		}
		p.Close()
		p.Close()
		if err := p.Grab(t.Context(), new(image.Gray)); !errors.Is(err, virtual.ErrClosed) {
			t.Errorf("Grab after Close: %v", err)
		}
	})
}

// TestAnyPose holds the phone where no hand would: nothing may panic.
func TestAnyPose(t *testing.T) {
	look := virtual.DefaultLook()
	look.Glare, look.Blur = 0.3, 3.5
	for _, size := range []image.Point{{1, 1}, {7, 5}, {320, 240}} {
		s := virtual.NewScene(1, size, look)
		screen := s.NewScreen(code(t))
		g := new(image.Gray)
		for _, scale := range []float64{0.05, 0.7, 4, 40} {
			for _, x := range []float64{-5000, -100, 0, 160, 5000} {
				for _, tilt := range []float64{-80, 0, 45, 89} {
					s.Render(g, screen, virtual.Pose{X: x, Y: x / 2, Scale: scale, Roll: 3 * tilt, TiltX: tilt, TiltY: -tilt, Motion: [2]float64{40, -25}}, 9)
				}
			}
		}
	}
}

func BenchmarkHeld720p(b *testing.B) {
	p := virtual.New(virtual.Options{Seed: 1, Unpaced: true})
	p.Present(code(b))
	g := new(image.Gray)
	grab(b, p, g, 40)
	b.ReportAllocs()
	for b.Loop() {
		grab(b, p, g, 1)
	}
}

func BenchmarkEmpty720p(b *testing.B) {
	p := virtual.New(virtual.Options{Seed: 1, Unpaced: true})
	g := new(image.Gray)
	b.ReportAllocs()
	for b.Loop() {
		grab(b, p, g, 1)
	}
}

func BenchmarkPresent(b *testing.B) {
	p := virtual.New(virtual.Options{Seed: 1, Unpaced: true})
	c := code(b)
	for b.Loop() {
		p.Present(c)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		virtual.New(virtual.Options{Seed: 1})
	}
}
