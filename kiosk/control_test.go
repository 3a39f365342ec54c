package kiosk

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
)

var zero = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// shots are pictures 50 ms apart that suffer from the same.
type shots struct {
	problem qr.Problem
	lasts   time.Duration
}

// change is a wish, and when it was made after the first picture.
type change struct {
	ms   int64
	wish camera.Adjustment
}

// run gives pictures to a control and lists what it wishes.
func run(all []shots, sharp func(place int8) float32) (changes []change) {
	var c control
	at := zero
	for _, s := range all {
		for end := at.Add(s.lasts); at.Before(end); at = at.Add(50 * time.Millisecond) {
			f := qr.Finding{Problem: s.problem}
			if s.problem == qr.OutOfFocus && sharp != nil {
				f.Measure = sharp(c.wish.Focus)
			}
			if wish, changed := c.see(f, at); changed {
				changes = append(changes, change{at.Sub(zero).Milliseconds(), wish})
			}
		}
	}
	return changes
}

func stops(ms int64, n int8) change { return change{ms, camera.Adjustment{Stops: n}} }
func place(ms int64, n int8) change { return change{ms, camera.Adjustment{Focus: n}} }

func TestControl(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name  string
		shots []shots
		sharp func(int8) float32
		want  []change
	}{
		{"nothing there", []shots{{qr.NoCode, 20 * second}}, nil, nil},
		{"what light cannot help", []shots{{qr.TooSmall, second}, {qr.Moving, second}, {qr.Tilted, second}, {qr.Unclear, second}, {qr.TooLarge, second}, {qr.None, second}}, nil, nil},
		{"shorter than it must last", []shots{{qr.TooBright, 300 * time.Millisecond}, {qr.NoCode, second}}, nil, nil},
		{"too bright: a step, then one each 200 ms", []shots{{qr.TooBright, 750 * time.Millisecond}, {qr.None, 5 * second}}, nil,
			[]change{stops(300, -1), stops(500, -2), stops(700, -3)}},
		{"too bright for ever: to the end, then the camera's way, and that is it", []shots{{qr.TooBright, 30 * second}}, nil,
			[]change{stops(300, -1), stops(500, -2), stops(700, -3), stops(900, -4), stops(1100, -5), stops(10_300, 0)}},
		{"a room dark all night", []shots{{qr.TooDark, 60 * second}}, nil,
			[]change{stops(300, 1), stops(500, 2), stops(10_300, 0)}},
		{"glare may be a lamp's: two steps", []shots{{qr.Glare, 3 * second}}, nil,
			[]change{stops(300, -1), stops(500, -2)}},
		{"not found in every picture", []shots{{qr.TooBright, 150 * time.Millisecond}, {qr.NoCode, 100 * time.Millisecond}, {qr.TooBright, 100 * time.Millisecond}, {qr.None, second}}, nil,
			[]change{stops(300, -1)}},
		{"hidden too long between", []shots{{qr.TooBright, 200 * time.Millisecond}, {qr.NoCode, 200 * time.Millisecond}, {qr.TooBright, 250 * time.Millisecond}, {qr.None, second}}, nil, nil},
		{"one way, the other, back, and no more: it does not swing", []shots{{qr.TooBright, 600 * time.Millisecond}, {qr.TooDark, 2 * second}, {qr.TooBright, 2 * second}, {qr.TooDark, 2 * second}}, nil,
			[]change{stops(300, -1), stops(500, -2), stops(1050, -1), stops(1250, 0), stops(1450, 1), stops(1650, 2),
				stops(3050, 1), stops(3250, 0), stops(3450, -1), stops(3650, -2), stops(3850, -3), stops(4050, -4), stops(4250, -5)}},
		{"a bright phone comes into a dark room", []shots{{qr.TooDark, 2 * second}, {qr.Glare, 950 * time.Millisecond}, {qr.None, second}}, nil,
			[]change{stops(300, 1), stops(500, 2), stops(2450, 1), stops(2650, 0), stops(2850, -1)}},
		{"a code read: the next phone is judged afresh", []shots{{qr.TooBright, 600 * time.Millisecond}, {qr.None, second}, {qr.NoCode, second}, {qr.TooDark, 550 * time.Millisecond}, {qr.None, second}}, nil,
			[]change{stops(300, -1), stops(500, -2), stops(2900, -1), stops(3100, 0)}},
		{"ten seconds after the last code the camera has its way", []shots{{qr.TooBright, 350 * time.Millisecond}, {qr.None, second}, {qr.NoCode, 12 * second}}, nil,
			[]change{stops(300, -1), stops(11_300, 0)}},
		{"a problem that came back may be acted on again", []shots{{qr.TooDark, 11 * second}, {qr.NoCode, second}, {qr.TooDark, 350 * time.Millisecond}}, nil,
			[]change{stops(300, 1), stops(500, 2), stops(10_300, 0), stops(12_300, 1)}},
		{"blurred for less than a second", []shots{{qr.OutOfFocus, second}, {qr.None, second}}, nil, nil},
		{"blurred: every place is tried, the sharpest kept, and given up where it does not read",
			[]shots{{qr.OutOfFocus, 3700 * time.Millisecond}}, func(p int8) float32 { return []float32{.2, .1, .1, .2, .3, .4, .3, .2, .1}[p] },
			[]change{place(1000, 1), place(1200, 2), place(1400, 3), place(1600, 4), place(1800, 5), place(2000, 6), place(2200, 7), place(2400, 8), place(2600, 5), place(3600, 0)}},
		{"read on the way: it stays there until nobody comes",
			[]shots{{qr.OutOfFocus, 1450 * time.Millisecond}, {qr.None, second}, {qr.NoCode, 11 * second}}, nil,
			[]change{place(1000, 1), place(1200, 2), place(1400, 3), place(12_400, 0)}},
		{"the phone goes away: the camera's own focus",
			[]shots{{qr.OutOfFocus, 1050 * time.Millisecond}, {qr.NoCode, 3 * second}}, nil,
			[]change{place(1000, 1), place(1200, 2), place(1400, 3), place(1600, 4), place(1800, 5), place(2000, 6), place(2200, 7), place(2400, 8), place(2600, 0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(tt.shots, tt.sharp), cmp.AllowUnexported(change{})); diff != "" {
				t.Errorf("wishes (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzControl: whatever is found, wishes stay within limits and their pace.
func FuzzControl(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x08", 40) + strings.Repeat("\x07", 40)))
	f.Add([]byte(strings.Repeat("\x05", 90)))
	f.Fuzz(func(t *testing.T, problems []byte) {
		var c control
		last := zero.Add(-time.Hour)
		for i, p := range problems {
			at := zero.Add(time.Duration(i) * 33 * time.Millisecond)
			f := qr.Finding{Problem: qr.Problem(p & 15), Measure: float32(p) / 255}
			wish, changed := c.see(f, at)
			if !changed {
				continue
			}
			if at.Sub(last) < settles && wish != (camera.Adjustment{}) {
				t.Fatalf("two changes within %v", at.Sub(last))
			}
			last = at
			if wish.Stops < darkest || wish.Stops > brightest || wish.Focus < 0 || wish.Focus > camera.FocusPlaces {
				t.Fatalf("wish %+v", wish)
			}
		}
	})
}

// eyes find the same in every picture, and note what is wished of the camera.
type eyes struct {
	finding qr.Finding
	wishes  []camera.Adjustment
}

func (e *eyes) Finding() qr.Finding        { return e.finding }
func (e *eyes) Adjust(a camera.Adjustment) { e.wishes = append(e.wishes, a) }

// TestControlInTheLoop: findings reach the camera as wishes.
func TestControlInTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, setting{})
		e := &eyes{finding: qr.Finding{Problem: qr.TooBright, Measure: 250}}
		r.k.parts.Findings, r.k.parts.Adjuster = e, e
		r.run()
		defer r.stop()
		r.hold(600 * time.Millisecond)
		if want := []camera.Adjustment{{Stops: -1}, {Stops: -2}}; !slices.Equal(e.wishes, want) {
			t.Errorf("wished %v, want %v", e.wishes, want)
		}
	})
}
