package lines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// chip has lines by name. While it is gone they behave as periph's do after an
// unplug: In and Out fail, and Read says low.
type chip struct {
	mu    sync.Mutex
	lines map[string]*gpiotest.Pin
	gone  bool
	outs  map[string][]string // what was switched, and when
	pulls map[string]gpio.Pull
	began time.Time
}

type chipLine struct {
	*gpiotest.Pin
	chip *chip
}

func (c *chip) find(name string) (gpio.PinIO, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lines[name]; l != nil && !c.gone {
		return &chipLine{l, c}, nil
	}
	return nil, fmt.Errorf("line %s is not there", name)
}

// In differs from gpiotest's, which takes a pull for what drives the line.
func (l *chipLine) In(pull gpio.Pull, edge gpio.Edge) error {
	l.chip.mu.Lock()
	defer l.chip.mu.Unlock()
	if l.chip.gone {
		return errors.New("no such device")
	}
	if pull != gpio.PullNoChange {
		l.chip.pulls[l.N] = pull
	}
	return nil
}

func (l *chipLine) Read() gpio.Level {
	l.chip.mu.Lock()
	defer l.chip.mu.Unlock()
	return gpio.Level(!l.chip.gone) && l.Pin.Read()
}

func (l *chipLine) Out(level gpio.Level) error {
	l.chip.mu.Lock()
	defer l.chip.mu.Unlock()
	if l.chip.gone {
		return errors.New("no such device")
	}
	if l.Pin.Read() != level {
		l.chip.outs[l.N] = append(l.chip.outs[l.N], fmt.Sprintf("%v %s", time.Since(l.chip.began), level))
	}
	return l.Pin.Out(level)
}

func (c *chip) drive(name string, level gpio.Level) { _ = c.lines[name].Out(level) }

func (c *chip) high(name string) bool { return bool(c.lines[name].Read()) }

// switched is what an output was switched to, and when.
func (c *chip) switched(name string) []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.outs[name])
}

func (c *chip) setGone(gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = gone
}

// whole has every part. Buttons are up, nobody is there, the other door is shut.
var whole = Config{
	Green: "green", Red: "red", Buzzer: "buzzer", Door: "door", LampTime: 2 * time.Second, DoorTime: time.Second,
	Interlock: "other", StaffButton: "staff", HelpButton: "help", Presence: "presence",
}

// runChip runs lines on a chip; events returns those since the last call.
func runChip(t *testing.T, c Config, test func(ch *chip, l *Lines, events func(want ...Event))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ch := &chip{lines: map[string]*gpiotest.Pin{}, outs: map[string][]string{}, pulls: map[string]gpio.Pull{}, began: time.Now()}
		for name, high := range map[string]gpio.Level{"green": false, "red": false, "buzzer": false, "door": false, "other": false, "staff": true, "help": true, "presence": false} {
			ch.lines[name] = &gpiotest.Pin{N: name, L: high}
		}
		l := New(c, slog.New(slog.DiscardHandler))
		l.find = ch.find
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		<-l.Ready()
		time.Sleep(time.Second)
		test(ch, l, func(want ...Event) {
			t.Helper()
			synctest.Wait()
			var got []Event
			for len(l.Events()) > 0 {
				got = append(got, <-l.Events())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !ch.gone && (ch.high("green") || ch.high("red") || ch.high("buzzer") || ch.high("door")) {
			t.Error("after the stop a line has current")
		}
	})
}

// TestButtons: a press is one event, however the contact bounces and however long
// it is held.
func TestButtons(t *testing.T) {
	runChip(t, whole, func(ch *chip, l *Lines, events func(...Event)) {
		events()
		for range 10 { // bounces, and a pulse that a long wire caught
			ch.drive("staff", gpio.Low)
			time.Sleep(5 * time.Millisecond)
			ch.drive("staff", gpio.High)
			time.Sleep(30 * time.Millisecond)
		}
		events()
		ch.drive("staff", gpio.Low)
		time.Sleep(10 * time.Second)
		events(StaffPressed)
		ch.drive("help", gpio.Low)
		time.Sleep(100 * time.Millisecond)
		events(HelpPressed)
		ch.drive("staff", gpio.High)
		ch.drive("help", gpio.High)
		time.Sleep(100 * time.Millisecond)
		events()
		ch.drive("staff", gpio.Low)
		time.Sleep(100 * time.Millisecond)
		events(StaffPressed)
		want := map[string]gpio.Pull{"staff": gpio.PullUp, "help": gpio.PullUp, "other": gpio.PullUp, "presence": gpio.Float}
		synctest.Wait()
		if diff := cmp.Diff(want, ch.pulls); diff != "" {
			t.Errorf("pulls (-want +got):\n%s", diff)
		}
	})
}

// TestHeldAtStart: a button that is stuck when the kiosk starts admits nobody.
func TestHeldAtStart(t *testing.T) {
	runChip(t, Config{StaffButton: "door"}, func(ch *chip, l *Lines, events func(...Event)) { // low, as held
		time.Sleep(time.Minute)
		events()
		ch.drive("door", gpio.High)
		time.Sleep(time.Second)
		events()
		ch.drive("door", gpio.Low)
		time.Sleep(time.Second)
		events(StaffPressed)
	})
}

func TestPresence(t *testing.T) {
	runChip(t, whole, func(ch *chip, l *Lines, events func(...Event)) {
		ch.drive("presence", gpio.High)
		time.Sleep(60 * time.Millisecond) // a flicker
		ch.drive("presence", gpio.Low)
		time.Sleep(time.Second)
		events()
		ch.drive("presence", gpio.High)
		time.Sleep(200 * time.Millisecond)
		events(Arrived)
		for range 10 { // who moves a little has not left
			ch.drive("presence", gpio.Low)
			time.Sleep(time.Second)
			ch.drive("presence", gpio.High)
			time.Sleep(time.Second)
		}
		events()
		ch.drive("presence", gpio.Low)
		time.Sleep(3 * time.Second)
		events(Left)
	})
}

// TestInterlock: the door never opens while the other is open, and opens when
// that is shut; it shuts when the other opens.
func TestInterlock(t *testing.T) {
	runChip(t, whole, func(ch *chip, l *Lines, events func(...Event)) {
		door := func(open bool) {
			t.Helper()
			synctest.Wait()
			if got := ch.high("door"); got != open {
				t.Errorf("the door is open: %v, want %v", got, open)
			}
		}
		l.Signal(Accept)
		door(true)
		time.Sleep(300 * time.Millisecond)
		ch.drive("other", gpio.High)
		time.Sleep(sampleEvery)
		door(false) // at once
		events()
		time.Sleep(time.Second)
		l.Signal(Accept)
		time.Sleep(time.Second)
		door(false)
		events(DoorHeld)
		if !l.State().Held {
			t.Error("the state does not say that the door is held")
		}
		ch.drive("other", gpio.Low)
		time.Sleep(100 * time.Millisecond)
		door(false) // it may bounce
		time.Sleep(200 * time.Millisecond)
		door(true)
		events(DoorFreed)
		time.Sleep(time.Second)
		door(false)

		// A trial is nobody who waits.
		ch.drive("other", gpio.High)
		time.Sleep(time.Second)
		l.Try(TryDoor)
		time.Sleep(time.Second)
		ch.drive("other", gpio.Low)
		time.Sleep(time.Second)
		events()
		door(false)

		// Nobody waits for ever, nor after a refusal.
		for _, wait := range []func(){func() { time.Sleep(holdTime + time.Second) }, func() { l.Signal(Refuse); time.Sleep(time.Second) }} {
			ch.drive("other", gpio.High)
			time.Sleep(time.Second)
			l.Signal(Accept)
			time.Sleep(time.Second)
			events(DoorHeld)
			wait()
			events(DoorKept)
			ch.drive("other", gpio.Low)
			time.Sleep(time.Second)
			events()
			door(false)
		}
	})
	// A contact that is not there is an open door.
	lost := whole
	lost.Interlock = "nowhere"
	runChip(t, lost, func(ch *chip, l *Lines, events func(...Event)) {
		l.Signal(Accept)
		time.Sleep(100 * time.Millisecond)
		events(DoorHeld)
		if ch.high("door") {
			t.Error("the door is open, and nobody knows of the other")
		}
		if err := l.State().Err; err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("state is %v", err)
		}
	})
}

// TestFailSafe: the magnet has current while the door is shut, and none after the
// stop.
func TestFailSafe(t *testing.T) {
	c := whole
	c.FailSafe = true
	runChip(t, c, func(ch *chip, l *Lines, events func(...Event)) {
		l.Signal(Accept)
		time.Sleep(2 * time.Second)
		l.Signal(Refuse)
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"0s High", "1s Low", "2s High"}, ch.switched("door")); diff != "" {
			t.Errorf("the magnet's current (-want +got):\n%s", diff)
		}
	})
}

// TestBuzzer: yes and no differ in rhythm, and a call for help from both.
func TestBuzzer(t *testing.T) {
	for _, tc := range []struct {
		signal Signal
		want   []string
	}{
		{Accept, []string{"1s High", "1.12s Low"}},
		{Refuse, []string{"1s High", "1.25s Low", "1.4s High", "1.65s Low"}},
		{Help, []string{"1s High", "1.6s Low", "1.8s High", "2.4s Low", "2.6s High", "3.2s Low"}},
	} {
		runChip(t, whole, func(ch *chip, l *Lines, events func(...Event)) {
			l.Signal(tc.signal)
			time.Sleep(5 * time.Second)
			if diff := cmp.Diff(tc.want, ch.switched("buzzer")); diff != "" {
				t.Errorf("signal %d (-want +got):\n%s", tc.signal, diff)
			}
			if open := len(ch.switched("door")) > 0; open != (tc.signal == Accept) {
				t.Errorf("signal %d opened the door: %v", tc.signal, open)
			}
		})
	}
}

// TestUnplugged: a chip that goes away presses no button and opens no door, is
// told, and works again when it is back.
func TestUnplugged(t *testing.T) {
	runChip(t, whole, func(ch *chip, l *Lines, events func(...Event)) {
		ch.drive("presence", gpio.High)
		time.Sleep(time.Second)
		events(Arrived)
		ch.setGone(true)
		time.Sleep(3 * time.Second)
		events(Left) // and no button, though all read low
		s := l.State()
		if s.Err == nil || !strings.Contains(s.Err.Error(), "staff") {
			t.Errorf("state is %v, want one that names the lines", s.Err)
		}
		l.Signal(Accept)
		time.Sleep(time.Second)
		events(DoorHeld) // nobody knows of the other door
		ch.setGone(false)
		time.Sleep(lineRetry + time.Second)
		if err := l.State().Err; err != nil {
			t.Errorf("the chip is back: %v", err)
		}
		events(DoorFreed)
		l.Signal(Accept)
		synctest.Wait()
		if !ch.high("door") || !ch.high("green") {
			t.Error("the chip is back and nothing opens")
		}
		ch.drive("staff", gpio.Low)
		time.Sleep(time.Second)
		events(StaffPressed)
	})
}
