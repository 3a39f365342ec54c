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
func (p *fakePanel) Show(img *image.RGBA) error {
	if p.hang != nil {
		<-p.hang
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown++
	p.last = append(p.last[:0], img.Pix...)
	return p.fail
}
func (p *fakePanel) Size() image.Point { return image.Pt(320, 240) }
func (p *fakePanel) Close() error      { return nil }
func (p *fakePanel) String() string    { return "fake" }
func (p *fakePanel) Public() bool      { return p.public }

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
		if n := after - before; n < 10 || n > 17 {
			t.Errorf("%d pictures in a second, want about 15", n)
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
		if opened, _, _, _ := bad.seen(); opened < 4 || opened > 8 {
			t.Errorf("the bad panel was opened %d times in a minute, want a few, further and further apart", opened)
		}
		states := s.State()
		if states[0].Err == nil || states[2].Err != nil || states[2].Name != "fake" {
			t.Errorf("states are %v", states)
		}
		close(stuck.hang)
	}, bad.open, stuck.open, good.open)
}

// TestPublicPanels get neither camera nor staff's field.
func TestPublicPanels(t *testing.T) {
	p := &fakePanel{public: true}
	painter, _ := NewPainter(Options{})
	want := image.NewRGBA(image.Rect(0, 0, 320, 240))
	runScreen(t, func(s *Screen) {
		for _, st := range []State{
			{Scene: Idle, Camera: testPicture()},
			{Scene: Accepted, Staff: &Staff{Complete: true, Doses: 3}},
		} {
			s.Show(st)
			time.Sleep(time.Second)
			synctest.Wait()
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
