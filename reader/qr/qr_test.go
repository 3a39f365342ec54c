package qr_test

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/munjigi/munjigi/reader/qr"
	gen "rsc.io/qr"
	"rsc.io/qr/coding"
)

// encode makes a symbol of exactly the version, level and segments given.
func encode(t testing.TB, v int, l gen.Level, segments ...coding.Encoding) *gen.Code {
	t.Helper()
	plan, err := coding.NewPlan(coding.Version(v), coding.Level(l), coding.Mask(v%8))
	if err != nil {
		t.Fatal(err)
	}
	c, err := plan.Encode(segments...)
	if err != nil {
		t.Fatal(err)
	}
	return &gen.Code{Bitmap: c.Bitmap, Size: c.Size, Stride: c.Stride, Scale: 1}
}

// draw shows c turned by degrees, scale pixels per module, on a picture with a quiet zone of 4 modules.
func draw(c *gen.Code, scale, degrees float64, inverted, mirrored bool) *image.Gray {
	side := int(math.Ceil(float64(c.Size+8) * scale * 1.4143))
	g := image.NewGray(image.Rect(0, 0, side, side))
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	at := func(x, y float64) float64 { // 4×4 samples a pixel
		x, y = x-float64(side)/2, y-float64(side)/2
		u := (cos*x+sin*y)/scale + float64(c.Size)/2
		v := (-sin*x+cos*y)/scale + float64(c.Size)/2
		if mirrored {
			u = float64(c.Size) - u
		}
		if c.Black(int(math.Floor(u)), int(math.Floor(v))) != inverted {
			return 30
		}
		return 220
	}
	for y := range side {
		for x := range side {
			sum := 0.0
			for k := range 16 {
				sum += at(float64(x)+(float64(k%4)+0.5)/4, float64(y)+(float64(k/4)+0.5)/4)
			}
			g.Pix[y*g.Stride+x] = uint8(sum / 16)
		}
	}
	return g
}

const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// fill is an alphanumeric text that leaves little room in a symbol of version v.
func fill(rng *rand.Rand, v int, l gen.Level) string {
	n := 1
	for coding.Alpha(strings.Repeat("A", n+1)).Bits(coding.Version(v)) <= coding.Version(v).DataBytes(coding.Level(l))*8 {
		n++
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = alnum[rng.IntN(len(alnum))]
	}
	return string(b)
}

// unhurried is a budget under which no test depends on how fast the machine is.
const unhurried = time.Minute

func one(t *testing.T, d *qr.Decoder, g *image.Gray) qr.Symbol {
	t.Helper()
	got, err := d.Decode(g)
	if err != nil || len(got) != 1 {
		t.Fatalf("Decode: %d symbols, error %v; want one", len(got), err)
	}
	return got[0]
}

func TestVersionsLevelsRotations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := qr.New(qr.Options{Budget: unhurried})
	for v := 1; v <= 15; v++ {
		for l, name := range "LMQH" {
			text := fill(rng, v, gen.Level(l))
			c := encode(t, v, gen.Level(l), coding.Alpha(text))
			for _, degrees := range []float64{0, 90, 180, 270, 20} {
				t.Run(fmt.Sprintf("%d-%c turned %v", v, name, degrees), func(t *testing.T) {
					s := one(t, d, draw(c, 4, degrees, false, false))
					want := qr.Symbol{Bytes: []byte(text), Text: text, Version: v, Level: byte(name), Corners: s.Corners}
					if diff := cmp.Diff(want, s); diff != "" {
						t.Error(diff)
					}
				})
			}
		}
	}
}

func TestInvertedMirroredAndCorners(t *testing.T) {
	const text = "MJ1:HELD BEFORE A MIRROR"
	c := encode(t, 7, gen.M, coding.Alpha(text))
	d := qr.New(qr.Options{Budget: unhurried})
	for _, inverted := range []bool{false, true} {
		for _, mirrored := range []bool{false, true} {
			t.Run(fmt.Sprintf("inverted %v, mirrored %v", inverted, mirrored), func(t *testing.T) {
				g := draw(c, 5, 0, inverted, mirrored)
				s := one(t, d, g)
				if s.Text != text || s.Inverted != inverted || s.Mirrored != mirrored {
					t.Errorf("text %q, inverted %v, mirrored %v", s.Text, s.Inverted, s.Mirrored)
				}
				lo, hi := g.Rect.Dx()/2-c.Size*5/2, g.Rect.Dx()/2+c.Size*5/2
				want := [4]image.Point{{lo, lo}, {hi, lo}, {hi, hi}, {lo, hi}}
				if mirrored {
					want = [4]image.Point{{hi, lo}, {lo, lo}, {lo, hi}, {hi, hi}}
				}
				for i := range want {
					if p := s.Corners[i].Sub(want[i]); max(p.X, -p.X, p.Y, -p.Y) > 5 {
						t.Errorf("corner %d is at %v, want about %v", i, s.Corners[i], want[i])
					}
				}
			})
		}
	}
	dark := qr.New(qr.Options{DarkOnLight: true})
	if got, err := dark.Decode(draw(c, 5, 0, true, false)); len(got) != 0 || err != nil {
		t.Errorf("DarkOnLight read an inverted code: %v, %v", got, err)
	}
}

func TestContent(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, tt := range []struct {
		name     string
		segments []coding.Encoding
		bytes    string
		text     string // "" means any
	}{
		{"every byte", []coding.Encoding{coding.String(all)}, string(all), ""},
		{"Korean", []coding.Encoding{coding.String("문지기: 인증되었습니다")}, "문지기: 인증되었습니다", "문지기: 인증되었습니다"},
		{"one Korean syllable", []coding.Encoding{coding.String("참")}, "참", "참"},
		{"Latin-1 byte alone", []coding.Encoding{coding.String("\xe9")}, "\xe9", ""},
		{"mixed", []coding.Encoding{coding.Alpha("MJ1:"), coding.Num("0070012"), coding.String("é\x00z"), coding.Num("09")}, "MJ1:0070012é\x00z09", "MJ1:0070012é\x00z09"},
		{"numeric", []coding.Encoding{coding.Num("00012345678901234567890")}, "00012345678901234567890", "00012345678901234567890"},
		{"all alphanumerics", []coding.Encoding{coding.Alpha(alnum + "%%")}, alnum + "%%", alnum + "%%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := qr.New(qr.Options{Budget: unhurried})
			s := one(t, d, draw(encode(t, 12, gen.M, tt.segments...), 4, 0, false, false))
			if !bytes.Equal(s.Bytes, []byte(tt.bytes)) {
				t.Errorf("bytes %q, want %q", s.Bytes, tt.bytes)
			}
			if tt.text != "" && s.Text != tt.text {
				t.Errorf("text %q, want %q", s.Text, tt.text)
			}
		})
	}
}

func TestTwoCodes(t *testing.T) {
	a := draw(encode(t, 4, gen.M, coding.Alpha("FIRST")), 4, 0, false, false)
	b := draw(encode(t, 4, gen.M, coding.Alpha("SECOND")), 4, 0, false, false)
	w := a.Rect.Dx()
	g := image.NewGray(image.Rect(0, 0, 2*w, w))
	for y := range w {
		copy(g.Pix[y*g.Stride:], a.Pix[y*w:(y+1)*w])
		copy(g.Pix[y*g.Stride+w:], b.Pix[y*w:(y+1)*w])
	}
	got, err := qr.New(qr.Options{Max: 4, Budget: unhurried}).Decode(g)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, s := range got {
		texts[s.Text] = true
	}
	if !texts["FIRST"] || !texts["SECOND"] {
		t.Errorf("read %v of two codes", texts)
	}
}

// TestPartOfAPicture decodes a picture whose rectangle does not start at 0,0 and whose rows are further apart.
func TestPartOfAPicture(t *testing.T) {
	c := encode(t, 3, gen.M, coding.Alpha("PART"))
	inner := draw(c, 5, 0, false, false)
	w := inner.Rect.Dx()
	outer := image.NewGray(image.Rect(0, 0, w+70, w+60))
	for y := range w {
		copy(outer.Pix[(y+20)*outer.Stride+33:], inner.Pix[y*w:(y+1)*w])
	}
	part := outer.SubImage(image.Rect(33, 20, 33+w, 20+w)).(*image.Gray)
	s := one(t, qr.New(qr.Options{Budget: unhurried}), part)
	if want := image.Pt(33+w/2-c.Size*5/2, 20+w/2-c.Size*5/2); s.Text != "PART" || max(s.Corners[0].Sub(want).X, want.Sub(s.Corners[0]).X) > 5 {
		t.Errorf("text %q, first corner %v, want about %v", s.Text, s.Corners[0], want)
	}
}

func TestNoCode(t *testing.T) {
	noise := image.NewGray(image.Rect(0, 0, 320, 240))
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise.Pix {
		noise.Pix[i] = byte(rng.Uint32())
	}
	white := image.NewGray(image.Rect(0, 0, 100, 100))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	for name, g := range map[string]*image.Gray{
		"no picture":   {},
		"1×1":          image.NewGray(image.Rect(0, 0, 1, 1)),
		"1 row":        image.NewGray(image.Rect(0, 0, 500, 1)),
		"1 column":     image.NewGray(image.Rect(0, 0, 1, 500)),
		"39×41":        image.NewGray(image.Rect(0, 0, 39, 41)),
		"black":        image.NewGray(image.Rect(0, 0, 100, 100)),
		"white":        white,
		"noise":        noise,
		"turned about": {Rect: image.Rectangle{Min: image.Pt(5, 5), Max: image.Pt(1, 1)}},
	} {
		for _, o := range []qr.Options{{}, {Max: 5, Thorough: true}} {
			if got, err := qr.New(o).Decode(g); len(got) != 0 || err != nil {
				t.Errorf("%s: %d symbols, error %v", name, len(got), err)
			}
		}
	}
}

func TestNotAPicture(t *testing.T) {
	for name, g := range map[string]*image.Gray{
		"short":       {Pix: make([]byte, 99), Stride: 10, Rect: image.Rect(0, 0, 10, 10)},
		"low stride":  {Pix: make([]byte, 100), Stride: 5, Rect: image.Rect(0, 0, 10, 10)},
		"below zero":  {Pix: make([]byte, 100), Stride: -10, Rect: image.Rect(0, 0, 10, 10)},
		"far too big": {Pix: make([]byte, 100), Stride: 1 << 30, Rect: image.Rect(0, 0, 1<<30, 2)},
	} {
		if got, err := qr.New(qr.Options{}).Decode(g); err == nil {
			t.Errorf("%s: %v and no error", name, got)
		}
	}
}

// FuzzDecode: no picture may make the decoder panic or give a symbol out of range.
func FuzzDecode(f *testing.F) {
	for v := 1; v <= 7; v += 3 {
		g := draw(encode(f, v, gen.M, coding.Alpha("SEED")), 1.5, 10, v == 4, false)
		f.Add(uint16(g.Rect.Dx()), g.Pix)
	}
	f.Add(uint16(1), []byte{0})
	f.Add(uint16(40), bytes.Repeat([]byte{0, 255, 255, 0, 7}, 400))
	decoders := []*qr.Decoder{
		qr.New(qr.Options{Budget: 2 * time.Millisecond}),
		qr.New(qr.Options{Max: 3, Thorough: true, Budget: time.Millisecond}),
		qr.New(qr.Options{Stream: true, Budget: 2 * time.Millisecond}),
	}
	f.Fuzz(func(t *testing.T, width uint16, pix []byte) {
		w := int(width)
		if w == 0 || len(pix) > 1<<16 {
			return
		}
		g := &image.Gray{Pix: pix, Stride: w, Rect: image.Rect(0, 0, w, len(pix)/w)}
		before := bytes.Clone(pix)
		for _, d := range decoders {
			got, err := d.Decode(g)
			if err != nil {
				t.Error(err) // a picture that is one: the guard has caught a panic
			}
			for _, s := range got {
				if utf8.ValidString(s.Text) && s.Corners == [4]image.Point{} {
					t.Error("a symbol without corners")
				}
				if s.Version < 1 || s.Version > 40 || !strings.ContainsRune("LMQH", rune(s.Level)) {
					t.Errorf("version %d, level %q", s.Version, s.Level)
				}
			}
		}
		if !bytes.Equal(before, pix) {
			t.Error("the picture was changed")
		}
	})
}
