package lines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// pins are fake lines; those in broken fail when they are switched on.
type pins struct {
	mu     sync.Mutex
	lines  map[string]*gpiotest.Pin
	broken string
}

func newPins(names ...string) *pins {
	p := &pins{lines: map[string]*gpiotest.Pin{}}
	for _, n := range names {
		p.lines[n] = &gpiotest.Pin{N: n, L: gpio.High} // as left by whoever was there before
	}
	return p
}

func (p *pins) find(name string) (gpio.PinIO, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.lines[name]; l != nil {
		return &fakeLine{l, p}, nil
	}
	return nil, fmt.Errorf("line %s is not there", name)
}

type fakeLine struct {
	*gpiotest.Pin
	pins *pins
}

func (f *fakeLine) Out(l gpio.Level) error {
	if l && f.N == f.pins.broken {
		return errors.New("no power")
	}
	return f.Pin.Out(l)
}

func (p *pins) String() string {
	var on []string
	for _, n := range []string{"green", "red", "door"} {
		if l := p.lines[n]; l != nil && l.Read() {
			on = append(on, n)
		}
	}
	return strings.Join(on, " ")
}

var config = Config{Green: "green", Red: "red", Door: "door", LampTime: 5 * time.Second, DoorTime: 3 * time.Second}

func run(t *testing.T, c Config, p *pins, test func(l *Lines)) {
	synctest.Test(t, func(t *testing.T) {
		l := New(c, slog.New(slog.DiscardHandler))
		l.find = p.find
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		<-l.Ready()
		test(l)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if on := p.String(); on != "" {
			t.Errorf("after the stop %s is on", on)
		}
	})
}

func TestLampsAndDoor(t *testing.T) {
	p := newPins("green", "red", "door")
	run(t, config, p, func(l *Lines) {
		want := func(on string) {
			t.Helper()
			synctest.Wait()
			if got := p.String(); got != on {
				t.Errorf("on: %q, want %q", got, on)
			}
		}
		want("")
		l.Signal(Accept)
		want("green door")
		time.Sleep(3 * time.Second)
		want("green")
		time.Sleep(2 * time.Second)
		want("")
		l.Signal(Accept)
		synctest.Wait()
		time.Sleep(time.Second)
		l.Signal(Refuse)
		want("red") // and the door is shut
		time.Sleep(4 * time.Second)
		l.Signal(Accept)
		synctest.Wait()
		time.Sleep(2 * time.Second)
		l.Signal(Accept) // the next visitor: the pulse begins anew
		synctest.Wait()
		time.Sleep(2 * time.Second)
		want("green door")
		time.Sleep(time.Second)
		want("green")
		l.Signal(Accept)
		l.Signal(Refuse)
		want("red") // the newest wins
		if s := l.State(); s.Err != nil || s.None {
			t.Errorf("state is %+v", s)
		}
		l.Signal(Accept)
		want("green door") // and Run switches them off at its end
	})
}

// TestTry: each output by itself, and none but the door's trial opens the door.
func TestTry(t *testing.T) {
	p := newPins("green", "red", "door")
	run(t, config, p, func(l *Lines) {
		for _, c := range []struct {
			trial Trial
			want  string
		}{{TryGreen, "green"}, {TryRed, "red"}, {TryBuzzer, "red"}, {TryDoor, "red door"}, {TryGreen, "green door"}} {
			l.Try(c.trial)
			synctest.Wait()
			if got := p.String(); got != c.want {
				t.Errorf("after %v %q is on, want %q", c.trial, got, c.want)
			}
		}
		time.Sleep(config.LampTime)
		synctest.Wait()
		if got := p.String(); got != "" {
			t.Errorf("%q is on still", got)
		}
	})
}

func TestLampsMissing(t *testing.T) {
	p := newPins("green")
	run(t, config, p, func(l *Lines) {
		l.Signal(Accept)
		synctest.Wait()
		if got := p.String(); got != "green" {
			t.Errorf("on: %q, want green", got)
		}
		if err := l.State().Err; err == nil || !strings.Contains(err.Error(), "door") {
			t.Errorf("state is %v, want one that names the door's line", err)
		}
		p.mu.Lock()
		p.lines["door"], p.lines["red"] = &gpiotest.Pin{N: "door"}, &gpiotest.Pin{N: "red"}
		p.mu.Unlock()
		time.Sleep(lineRetry + time.Second)
		synctest.Wait()
		if err := l.State().Err; err != nil {
			t.Errorf("after the lines came: %v", err)
		}
	})
	run(t, Config{}, newPins(), func(l *Lines) {
		l.Signal(Refuse)
		synctest.Wait()
		if s := l.State(); !s.None || s.Err != nil {
			t.Errorf("state is %+v, want none configured", s)
		}
	})
}

// TestDoorStaysShutOnError: when any line fails, all go off.
func TestDoorStaysShutOnError(t *testing.T) {
	for _, broken := range []string{"green", "door"} {
		p := newPins("green", "red", "door")
		p.broken = broken
		run(t, config, p, func(l *Lines) {
			l.Signal(Accept)
			synctest.Wait()
			if p.lines["door"].Read() {
				t.Errorf("%s is broken and the door is open", broken)
			}
			if err := l.State().Err; err == nil || !strings.Contains(err.Error(), broken) {
				t.Errorf("state is %v, want one that names %s", err, broken)
			}
		})
	}
}

func TestLampsActiveLow(t *testing.T) {
	p := newPins("green", "red", "door")
	c := config
	c.ActiveLow = true
	synctest.Test(t, func(t *testing.T) {
		l := New(c, slog.New(slog.DiscardHandler))
		l.find = p.find
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		<-l.Ready()
		if got := p.String(); got != "green red door" { // high is off
			t.Errorf("high: %q, want all", got)
		}
		l.Signal(Refuse)
		synctest.Wait()
		if got := p.String(); got != "green door" {
			t.Errorf("high: %q, want all but red", got)
		}
		cancel()
		<-done
		if got := p.String(); got != "green red door" {
			t.Errorf("high at the end: %q, want all", got)
		}
	})
}
