package display

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

var layouts = []image.Point{{800, 480}, {1024, 600}, {1280, 720}, {480, 800}}

// scenery is a state of each scene as it would be seen.
func scenery() []State {
	var states []State
	for _, s := range Scenes() {
		st := State{Scene: s, Status: Status{
			Camera: OK, Network: OK, Clock: OK, Sound: OK, Queue: OK, Keys: OK, KeysAge: 5 * time.Hour,
		}}
		if s == Used || s == PolicyOff || s == Wait {
			st.Status.Network, st.Status.Queue, st.Status.Waiting = Warn, Warn, 128
			st.Status.Keys, st.Status.KeysAge = Warn, 100*time.Hour
		}
		switch s {
		case Idle, Unenrolled:
			st.Camera = testPicture()
		case EnrolConfirm:
			st.Registry, st.Words = "질병관리청 전자출입명부", "바다 거울 나무 호수 연필 구름"
		case Accepted:
			st.Staff, st.StaffOpen = &Staff{Complete: true, TwoWeeksOn: true, Doses: 2}, true
		case NotYetValid:
			st.Seconds = 40
		case Clock:
			st.Status.Clock = Bad
		case OutOfOrder:
			st.Status.Camera, st.Status.Sound = Bad, Bad
		case EnrolUnreachable:
			st.Status.Network, st.Status.Disk = Warn, Bad
		}
		states = append(states, st)
	}
	return states
}

// testPicture is a small camera picture that shows whether it was mirrored: a
// gradient with a bright square on its left.
func testPicture() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			img.Pix[y*img.Stride+x] = uint8(40 + x/8*16)
			if x >= 4 && x < 16 && y >= 8 && y < 20 {
				img.Pix[y*img.Stride+x] = 240
			}
		}
	}
	return img
}

func TestGolden(t *testing.T) {
	p, err := NewPainter(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range layouts {
		for _, s := range scenery() {
			name := fmt.Sprintf("%dx%d-%s.png", size.X, size.Y, s.Scene)
			t.Run(name, func(t *testing.T) {
				img := image.NewRGBA(image.Rectangle{Max: size})
				p.Draw(img, s)
				golden(t, filepath.Join("testdata", name), img)
			})
		}
	}
}

func golden(t *testing.T, file string, img *image.RGBA) {
	t.Helper()
	if *update {
		var buf bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestCompression}
		if err := enc.Encode(&buf, small(img)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatalf("%v (make it with: go test ./display -update)", err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != img.Rect {
		t.Fatalf("size is %v, want %v", img.Rect, want.Bounds())
	}
	have := image.NewRGBA(img.Rect)
	draw.Draw(have, have.Rect, want, image.Point{}, draw.Src)
	for i, v := range have.Pix {
		if abs(int(v)-int(img.Pix[i])) > 9 { // half a step of the golden file, and one
			x, y := i/4%img.Rect.Dx(), i/4/img.Rect.Dx()
			t.Fatalf("pixel %d,%d is %v, want %v", x, y, img.At(x, y), have.At(x, y))
		}
	}
}

// small rounds the colours to 4 bits a channel: the edges of the letters then
// cost little in a file, and another machine's floating point may round them
// otherwise by one.
func small(img *image.RGBA) image.Image {
	out := image.NewPaletted(img.Rect, nil)
	index := map[color.RGBA]uint8{}
	round := func(v uint8) uint8 { return uint8((int(v) + 8) / 17 * 17) }
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.RGBAAt(x, y)
			c = color.RGBA{round(c.R), round(c.G), round(c.B), 255}
			n, ok := index[c]
			if !ok {
				if len(index) == 256 {
					return img
				}
				n = uint8(len(index))
				index[c] = n
				out.Palette = append(out.Palette, c)
			}
			out.SetColorIndex(x, y, n)
		}
	}
	return out
}

// TestDrawIsPure: what was drawn before, with the same Painter or into the
// same picture, must not shine through.
func TestDrawIsPure(t *testing.T) {
	used, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for _, s := range scenery() {
		used.Draw(img, s)
		fresh, _ := NewPainter(Options{})
		want := image.NewRGBA(img.Rect)
		fresh.Draw(want, s)
		if !bytes.Equal(img.Pix, want.Pix) {
			t.Errorf("%s: the picture depends on what was drawn before", s.Scene)
		}
	}
}

func TestContrast(t *testing.T) {
	pal := newPalette()
	check := func(name string, tn tone) {
		if c := contrast(tn.back, tn.ink); c < 4.5 {
			t.Errorf("%s: contrast %.1f:1, want at least 4.5:1", name, c)
		}
	}
	check("strip", pal.strip)
	for _, s := range Scenes() {
		tn, _ := pal.look(s)
		check(string(s), tn)
	}
}

// contrast is WCAG 2.2's ratio.
func contrast(a, b *image.Uniform) float64 {
	lum := func(u *image.Uniform) float64 {
		r, g, b, _ := u.C.RGBA()
		lin := func(v uint32) float64 {
			c := float64(v) / 0xFFFF
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(r) + 0.7152*lin(g) + 0.0722*lin(b)
	}
	x, y := lum(a), lum(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestEveryTextFits: no line is wider than its place, nothing is cut off, in
// every layout and on a very small panel.
func TestEveryTextFits(t *testing.T) {
	p, _ := NewPainter(Options{})
	for _, size := range append(layouts, image.Pt(320, 240), image.Pt(240, 320), image.Pt(1920, 1080)) {
		_, words := split(image.Rectangle{Max: size}, true)
		for _, s := range Scenes() {
			key := blockKey{scene: s, seconds: 86400, size: words.Size()}
			if s == EnrolConfirm {
				key.registry, key.words = strings.Repeat("긴이름 ", 10)+"name", "바다 거울 나무 호수 연필 구름"
			}
			b := p.layout(key)
			if b.height > words.Dy() {
				t.Errorf("%v %s: %d pixels high, %d are there", size, s, b.height, words.Dy())
			}
			for _, l := range b.lines {
				if l.width > words.Dx() {
					t.Errorf("%v %s: %q is %d wide, %d are there", size, s, l.text, l.width, words.Dx())
				}
			}
		}
	}
}

// TestEveryLetterExists: the font has every letter of every text.
func TestEveryLetterExists(t *testing.T) {
	f, err := newTypeface()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"ko", "en"} {
		data, err := textFiles.ReadFile("texts/" + lang + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(data) + "·" {
			if i, err := f.font.GlyphIndex(nil, r); r != '\n' && (err != nil || i == 0) {
				t.Errorf("%s: no glyph for %q", lang, r)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	if _, err := NewPainter(Options{Langs: []string{"xx"}}); err == nil {
		t.Error("a language without texts was taken")
	}
	p, err := NewPainter(Options{Langs: []string{"en"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Words(State{Scene: Used}), "This QR code has been used already. Please renew your QR code."; got != want {
		t.Errorf("words are %q, want %q", got, want)
	}
}

// TestCameraIsMirrored: the bright square on the picture's left is on the
// screen's right of the picture's middle.
func TestCameraIsMirrored(t *testing.T) {
	p, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	p.camera(img, img.Rect, testPicture())
	if left, right := img.RGBAAt(10, 14).R, img.RGBAAt(53, 14).R; right != 240 || left == 240 {
		t.Errorf("left %d, right %d: not mirrored", left, right)
	}
}

func TestIdleDoesNotAllocate(t *testing.T) {
	p, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rect(0, 0, 1024, 600))
	s := scenery()[0]
	p.Draw(img, s)
	if n := testing.AllocsPerRun(5, func() { p.Draw(img, s) }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkDraw(b *testing.B) {
	p, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rect(0, 0, 1024, 600))
	camera := image.NewGray(image.Rect(0, 0, 1280, 720))
	for _, s := range scenery() {
		if s.Scene == Idle {
			s.Camera = camera
		} else if s.Scene != Accepted {
			continue
		}
		b.Run(string(s.Scene), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Draw(img, s)
			}
		})
	}
}
