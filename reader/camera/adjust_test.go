package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// board is a device's controls: it refuses what it does not have, what is out of
// range, and, as USB cameras do, what the camera chooses itself.
type board struct {
	t      *testing.T
	spans  map[control]span
	values map[control]int32
	refuse map[control]map[int32]bool
	turned []string
}

func (b *board) Spans() map[control]span { return b.spans }

func (b *board) Value(c control) (int32, error) { return b.values[c], nil }

func (b *board) Turn(c control, v int32) error {
	s, ok := b.spans[c]
	switch {
	case !ok:
		b.t.Errorf("control %#x was set, which the device does not have", c)
		return syscall.EINVAL
	case v < s.min || v > s.max || (s.step > 1 && (v-s.min)%s.step != 0):
		b.t.Errorf("control %#x set to %d, outside %+v", c, v, s)
		return syscall.ERANGE
	case b.refuse[c][v]:
		return syscall.EINVAL
	case c == exposureAbsolute && b.values[exposureAuto] != exposureManual,
		c == focusAbsolute && b.values[focusAuto] != 0,
		c == gain && b.values[autoGain] != 0:
		return syscall.EACCES
	}
	b.values[c] = v
	b.turned = append(b.turned, fmt.Sprintf("%s=%d", names[c], v))
	return nil
}

var names = map[control]string{
	brightness: "brightness", autoGain: "autogain", gain: "gain", powerLineFrequency: "mains",
	exposureAuto: "auto", exposureAbsolute: "time", exposurePriority: "priority",
	focusAbsolute: "lens", focusAuto: "autofocus",
}

// usb is what a USB camera with a movable lens has.
func usb() map[control]span {
	return map[control]span{
		brightness: {-64, 64, 1}, powerLineFrequency: {0, 2, 1}, gain: {0, 100, 1},
		exposureAuto: {0, 3, 1}, exposureAbsolute: {3, 2047, 1}, exposurePriority: {0, 1, 1},
		focusAuto: {0, 1, 1}, focusAbsolute: {0, 250, 5},
	}
}

func TestKnobs(t *testing.T) {
	only := func(cs ...control) map[control]span {
		m := map[control]span{}
		for _, c := range cs {
			m[c] = usb()[c]
		}
		return m
	}
	for _, tt := range []struct {
		name   string
		spans  map[control]span
		values map[control]int32
		refuse map[control]map[int32]bool
		opened []string
		wishes []Adjustment
		turned []string
	}{
		{"no controls", nil, nil, nil, nil, []Adjustment{{-1, 1}, {2, 8}, {}}, nil},
		{"at first", usb(), nil, nil, []string{"mains=2", "priority=0", "auto=3", "autofocus=1"}, []Adjustment{{}}, nil},
		{"found in manual by one that knows full automatic only", only(exposureAuto, exposureAbsolute),
			map[control]int32{exposureAuto: exposureManual}, map[control]map[int32]bool{exposureAuto: {exposureAperturePriority: true}},
			[]string{"auto=0"}, nil, nil},
		{"exposure by time", usb(), map[control]int32{exposureAbsolute: 160}, nil,
			[]string{"mains=2", "priority=0", "auto=3", "autofocus=1"},
			[]Adjustment{{Stops: -1}, {Stops: -2}, {Stops: -5}, {}},
			[]string{"auto=1", "time=80", "auto=1", "time=40", "auto=1", "time=5", "auto=3"}},
		{"no shorter than the device can, no longer than a frame", usb(), map[control]int32{exposureAbsolute: 40}, nil,
			[]string{"mains=2", "priority=0", "auto=3", "autofocus=1"},
			[]Adjustment{{Stops: -5}, {Stops: 2}, {}, {Stops: 2}, {Stops: 1}},
			[]string{"auto=1", "time=3", "auto=1", "time=160", "auto=3", "auto=1", "time=333", "auto=1", "time=320"}},
		{"gain where the time is not ours", map[control]span{gain: {0, 64, 1}, autoGain: {0, 1, 1}}, map[control]int32{gain: 32}, nil,
			[]string{"autogain=1"}, []Adjustment{{Stops: -1}, {Stops: 2}, {}},
			[]string{"autogain=0", "gain=28", "autogain=0", "gain=40", "autogain=1"}},
		{"brightness at last", only(brightness), map[control]int32{brightness: 60}, nil, nil,
			[]Adjustment{{Stops: -1}, {Stops: 1}, {}}, []string{"brightness=52", "brightness=64", "brightness=60"}},
		{"focus", only(focusAuto, focusAbsolute), nil, nil, []string{"autofocus=1"},
			[]Adjustment{{Focus: 1}, {Focus: 2}, {Focus: FocusPlaces}, {}},
			[]string{"autofocus=0", "lens=0", "autofocus=0", "lens=35", "autofocus=0", "lens=250", "autofocus=1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &board{t: t, spans: tt.spans, values: tt.values, refuse: tt.refuse}
			if b.values == nil {
				b.values = map[control]int32{}
			}
			k := newKnobs(b)
			if diff := cmp.Diff(tt.opened, b.turned); diff != "" {
				t.Errorf("at opening (-want +got):\n%s", diff)
			}
			b.turned = nil
			for _, a := range tt.wishes {
				if err := k.adjust(a, 30); err != nil {
					t.Errorf("%+v: %v", a, err)
				}
				if err := k.adjust(a, 30); err != nil { // again: nothing to do
					t.Errorf("%+v again: %v", a, err)
				}
			}
			if diff := cmp.Diff(tt.turned, b.turned); diff != "" {
				t.Errorf("turned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		s    span
		v    float64
		want int32
	}{
		{span{0, 10, 1}, 4.6, 5}, {span{0, 10, 0}, 11, 10}, {span{-5, 10, 1}, -9, -5},
		{span{1, 10, 4}, 4, 5}, {span{1, 10, 4}, 10, 9}, {span{0, 250, 5}, 35.7, 35},
	} {
		if got := tt.s.fit(tt.v); got != tt.want {
			t.Errorf("%+v fit %v: %d, want %d", tt.s, tt.v, got, tt.want)
		}
	}
}

// TestV4L2Adjust: a device that is closed, or not ours to control, is left alone;
// a refusal names the device.
func TestV4L2Adjust(t *testing.T) {
	v := &v4l2{path: "/dev/video9", dev: &driver{lent: map[uint32]bool{}}, fps: 30}
	if err := v.Adjust(Adjustment{Stops: -1}); err != nil {
		t.Errorf("without controls: %v", err)
	}
	b := &board{t: t, spans: usb(), values: map[control]int32{exposureAbsolute: 100}, refuse: map[control]map[int32]bool{exposureAuto: {exposureManual: true}}}
	v.knobs = newKnobs(b)
	err := v.Adjust(Adjustment{Stops: -1})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("refused: %v", err)
	}
	if want := "/dev/video9: set control 0x9a0901 to 1: invalid argument"; err != nil && err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	b.refuse = nil
	if err := v.Adjust(Adjustment{Stops: -1}); err != nil || b.values[exposureAbsolute] != 50 {
		t.Errorf("tried again: %v, exposure %d", err, b.values[exposureAbsolute])
	}
	v.Close()
	if err := v.Adjust(Adjustment{}); err != nil || b.values[exposureAuto] != exposureManual {
		t.Errorf("closed: %v, %v", err, b.turned)
	}
}

// adjustable is a script that notes what is wished of it.
type adjustable struct {
	script
	err error

	mu   sync.Mutex
	list []Adjustment
}

func (a *adjustable) Adjust(w Adjustment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, w)
	return a.err
}

func (a *adjustable) got() []Adjustment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// TestLatestAdjusts: the newest wish only, once, between frames, and again for a
// camera that was dialled anew; a refusal does not end the pictures.
func TestLatestAdjusts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &adjustable{err: errors.New("refused")}
		second := &adjustable{}
		first.grab = func(ctx context.Context, n int, dst *image.Gray) error {
			if n > 10 {
				return ErrUnplugged
			}
			return every(100*time.Millisecond)(ctx, n, dst)
		}
		second.grab = every(100 * time.Millisecond)
		l, _ := start(t, func(n int) (Source, error) {
			if n == 1 {
				return first, nil
			}
			return second, nil
		})
		time.Sleep(250 * time.Millisecond)
		l.Adjust(Adjustment{Stops: -1})
		l.Adjust(Adjustment{Stops: -2})
		synctest.Wait()
		if len(first.got()) != 0 {
			t.Errorf("adjusted in the middle of a frame: %v", first.got())
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if want := []Adjustment{{Stops: -2}}; !slices.Equal(first.got(), want) {
			t.Errorf("adjusted %v, want %v", first.got(), want)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := []Adjustment{{Stops: -2}}; !slices.Equal(second.got(), want) || !l.Status().Live {
			t.Errorf("after dialling again: adjusted %v, want %v; %+v", second.got(), want, l.Status())
		}
		l.Adjust(Adjustment{})
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if want := []Adjustment{{Stops: -2}, {}}; !slices.Equal(second.got(), want) {
			t.Errorf("given back: adjusted %v, want %v", second.got(), want)
		}
	})
}
