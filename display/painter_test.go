package display

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"strings"
	"testing"
	"time"
)

// layout is a screen as it is sold.
type layout struct {
	size   image.Point
	inches float64
}

func (l layout) String() string { return fmt.Sprintf("%dx%d", l.size.X, l.size.Y) }

var layouts = []layout{
	{image.Pt(800, 480), 7}, {image.Pt(1024, 600), 10.1}, {image.Pt(1280, 720), 15.6},
	{image.Pt(480, 800), 7}, {image.Pt(600, 1024), 10.1}, {image.Pt(720, 1280), 15.6},
}

func (l layout) painter(t testing.TB, langs ...string) *Painter {
	t.Helper()
	p, err := NewPainter(Options{Langs: langs, Diagonal: l.inches, Texts: shipped})
	if err != nil {
		t.Fatal(err)
	}
	p.fit(l.size)
	return p
}

func (l layout) picture() *image.RGBA { return image.NewRGBA(image.Rectangle{Max: l.size}) }

// shipped is the folder of the languages that are not built in.
const shipped = "../configs/languages"

// view is a state and the name of its picture.
type view struct {
	name string
	State
}

// scenery is a state of each scene and of each hint as it would be seen.
func scenery() []view {
	well := Status{Camera: OK, Network: OK, Clock: OK, Sound: OK, Queue: OK, Keys: OK, KeysAge: 5 * time.Hour}
	var views []view
	for _, s := range Scenes() {
		st := State{Scene: s, Status: well}
		if s == Used || s == PolicyOff || s == Wait {
			st.Status.Network, st.Status.Queue, st.Status.Waiting = Warn, Warn, 128
			st.Status.Keys, st.Status.KeysAge = Warn, 100*time.Hour
		}
		if s.Live() {
			st.Camera = testPicture()
		}
		switch s {
		case Seen:
			st.Located, st.X, st.Y = true, .56, .45
		case EnrolConfirm:
			st.Registry, st.Words = "질병관리청 전자출입명부", "바다 거울 나무 호수 연필 구름"
		case OwnersPage:
			st.Registry, st.Words = "munjigi.local:8443", "k7mw q3xd 9fpt"
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
		views = append(views, view{string(s), st})
	}
	for _, h := range Hints() {
		views = append(views, view{"hint-" + string(h), State{
			Scene: Seen, Hint: h, Camera: testPicture(), Located: true, X: .35, Y: .6, Status: well,
		}})
	}
	return append(views,
		view{"seen-unpictured", State{Scene: Seen, Status: well}},
		view{"flash", State{Scene: Accepted, Flash: true, Status: well}})
}

// turns are a view's pages.
func (v view) turns(p *Painter) (views []view) {
	for i := range p.Turns(v.State) {
		next := v
		if next.Turn = i; i > 0 {
			next.name += fmt.Sprintf("-%d", i+1)
		}
		views = append(views, next)
	}
	return views
}

// testPicture is a camera picture that shows whether it was mirrored: a hand-held
// phone's bright screen with a code of rough modules, left of the middle.
func testPicture() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			v := 58 + x/40*6 + y/60*5
			if x >= 80 && x < 200 && y >= 20 && y < 220 { // the phone
				v = 24
			}
			if x >= 88 && x < 192 && y >= 30 && y < 210 { // its screen
				v = 226
			}
			if i, j := (x-104)/8, (y-76)/8; x >= 104 && y >= 76 && i < 9 && j < 9 && (i*7+j*5+i*j)%3 != 1 {
				v = 20
			}
			img.Pix[y*img.Stride+x] = uint8(v)
		}
	}
	return img
}

// TestDrawIsPure: what was drawn before, with the same Painter or into the same
// picture, must not shine through on any screen, whichever way it is turned: what
// a framebuffer holds after any scene upon any other, told of by Update's damage
// alone, is that scene drawn anew.
func TestDrawIsPure(t *testing.T) {
	for _, tc := range []struct {
		size   image.Point
		langs  []string
		rotate int
		format pixelFormat
	}{
		{image.Pt(144, 108), []string{"ko", "en"}, 0, xrgb8888},
		{image.Pt(108, 144), []string{"ko", "en"}, 90, rgb565},
		{image.Pt(128, 64), []string{"ko"}, 180, xbgr8888},
		{image.Pt(144, 108), []string{"ko", "vi"}, 270, rgb565},
	} {
		t.Run(fmt.Sprint(tc.size, tc.langs, tc.rotate), func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(foreignFont); err != nil && tc.langs[len(tc.langs)-1] == "vi" {
				t.Skipf("%v: install fonts-noto-cjk", err)
			}
			l := layout{size: tc.size}
			screen := func() *surface {
				s := &surface{width: tc.size.X, height: tc.size.Y, format: tc.format, rotate: tc.rotate}
				if tc.rotate%180 == 90 {
					s.width, s.height = s.height, s.width
				}
				s.stride = s.width * s.format.bytes()
				s.mem = make([]byte, s.stride*s.height)
				return s
			}
			p, img, device := l.painter(t, tc.langs...), l.picture(), screen()
			var views []view
			for _, v := range scenery() {
				views = append(views, v.turns(p)...)
			}
			want := map[string][]byte{}
			fresh, page := l.painter(t, tc.langs...), l.picture()
			for _, v := range views {
				fresh.Draw(page, v.State)
				s := screen()
				s.copy(page, page.Rect)
				want[v.name] = s.mem
			}
			before := "nothing"
			for i := range views {
				for j := i; j < len(views); j++ { // there and back: each after each other
					for _, v := range []view{views[i], views[j]} {
						for _, r := range p.Update(img, v.State) {
							device.copy(img, r)
						}
						if !bytes.Equal(device.mem, want[v.name]) {
							t.Fatalf("%s after %s is not as it is alone", v.name, before)
						}
						before = v.name
					}
				}
			}
		})
	}
}

// TestDamage: what Update says it touched is all that it touched, and it is
// little where little changed.
func TestDamage(t *testing.T) {
	for _, l := range layouts {
		p := l.painter(t)
		img, device := l.picture(), l.picture()
		update := func(s State) (pixels int) {
			for _, r := range p.Update(img, s) {
				pixels += r.Dx() * r.Dy()
				for y := r.Min.Y; y < r.Max.Y; y++ {
					copy(device.Pix[device.PixOffset(r.Min.X, y):device.PixOffset(r.Max.X, y)], img.Pix[img.PixOffset(r.Min.X, y):])
				}
			}
			if !bytes.Equal(img.Pix, device.Pix) {
				t.Fatalf("%v: %s changed more than Update says", l, s.Scene)
			}
			return pixels
		}
		whole := l.size.X * l.size.Y
		for _, v := range scenery() {
			if n := update(v.State); n != whole {
				t.Errorf("%v: a new scene %s touched %d of %d pixels", l, v.name, n, whole)
			}
			v.Camera = nil // the same again, without news
			if !v.Scene.Live() {
				if n := update(v.State); n != 0 {
					t.Errorf("%v: %s again touched %d pixels", l, v.name, n)
				}
			}
		}
		idle := scenery()[0].State
		update(idle)
		if n := update(idle); n == 0 || n > whole/2 {
			t.Errorf("%v: a new live picture touched %d of %d pixels", l, n, whole)
		}
		expired := State{Scene: Expired, Status: idle.Status}
		update(expired)
		expired.Status.KeysAge += time.Minute
		if n := update(expired); n != 0 {
			t.Errorf("%v: keys a minute older touched %d pixels", l, n)
		}
		expired.Status.Network = Warn
		if n := update(expired); n == 0 || n > whole/8 {
			t.Errorf("%v: a lost network touched %d of %d pixels", l, n, whole)
		}
	}
}

// TestEveryTextFits: no line is wider than its place and nothing is cut off, in
// any layout, with the longest numbers and names.
func TestEveryTextFits(t *testing.T) {
	odd := []layout{{image.Pt(320, 240), 3.5}, {image.Pt(240, 320), 0}, {image.Pt(1920, 1080), 24}, {image.Pt(800, 480), 5}, {image.Pt(1024, 600), 0}, {image.Pt(1920, 540), 12}, {image.Pt(128, 64), 0.96}}
	for _, l := range append(odd, layouts...) {
		p := l.painter(t)
		for _, v := range scenery() {
			v.Seconds = 86400
			if v.Scene == EnrolConfirm {
				v.Registry = strings.Repeat("긴이름 ", 10) + "name"
			}
			for _, v := range v.turns(p) {
				g := p.page(p.sight(v.State).page)
				if len(g.lines) == 0 {
					t.Errorf("%v %s: no words", l, v.name)
				}
				for i, line := range g.lines {
					if !line.box.In(p.frame.stage) {
						t.Errorf("%v %s: %q stands at %v, beyond %v", l, v.name, line.text, line.box, p.frame.stage)
					}
					for _, other := range g.lines[:i] {
						if line.box.Overlaps(other.box) {
							t.Errorf("%v %s: %q lies over %q", l, v.name, line.text, other.text)
						}
					}
					if line.box.Overlaps(g.icon) || !p.frame.small && line.box.Overlaps(g.picture) {
						t.Errorf("%v %s: %q lies over the picture", l, v.name, line.text)
					}
				}
			}
		}
	}
}

// TestCameraIsMirrored: the phone on the picture's left is right of the middle
// on the screen, and the mark is where the code is.
func TestCameraIsMirrored(t *testing.T) {
	p, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	p.frame.margin = 3
	p.camera(img, img.Rect, State{Camera: testPicture()}, p.palette.calm.back)
	if left, right := img.RGBAAt(100, 45).R, img.RGBAAt(220, 45).R; right != 226 || left > 150 {
		t.Errorf("left %d, right %d: not mirrored", left, right)
	}
	if at := p.lens.spot(.25, .5); at != image.Pt(240, 120) {
		t.Errorf("a code at a quarter of the width is marked at %v", at)
	}
	// A tall box shows the middle of a wide picture.
	p.lens.fit(image.Pt(320, 240), image.Rect(10, 20, 110, 220))
	if c := p.lens.crop; c != image.Rect(100, 0, 220, 240) {
		t.Errorf("the crop is %v", c)
	}
	if at := p.lens.spot(.5, .5); at != image.Pt(60, 120) {
		t.Errorf("the middle is marked at %v", at)
	}
}

func TestIdleDoesNotAllocate(t *testing.T) {
	p := layouts[1].painter(t)
	img := layouts[1].picture()
	s := scenery()[0].State
	s.Located, s.X, s.Y = true, .5, .5
	p.Update(img, s)
	if n := testing.AllocsPerRun(5, func() { p.Update(img, s) }); n > 0 {
		t.Errorf("%v allocations a live picture", n)
	}
}

// BenchmarkIdle is a live picture: what is drawn of it and what a framebuffer of
// 16 bits then copies.
func BenchmarkIdle(b *testing.B) {
	for _, l := range layouts[:3] {
		p := l.painter(b)
		img := l.picture()
		s := State{Scene: Idle, Camera: image.NewGray(image.Rect(0, 0, 1280, 720))}
		fb := &surface{width: l.size.X, height: l.size.Y, stride: l.size.X * 2, format: rgb565, mem: make([]byte, l.size.X*l.size.Y*2)}
		p.Update(img, s)
		b.Run(l.String(), func(b *testing.B) {
			b.ReportAllocs()
			written := 0
			for b.Loop() {
				for _, r := range p.Update(img, s) {
					written += fb.copy(img, r)
				}
			}
			b.ReportMetric(float64(written)/float64(b.N), "bytes/frame")
			b.ReportMetric(float64(len(fb.mem)), "bytes/whole")
		})
	}
}

// BenchmarkScene is a change of scene, drawn whole.
func BenchmarkScene(b *testing.B) {
	for _, l := range layouts[:3] {
		p := l.painter(b)
		img := l.picture()
		b.Run(l.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Draw(img, State{Scene: Accepted})
			}
		})
	}
}
