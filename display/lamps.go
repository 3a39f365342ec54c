package display

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Signal is what the lamps say.
type Signal int

const (
	Accept Signal = iota + 1 // green, and the door opens
	Refuse                   // red
)

// LampConfig names the lines, e.g. "GPIO17"; an empty name is a part that is
// not there.
type LampConfig struct {
	Green, Red, Door string
	// ActiveLow is for relay boards that switch on when the line is low.
	ActiveLow bool
	LampTime  time.Duration // how long a lamp is lit; zero means 3 s
	DoorTime  time.Duration // how long the door's relay is closed; zero means 3 s
}

// LampState is what `kiosk check` shows of the lamps.
type LampState struct {
	None bool  // nothing is configured
	Err  error // what is missing and what to do; nil: all is well
}

// Lamps drives a green and a red lamp and a door's relay. It fails secure:
// every line is off at the start, at the stop and after any error, and a door
// is never open for longer than its pulse.
type Lamps struct {
	config LampConfig
	log    *slog.Logger
	find   func(name string) (gpio.PinOut, error)
	ready  chan struct{}
	signal chan Signal // capacity 1: the newest

	lines []*outLine // Run's goroutine only

	mu    sync.Mutex
	state LampState
}

// NewLamps makes the lamps; lines are looked for by Run.
func NewLamps(c LampConfig, log *slog.Logger) *Lamps {
	if c.LampTime <= 0 {
		c.LampTime = 3 * time.Second
	}
	if c.DoorTime <= 0 {
		c.DoorTime = 3 * time.Second
	}
	return &Lamps{config: c, log: log, find: hostPin, ready: make(chan struct{}), signal: make(chan Signal, 1)}
}

// Signal lights a lamp, in place of the one that is lit. It never blocks.
func (l *Lamps) Signal(s Signal) {
	for {
		select {
		case l.signal <- s:
			return
		default:
		}
		select {
		case <-l.signal:
		default:
		}
	}
}

// State tells how the lamps are.
func (l *Lamps) State() LampState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Ready is closed once the lines were looked for.
func (l *Lamps) Ready() <-chan struct{} { return l.ready }

func (l *Lamps) String() string { return "lamps" }

// lineRetry is how often missing lines are looked for again.
const lineRetry = 30 * time.Second

// outLine is one output and the time it is on.
type outLine struct {
	name  string
	pin   gpio.PinOut
	timer *time.Timer
}

// Run switches the lamps until ctx ends, and then all of them off. It returns
// nil; a missing line is a State, not an error.
func (l *Lamps) Run(ctx context.Context) error {
	green, red, door := &outLine{name: l.config.Green}, &outLine{name: l.config.Red}, &outLine{name: l.config.Door}
	l.lines = []*outLine{green, red, door}
	for _, o := range l.lines {
		o.timer = time.NewTimer(time.Hour)
		o.timer.Stop()
	}
	defer l.allOff()
	l.look()
	close(l.ready)
	again := time.NewTicker(lineRetry)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			if l.State().Err != nil {
				l.look()
			}
		case s := <-l.signal:
			// Off before on: never two lamps at once, and a refusal shuts the door.
			switch s {
			case Accept:
				l.off(red)
				l.on(door, l.config.DoorTime)
				l.on(green, l.config.LampTime)
			case Refuse:
				l.off(green)
				l.off(door)
				l.on(red, l.config.LampTime)
			}
		case <-green.timer.C:
			l.set(green, false)
		case <-red.timer.C:
			l.set(red, false)
		case <-door.timer.C:
			l.set(door, false)
		}
	}
}

func (l *Lamps) on(o *outLine, d time.Duration) {
	o.timer.Reset(d)
	l.set(o, true)
}

func (l *Lamps) off(o *outLine) {
	o.timer.Stop()
	l.set(o, false)
}

func (l *Lamps) allOff() {
	for _, o := range l.lines {
		l.off(o)
	}
}

// set switches a line. When one fails, all are switched off, and that one is
// given up until it is looked for again.
func (l *Lamps) set(o *outLine, on bool) {
	if o.pin == nil {
		return
	}
	if err := o.pin.Out(gpio.Level(on != l.config.ActiveLow)); err != nil {
		_ = o.pin.Out(gpio.Level(l.config.ActiveLow))
		o.pin = nil
		l.allOff()
		l.fail(fmt.Errorf("line %s cannot be switched (%w): check its wiring and who may use /dev/gpiochip0", o.name, err))
	}
}

// look finds the lines that are not there yet and switches them off.
func (l *Lamps) look() {
	var missing []string
	named := false
	for _, o := range l.lines {
		if o.name == "" {
			continue
		}
		named = true
		if o.pin != nil {
			continue
		}
		pin, err := l.find(o.name)
		if err != nil {
			missing = append(missing, err.Error())
			continue
		}
		o.pin = pin
		l.set(o, false)
		if o.pin == nil {
			missing = append(missing, "line "+o.name+" cannot be switched: check who may use /dev/gpiochip0")
		}
	}
	if len(missing) > 0 {
		l.fail(fmt.Errorf("%s", strings.Join(missing, "; ")))
		return
	}
	l.mu.Lock()
	l.state = LampState{None: !named}
	l.mu.Unlock()
}

func (l *Lamps) fail(err error) {
	l.mu.Lock()
	news := l.state.Err == nil || l.state.Err.Error() != err.Error()
	l.state.Err = err
	l.mu.Unlock()
	if news {
		l.log.Warn("lamps or door do not work", "err", err)
	}
}
