package display

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakePanel counts what it is shown; it can fail, hang, or be public.
type fakePanel struct {
	mu            sync.Mutex
	opened, shown int
	fail          error
	hangs         bool
	hang          chan struct{}
	public        bool
	last          []byte
	words         string
	size          image.Point // 0: 320×240
	check         error       // what the next Check says
}

func (p *fakePanel) open() (Panel, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	if p.hangs { // made here, inside the test's bubble
		p.hang = make(chan struct{})
	}
	return p, nil
}
func (p *fakePanel) Show(img *image.RGBA, _ []image.Rectangle) error {
	if p.hang != nil {
		<-p.hang
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown++
	p.last = append(p.last[:0], img.Pix...)
	return p.fail
}
func (p *fakePanel) Size() image.Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size != (image.Point{}) {
		return p.size
	}
	return image.Pt(320, 240)
}

func (p *fakePanel) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.check
	p.check = nil
	return err
}

func (p *fakePanel) Close() error   { return nil }
func (p *fakePanel) String() string { return "fake" }
func (p *fakePanel) Public() bool   { return p.public }

func (p *fakePanel) Words(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.words = s
}

// seen is what the panel was told so far.
func (p *fakePanel) seen() (opened, shown int, last []byte, words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.shown, bytes.Clone(p.last), p.words
}

func runScreen(t *testing.T, test func(s *Screen), panels ...Opener) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewScreen(Options{}, slog.New(slog.DiscardHandler), panels...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		synctest.Wait()
		test(s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestScreenLatestWins(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		for range 1000 {
			s.Show(State{Scene: Idle, Camera: testPicture()})
		}
		s.Show(State{Scene: Accepted})
		synctest.Wait()
		_, shown, _, words := p.seen()
		if want := "인증되었습니다"; !strings.Contains(words, want) {
			t.Errorf("words are %q, want %s", words, want)
		}
		if shown > 5 {
			t.Errorf("%d pictures were drawn, the ones between are for nobody", shown)
		}
	}, p.open)
}

// TestScreenLivePicture: many pictures a second are drawn at a steady pace,
// each newest one at last, and the caller may reuse its buffer.
func TestScreenLivePicture(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		cam := testPicture()
		_, before, _, _ := p.seen()
		for range 100 {
			s.Show(State{Scene: Idle, Camera: cam})
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		_, after, _, _ := p.seen()
		if n := after - before; n < 25 || n > 31 {
			t.Errorf("%d pictures in a second, want 30 at most", n)
		}
		time.Sleep(time.Second)
		s.Show(State{Scene: Idle, Camera: cam})
		clear(cam.Pix)
		synctest.Wait()
		want := image.NewRGBA(image.Rect(0, 0, 320, 240))
		painter, _ := NewPainter(Options{})
		painter.Draw(want, State{Scene: Idle, Camera: testPicture()})
		if _, _, last, _ := p.seen(); !bytes.Equal(last, want.Pix) {
			t.Error("the picture changed when the caller reused its buffer")
		}
	}, p.open)
}

func TestScreenFailingPanels(t *testing.T) {
	bad := &fakePanel{fail: errors.New("unplugged")}
	stuck := &fakePanel{hangs: true}
	good := &fakePanel{}
	runScreen(t, func(s *Screen) {
		for range 60 {
			s.Show(State{Scene: Used})
			time.Sleep(time.Second)
		}
		s.Show(State{Scene: Expired})
		synctest.Wait()
		if _, _, _, words := good.seen(); !strings.Contains(words, "유효시간") {
			t.Errorf("the good panel says %q", words)
		}
		if opened, _, _, _ := bad.seen(); opened < 10 || opened > 18 {
			t.Errorf("the bad panel was opened %d times in a minute, want one every four seconds after the first few", opened)
		}
		states := s.State()
		if states[0].Err == nil || states[2].Err != nil || states[2].Name != "fake" {
			t.Errorf("states are %v", states)
		}
		close(stuck.hang)
	}, bad.open, stuck.open, good.open)
}

// forgetfulPanel loses some of each picture that it is shown for the first time.
type forgetfulPanel struct{ *fakePanel }

func (forgetfulPanel) Forgetful() {}

// TestScreenForgetful: what a panel lost, or somebody else wrote over it, is put
// right within two seconds, on scenes that stand still as on live ones.
func TestScreenForgetful(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		for _, st := range []State{{Scene: Accepted}, {Scene: Idle, Camera: testPicture()}, {Scene: Expired}} {
			s.Show(st)
			synctest.Wait()
			for range 3 {
				p.mu.Lock()
				want := bytes.Clone(p.last)
				clear(p.last)
				p.mu.Unlock()
				time.Sleep(2*time.Second + beatEvery)
				synctest.Wait()
				if _, _, last, _ := p.seen(); !bytes.Equal(last, want) {
					t.Errorf("%s is not whole again after two seconds", st.Scene)
				}
			}
		}
	}, func() (Panel, error) { _, err := p.open(); return forgetfulPanel{p}, err })
}

// TestScreenFrames: at the pace of the kiosk's live picture every frame is shown,
// and at once: none waits for the next.
func TestScreenFrames(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		time.Sleep(time.Second)
		for i := range 64 {
			cam := testPicture()
			cam.Pix[100*cam.Stride+100] = uint8(i)
			_, before, _, _ := p.seen()
			s.Show(State{Scene: Idle, Camera: cam})
			synctest.Wait()
			if _, after, _, _ := p.seen(); i > 0 && after != before+1 {
				t.Fatalf("frame %d: %d pictures were shown when it came, want 1", i, after-before)
			}
			time.Sleep(time.Second / 16)
		}
	}, p.open)
}

// TestScreenFlash: a muted kiosk's verdict flashes three times within a second and
// a half and then stands still; the idle scene does not flash.
func TestScreenFlash(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		s.Show(State{Scene: Idle, Flash: true, Camera: testPicture()})
		time.Sleep(time.Second)
		s.Show(State{Scene: Accepted, Flash: true})
		var seen []bool
		for range 12 {
			synctest.Wait()
			_, _, last, _ := p.seen()
			seen = append(seen, last[0] > 128) // white ground
			time.Sleep(beatEvery / 2)
			s.Show(State{Scene: Accepted, Flash: true}) // the strip is told once a second
			time.Sleep(beatEvery / 2)
		}
		want := []bool{true, false, true, false, true, false, false, false, false, false, false, false}
		if !slices.Equal(seen, want) {
			t.Errorf("the ground was light %v, want %v", seen, want)
		}
	}, p.open)
}

// TestScreenTurns: where two languages do not fit together, each has two seconds.
func TestScreenTurns(t *testing.T) {
	p := &fakePanel{}
	synctest.Test(t, func(t *testing.T) {
		s, err := NewScreen(Options{Diagonal: 2.8}, slog.New(slog.DiscardHandler), p.open)
		if err != nil {
			t.Fatal(err)
		}
		go s.Run(t.Context())
		<-s.Ready()
		s.Show(State{Scene: WrongLifetime})
		var last []byte
		var changes []int
		for i := range 16 {
			synctest.Wait()
			_, _, now, _ := p.seen()
			if i > 0 && !bytes.Equal(now, last) {
				changes = append(changes, i)
			}
			last = now
			time.Sleep(time.Second / 2)
		}
		if want := []int{4, 8, 12}; !slices.Equal(changes, want) {
			t.Errorf("the picture changed at half seconds %v, want %v", changes, want)
		}
	})
}

// TestScreenChanged: a panel that has another size now is opened anew at once and
// drawn whole, though nothing new is shown.
func TestScreenChanged(t *testing.T) {
	p := &fakePanel{}
	runScreen(t, func(s *Screen) {
		s.Show(State{Scene: Used})
		time.Sleep(time.Minute)
		for i := range 3 {
			p.mu.Lock()
			p.size, p.check = image.Pt(400+i, 300), ErrChanged
			p.mu.Unlock()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			opened, _, last, _ := p.seen()
			if opened != i+2 || len(last) != (400+i)*300*4 {
				t.Fatalf("opened %d times, the picture has %d bytes", opened, len(last))
			}
		}
	}, p.open)
}

// TestStaffPanel: where the staff have a panel, no other shows their field, and
// theirs shows nothing but that.
func TestStaffPanel(t *testing.T) {
	front, staff := &fakePanel{}, &fakePanel{}
	painter, _ := NewPainter(Options{})
	want, record := image.NewRGBA(image.Rect(0, 0, 320, 240)), image.NewRGBA(image.Rect(0, 0, 320, 240))
	painter.Draw(want, State{Scene: Accepted})
	painter, _ = NewPainter(Options{})
	painter.staffOnly = true
	painter.Draw(record, State{Staff: &Staff{Complete: true, Doses: 2}})
	empty := image.NewRGBA(record.Rect)
	painter.Draw(empty, State{})
	synctest.Test(t, func(t *testing.T) {
		s, err := NewScreen(Options{Staff: []Opener{staff.open}}, slog.New(slog.DiscardHandler), front.open)
		if err != nil {
			t.Fatal(err)
		}
		go s.Run(t.Context())
		<-s.Ready()
		s.Show(State{Scene: Accepted, Staff: &Staff{Complete: true, Doses: 2}, StaffOpen: true})
		synctest.Wait()
		if _, _, last, _ := front.seen(); !bytes.Equal(last, want.Pix) {
			t.Error("the visitors' screen shows more than that the visit is kept")
		}
		if _, _, last, _ := staff.seen(); !bytes.Equal(last, record.Pix) {
			t.Error("the staff's panel does not show the record")
		}
		s.Show(State{Scene: Idle, Camera: testPicture()})
		time.Sleep(time.Second)
		synctest.Wait()
		if _, _, last, _ := staff.seen(); !bytes.Equal(last, empty.Pix) {
			t.Error("the record stands though the visitor is gone")
		}
		for _, w := range s.workers {
			for i := range w.store {
				if w.store[i].staff != (Staff{}) {
					t.Error("a record is kept in memory")
				}
			}
			if w.painter.last.staff != (Staff{}) {
				t.Error("the painter keeps a record")
			}
		}
	})
}

// TestScreenLanguages: a text that cannot be loaded shuts no door.
func TestScreenLanguages(t *testing.T) {
	s, err := NewScreen(Options{Langs: []string{"xx", "yy"}}, slog.New(slog.DiscardHandler), (&fakePanel{}).open)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Warnings()) != 2 {
		t.Errorf("warnings are %v", s.Warnings())
	}
	if got := s.workers[0].painter.Words(State{Scene: Wait}); !strings.HasPrefix(got, "잠시만") {
		t.Errorf("words are %q", got)
	}
}

// TestPublicPanels get neither camera nor staff's field.
func TestPublicPanels(t *testing.T) {
	p := &fakePanel{public: true}
	painter, _ := NewPainter(Options{})
	want := image.NewRGBA(image.Rect(0, 0, 320, 240))
	runScreen(t, func(s *Screen) {
		for _, st := range []State{
			{Scene: Idle, Camera: testPicture()},
			{Scene: Accepted, Staff: &Staff{Complete: true, Doses: 3}, StaffOpen: true},
			{Scene: OwnersPage, Registry: "https://munjigi.local", Words: "a password"},
		} {
			s.Show(st)
			time.Sleep(time.Second)
			synctest.Wait()
			if st.Scene == OwnersPage {
				st.Scene = Enrolled
			}
			painter.Draw(want, State{Scene: st.Scene})
			if _, _, last, _ := p.seen(); !bytes.Equal(last, want.Pix) {
				t.Errorf("%s: the public picture is not the one without camera and staff's field", st.Scene)
			}
		}
	}, p.open)
}

func TestPNGPanel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "screen.png")
	runScreen(t, func(s *Screen) {
		s.Show(State{Scene: Accepted})
		time.Sleep(time.Second)
		synctest.Wait()
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		img, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Size() != image.Pt(800, 480) {
			t.Errorf("size is %v", img.Bounds())
		}
		if r, g, b, _ := img.At(2, 2).RGBA(); g <= r || g <= b {
			t.Error("accepted is not green")
		}
	}, PNG(file, image.Pt(800, 480)))
	if _, err := PNG(file, image.Point{})(); err == nil {
		t.Error("a panel without a size was opened")
	}
}
