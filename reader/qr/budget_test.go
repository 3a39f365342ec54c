package qr

import (
	"image"
	"testing"
	"time"
)

// looks is a clock by which each look at it takes a millisecond.
type looks struct {
	at time.Time
	n  int
}

func (l *looks) now() time.Time {
	l.n++
	l.at = l.at.Add(time.Millisecond)
	return l.at
}

// TestNextFramesGoOn: with a budget for one search, a code that only a later search can see is read some frames later.
func TestNextFramesGoOn(t *testing.T) {
	c := encoded(t, 2, 1, "LARGE")
	const pitch, quiet = 30, 120
	side := c.Size*pitch + 2*quiet
	g := image.NewGray(image.Rect(0, 0, side, side))
	for i := range g.Pix {
		x, y := i%side-quiet, i/side-quiet
		g.Pix[i] = 220
		if x >= 0 && y >= 0 && c.Black(x/pitch, y/pitch) {
			g.Pix[i] = 30
		}
		if h := uint(i) * 2654435761; (i/side/3+i%side/3)%2 == 0 && (x < 0 || y < 0) { // gravel, to keep the first searches busy
			g.Pix[i] = uint8(h >> 8)
		}
	}
	clock := new(looks)
	alone := New(Options{Budget: 40 * time.Millisecond, Now: clock.now})
	if got, err := alone.Decode(g); err != nil || len(got) != 0 {
		t.Fatalf("%d symbols at once, error %v: too easy to tell", len(got), err)
	}
	if clock.n > 40 {
		t.Errorf("%d looks at the clock, which was late after 40", clock.n)
	}
	d := New(Options{Stream: true, Budget: 40 * time.Millisecond, Now: clock.now})
	for n := range 12 {
		got, err := d.Decode(g)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 {
			t.Log("read in frame", n)
			return
		}
	}
	t.Error("not read in 12 frames")
}

func TestBudgetGrows(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		w, h int
		pace time.Duration // of preparing 1280×720 pixels
		want time.Duration
	}{
		{"as set", Options{Budget: 60 * time.Millisecond}, 1920, 1080, time.Second, 48 * time.Millisecond},
		{"four times the pixels", Options{Budget: 60 * time.Millisecond}, 3840, 2160, time.Second, 192 * time.Millisecond},
		{"thorough", Options{Budget: 60 * time.Millisecond, Thorough: true}, 1280, 720, time.Second, 480 * time.Millisecond},
		{"by itself", Options{}, 1280, 720, 2 * time.Millisecond, defaultBudget - defaultBudget/5},
		{"on a slow machine", Options{}, 1280, 720, 12 * time.Millisecond, 115200 * time.Microsecond},
		{"thorough on a slow machine", Options{Thorough: true}, 1280, 720, 12 * time.Millisecond, 1152 * time.Millisecond},
		{"a small picture tells nothing", Options{}, 100, 100, time.Second, defaultBudget - defaultBudget/5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			tt.o.Now = func() time.Time { return now }
			d := New(tt.o)
			p := &plane{w: tt.w, h: tt.h}
			for _, moment := range []time.Duration{1, 3, 1} { // a slow moment is no slow machine
				d.begin(p)
				now = now.Add(tt.pace * moment * time.Duration(tt.w*tt.h) / preparedPixel)
				d.prepared(p)
			}
			if got := d.until.Sub(d.began); got != tt.want {
				t.Errorf("%v to search, want %v", got, tt.want)
			}
		})
	}
}
