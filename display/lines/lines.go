// Package lines drives what hangs on the device's GPIO lines: a green and a
// red lamp, a buzzer, the door's relay; and listens to the staff's button, the
// help button, a presence sensor and the contact of another door.
//
// Use [New] and run the [Lines] as a task. Nothing here is needed to check a
// visitor in: a missing line is warned about, shown in [Lines.State] and looked
// for again, and everything else goes on.
//
// # The door
//
// The relay is pulsed for Config.DoorTime. A fail-secure lock (the default; a
// strike that is locked without current) rests with the relay off, and so it
// is left by a stop or an error. With Config.FailSafe (a magnet that is open without
// current, as on escape routes) the relay holds the door shut while the kiosk
// runs, and a stop, a crash or a power cut opens it.
//
// With an interlock the door never opens while the other door is open, and
// is shut at once where the other opens meanwhile. The contact is wired to ground and
// closed while the other door is: a broken wire and a missing line count as an
// open door.
package lines

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Signal is what lamps, buzzer and door tell.
type Signal int

const (
	Accept Signal = iota + 1 // green, a short beep, and the door opens
	Refuse                   // red, two longer beeps, and the door is shut
	Help                     // staff are called: three long beeps; lamps and door stay
)

// Trial is one output switched by itself, for who mounts the kiosk and looks
// whether it works.
type Trial int

const (
	TryGreen Trial = iota + 1
	TryRed
	TryBuzzer
	TryDoor // opens the door, as for a visitor
)

// Event is what happened at an input, or at the door.
type Event int

const (
	StaffPressed Event = iota + 1 // the staff's button went down
	HelpPressed                   // the help button went down
	Arrived                       // somebody stands before the door
	Left                          // nobody does any more
	DoorHeld                      // accepted, but the other door is open: ours waits
	DoorFreed                     // the other door has shut: ours opens for who waited
	DoorKept                      // nobody waits any more: it took too long, or somebody was refused
)

func (e Event) String() string {
	switch e {
	case StaffPressed:
		return "staff-pressed"
	case HelpPressed:
		return "help-pressed"
	case Arrived:
		return "arrived"
	case Left:
		return "left"
	case DoorHeld:
		return "door-held"
	case DoorFreed:
		return "door-freed"
	case DoorKept:
		return "door-kept"
	}
	return "none"
}

// Config names the lines as the kernel does, e.g. "GPIO17" (see gpioinfo); an
// empty name is a part that is not there.
type Config struct {
	Green, Red, Buzzer, Door string
	// ActiveLow is for relay boards that switch on when the line is low.
	ActiveLow bool
	// FailSafe is for a lock that is open without current.
	FailSafe bool
	LampTime time.Duration // how long a lamp is lit; zero means 3 s
	DoorTime time.Duration // how long the door is open; zero means 3 s

	// Interlock is the other door's contact: low while that door is shut.
	Interlock string
	// The buttons connect their line to ground while they are pressed.
	StaffButton, HelpButton string
	// Presence is a sensor whose line is high while somebody is there, or low
	// with PresenceLow.
	Presence    string
	PresenceLow bool
	// Reset is the line of a button that others look at before Lines run (Button):
	// named here so that nothing else is given it.
	Reset string
}

// Check says whether two parts share a line, which none of them could use then.
func (c Config) Check() error {
	taken := map[string]string{}
	for _, p := range []struct{ part, name string }{
		{"green", c.Green}, {"red", c.Red}, {"buzzer", c.Buzzer}, {"door", c.Door}, {"interlock", c.Interlock},
		{"staff_button", c.StaffButton}, {"help_button", c.HelpButton}, {"presence", c.Presence},
		{"reset", c.Reset},
	} {
		if other := taken[p.name]; p.name != "" && other != "" {
			return fmt.Errorf("gpio.%s and gpio.%s are both %q: give each part a line of its own", p.part, other, p.name)
		}
		taken[p.name] = p.part
	}
	return nil
}

// Line is one configured line.
type Line struct {
	Part string // its key in the configuration: "green", "staff_button", …
	Name string
	On   bool  // lit, sounding, open; pressed, present, the other door open
	Err  error // what is wrong and what to do; nil: it works
}

// State is what `kiosk check` and the owner's page show.
type State struct {
	None  bool   // nothing is configured
	Err   error  // what is missing and what to do; nil: all is well
	Lines []Line // as configured
	Held  bool   // a visitor was accepted and waits for the other door to shut
}

const (
	// lineRetry is how often missing lines are looked for again.
	lineRetry = 5 * time.Second
	// holdTime is how long an accepted visitor waits for the other door.
	holdTime = 15 * time.Second
	// defaultTime is a lamp's and the door's.
	defaultTime = 3 * time.Second
)

// Lines is a Task.
type Lines struct {
	config Config
	log    *slog.Logger
	find   func(name string) (gpio.PinIO, error)
	ready  chan struct{}
	signal chan Signal // capacity 1: the newest
	trial  chan Trial  // capacity 1; apart, so that none takes a visitor's signal's place
	events chan Event

	// Run's goroutine only.
	green, red, buzzer, door *output
	outputs                  []*output
	inputs                   []*input
	other                    *input      // the interlock's, nil for none
	held                     *time.Timer // runs while an accepted visitor waits for the other door
	holding                  bool
	sampled                  int    // samples taken
	told                     string // the error that stands in the log

	mu    sync.Mutex
	state State
}

// New makes the lines; they are looked for by Run.
func New(c Config, log *slog.Logger) *Lines {
	if c.LampTime <= 0 {
		c.LampTime = defaultTime
	}
	if c.DoorTime <= 0 {
		c.DoorTime = defaultTime
	}
	return &Lines{config: c, log: log, find: hostPin, ready: make(chan struct{}), signal: make(chan Signal, 1), trial: make(chan Trial, 1), events: make(chan Event, 16)}
}

// Signal gives a signal in place of the one before. It never blocks.
func (l *Lines) Signal(s Signal) {
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

// Try tries an output. It never blocks: while one trial waits, another is
// dropped.
func (l *Lines) Try(t Trial) {
	select {
	case l.trial <- t:
	default:
	}
}

// Events are what happened, oldest first. Those that nobody takes are dropped
// when 16 wait.
func (l *Lines) Events() <-chan Event { return l.events }

func (l *Lines) tell(e Event) {
	select {
	case l.events <- e:
	default:
		l.log.Warn("an event of the lines was dropped: nobody takes them", "event", e.String())
	}
}

// State tells how the lines are.
func (l *Lines) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Ready is closed once the lines were looked for.
func (l *Lines) Ready() <-chan struct{} { return l.ready }

func (l *Lines) String() string { return "lines" }

// Run switches and listens until ctx ends, and then switches everything off.
// It returns nil; a missing line is a State, not an error.
func (l *Lines) Run(ctx context.Context) error {
	l.prepare()
	defer l.release()
	l.look()
	l.publish()
	close(l.ready)
	again := time.NewTicker(lineRetry)
	defer again.Stop()
	var sample <-chan time.Time // never, where there is nothing to listen to
	if len(l.inputs) > 0 {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		sample = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			l.look()
		case <-sample:
			if !l.listen() {
				continue // as nearly always: nothing is new
			}
		case s := <-l.signal:
			l.give(s)
		case t := <-l.trial:
			l.try(t)
		case <-l.green.timer.C:
			l.step(l.green)
		case <-l.red.timer.C:
			l.step(l.red)
		case <-l.buzzer.timer.C:
			l.step(l.buzzer)
		case <-l.door.timer.C:
			l.step(l.door)
		case <-l.held.C:
			l.holding = false
			l.tell(DoorKept)
			l.log.Warn("an accepted visitor's door stayed shut: the other door was open all the time")
		}
		l.publish()
	}
}

// give does what a signal asks for. Off before on: never two lamps at once, and
// a refusal shuts the door.
func (l *Lines) give(s Signal) {
	switch s {
	case Accept:
		l.rest(l.red)
		l.admit()
		l.begin(l.green, l.config.LampTime)
		l.begin(l.buzzer, 120*time.Millisecond)
	case Refuse:
		l.rest(l.green)
		l.shut()
		l.begin(l.red, l.config.LampTime)
		l.begin(l.buzzer, 250*time.Millisecond, 150*time.Millisecond, 250*time.Millisecond)
	case Help:
		l.begin(l.buzzer, 600*time.Millisecond, 200*time.Millisecond, 600*time.Millisecond, 200*time.Millisecond, 600*time.Millisecond)
	}
}

// try switches one output. Still never two lamps at once.
func (l *Lines) try(t Trial) {
	switch t {
	case TryGreen:
		l.rest(l.red)
		l.begin(l.green, l.config.LampTime)
	case TryRed:
		l.rest(l.green)
		l.begin(l.red, l.config.LampTime)
	case TryBuzzer:
		l.begin(l.buzzer, 120*time.Millisecond)
	case TryDoor:
		if !l.free() {
			l.log.Info("the door was not tried: the other door is open")
			return
		}
		l.begin(l.door, l.config.DoorTime)
	}
}

// admit opens the door, or waits for the other one to shut.
func (l *Lines) admit() {
	if l.free() {
		l.unhold()
		l.begin(l.door, l.config.DoorTime)
		return
	}
	if !l.holding {
		l.log.Info("the door is held: the other door is open")
	}
	l.holding = true
	l.held.Reset(holdTime)
	l.tell(DoorHeld)
}

// free says whether the other door lets ours open.
func (l *Lines) free() bool { return l.other == nil || l.other.is(false) && l.alive(l.other) }

func (l *Lines) shut() {
	if l.holding {
		l.tell(DoorKept)
	}
	l.unhold()
	l.rest(l.door)
}

func (l *Lines) unhold() {
	l.holding = false
	l.held.Stop()
}

// otherDoor does what the other door's opening or shutting asks for.
func (l *Lines) otherDoor(open bool) {
	switch {
	case open && l.door.on:
		l.log.Warn("the door was shut: the other door opened meanwhile")
		l.rest(l.door)
	case !open && l.holding:
		l.unhold()
		l.tell(DoorFreed)
		l.begin(l.door, l.config.DoorTime)
	}
}
