package display

import (
	"image"
	"image/color"
	"path/filepath"
	"testing"
)

// TestSurface: each pixel lands where the rotation puts it, in the device's
// format, and the bytes beyond each line are left alone.
func TestSurface(t *testing.T) {
	encode := map[pixelFormat]func(c color.RGBA) []byte{
		rgb565: func(c color.RGBA) []byte {
			v := uint16(c.R)>>3<<11 | uint16(c.G)>>2<<5 | uint16(c.B)>>3
			return []byte{byte(v), byte(v >> 8)}
		},
		xrgb8888: func(c color.RGBA) []byte { return []byte{c.B, c.G, c.R, 255} },
		xbgr8888: func(c color.RGBA) []byte { return []byte{c.R, c.G, c.B, 255} },
	}
	const w, h = 5, 3
	for format, enc := range encode {
		for _, rotate := range []int{0, 90, 180, 270} {
			s := &surface{width: w, height: h, stride: w*format.bytes() + 6, format: format, rotate: rotate}
			s.mem = make([]byte, s.stride*h)
			for i := range s.mem {
				s.mem[i] = 0xA5
			}
			if err := s.check(); err != nil {
				t.Fatal(err)
			}
			img := image.NewRGBA(image.Rectangle{Max: s.size()})
			for y := range s.size().Y {
				for x := range s.size().X {
					img.SetRGBA(x, y, color.RGBA{uint8(40 * x), uint8(60 * y), uint8(200 - 30*x), 255})
				}
			}
			if n := s.copy(img, img.Rect); n != w*h*format.bytes() {
				t.Errorf("format %d rotate %d: %d bytes were written, the picture has %d", format, rotate, n, w*h*format.bytes())
			}
			for y := range s.size().Y {
				for x := range s.size().X {
					dx, dy := x, y // where it must be: the picture turned clockwise
					switch rotate {
					case 90:
						dx, dy = w-1-y, x
					case 180:
						dx, dy = w-1-x, h-1-y
					case 270:
						dx, dy = y, h-1-x
					}
					want := enc(img.RGBAAt(x, y))
					got := s.mem[dy*s.stride+dx*format.bytes():][:format.bytes()]
					if string(got) != string(want) {
						t.Fatalf("format %d rotate %d: pixel %d,%d is %x on the device, want %x", format, rotate, x, y, got, want)
					}
				}
			}
			for y := range h {
				for _, b := range s.mem[y*s.stride+w*format.bytes() : (y+1)*s.stride] {
					if b != 0xA5 {
						t.Fatalf("format %d rotate %d: wrote beyond line %d", format, rotate, y)
					}
				}
			}
		}
	}
}

// TestSurfaceParts: a part of the picture changes its own pixels on the device
// and no other, however the screen is turned.
func TestSurfaceParts(t *testing.T) {
	const w, h = 7, 5
	for _, rotate := range []int{0, 90, 180, 270} {
		s := &surface{width: w, height: h, stride: w * 4, format: xbgr8888, rotate: rotate, mem: make([]byte, w*h*4)}
		img := image.NewRGBA(image.Rectangle{Max: s.size()})
		whole := *s
		for i := range img.Pix {
			img.Pix[i] = uint8(i + 1)
		}
		part := image.Rect(1, 2, 4, 4)
		if n := s.copy(img, part); n != part.Dx()*part.Dy()*4 {
			t.Errorf("rotate %d: %d bytes for %v", rotate, n, part)
		}
		whole.mem = make([]byte, w*h*4)
		whole.copy(img, img.Rect)
		device := s.onDevice(part)
		for y := range h {
			for x := range w {
				at := (y*w + x) * 4
				want := []byte{0, 0, 0, 0}
				if image.Pt(x, y).In(device) {
					want = whole.mem[at : at+4]
				}
				if string(s.mem[at:at+4]) != string(want) {
					t.Fatalf("rotate %d: pixel %d,%d of the device is %x, want %x", rotate, x, y, s.mem[at:at+4], want)
				}
			}
		}
		if s.copy(img, image.Rect(-5, -5, 99, 99)) != w*h*4 || s.copy(img, image.Rectangle{}) != 0 {
			t.Errorf("rotate %d: a part beyond the picture is not cut off", rotate)
		}
	}
}

func TestSurfaceIsChecked(t *testing.T) {
	good := surface{mem: make([]byte, 64), width: 4, height: 4, stride: 16, format: xrgb8888}
	for name, change := range map[string]func(*surface){
		"rotation":     func(s *surface) { s.rotate = 45 },
		"negative":     func(s *surface) { s.rotate = -90 },
		"short memory": func(s *surface) { s.mem = s.mem[:60] },
		"short line":   func(s *surface) { s.stride = 12 },
		"no size":      func(s *surface) { s.width = 0 },
	} {
		s := good
		if change(&s); s.check() == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}

func TestFormat(t *testing.T) {
	b := func(o, l uint32) bitfield { return bitfield{o, l} }
	if f, err := formatOf(16, b(11, 5), b(5, 6), b(0, 5)); err != nil || f != rgb565 {
		t.Error(f, err)
	}
	if f, err := formatOf(32, b(16, 8), b(8, 8), b(0, 8)); err != nil || f != xrgb8888 {
		t.Error(f, err)
	}
	if _, err := formatOf(8, b(0, 8), b(0, 8), b(0, 8)); err == nil {
		t.Error("8 bits a pixel were taken")
	}
}

func TestFramebufferMissing(t *testing.T) {
	if _, err := Framebuffer(filepath.Join(t.TempDir(), "fb9"), 0)(); err == nil {
		t.Error("a framebuffer that is not there was opened")
	}
	if _, err := Framebuffer("/dev/null", 0)(); err == nil {
		t.Error("/dev/null was taken for a framebuffer")
	}
}

func BenchmarkSurface(b *testing.B) {
	for _, f := range []pixelFormat{rgb565, xrgb8888} {
		for _, rotate := range []int{0, 90} {
			s := &surface{width: 1024, height: 600, stride: 1024 * f.bytes(), format: f, rotate: rotate}
			s.mem = make([]byte, s.stride*s.height)
			img := image.NewRGBA(image.Rectangle{Max: s.size()})
			b.Run(map[pixelFormat]string{rgb565: "rgb565", xrgb8888: "xrgb8888"}[f]+map[int]string{0: "", 90: "-turned"}[rotate], func(b *testing.B) {
				for b.Loop() {
					s.copy(img, img.Rect)
				}
			})
		}
	}
}
