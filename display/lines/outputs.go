package lines

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// output is one line that we switch.
type output struct {
	part, name string
	pin        gpio.PinIO // nil: not there
	err        error
	// inverse is a fail-safe door: the relay is on while the door is shut.
	inverse bool
	on      bool            // lit, sounding, open
	timer   *time.Timer     // runs while there is a next step
	next    []time.Duration // lengths of the steps to come, on and off by turns
}

// begin switches o on and off by turns for the given times, in place of what
// it does now.
func (l *Lines) begin(o *output, steps ...time.Duration) {
	o.next = steps
	o.on = false
	l.step(o)
}

// step goes to the next step, and rests where there is none.
func (l *Lines) step(o *output) {
	if len(o.next) == 0 {
		l.rest(o)
		return
	}
	o.timer.Reset(o.next[0])
	o.next = o.next[1:]
	l.set(o, !o.on)
}

// rest switches o off: dark, silent, shut.
func (l *Lines) rest(o *output) {
	o.timer.Stop()
	o.next = nil
	l.set(o, false)
}

// set switches an output. One that fails is left without current and given up
// until it is looked for again; the door is shut then, whichever it was.
func (l *Lines) set(o *output, on bool) {
	o.on = on
	if o.pin == nil {
		return
	}
	err := o.pin.Out(l.level(on != o.inverse))
	if err == nil {
		return
	}
	_ = o.pin.Out(l.level(false))
	o.pin, o.on = nil, false
	o.timer.Stop()
	o.err = fmt.Errorf("line %s (gpio.%s) cannot be switched (%w): check its wiring and who may use /dev/gpiochip0", o.name, o.part, err)
	if o != l.door {
		l.shut()
	}
}

// level is the line's for a relay with or without current.
func (l *Lines) level(current bool) gpio.Level { return gpio.Level(current != l.config.ActiveLow) }

// prepare makes inputs and outputs of what is configured.
func (l *Lines) prepare() {
	c := &l.config
	out := func(part, name string) *output {
		o := &output{part: part, name: name, timer: stopped()}
		l.outputs = append(l.outputs, o)
		return o
	}
	l.green, l.red = out("green", c.Green), out("red", c.Red)
	l.buzzer, l.door = out("buzzer", c.Buzzer), out("door", c.Door)
	l.door.inverse = c.FailSafe
	l.held = stopped()
	in := func(part, name string, toGround, low bool, rise, fall time.Duration, change func(bool)) *input {
		if name == "" {
			return nil
		}
		i := &input{part: part, name: name, toGround: toGround, low: low, rise: samples(rise), fall: samples(fall), change: change}
		l.inputs = append(l.inputs, i)
		return i
	}
	press := func(e Event) func(bool) {
		return func(down bool) {
			if down {
				l.tell(e)
			}
		}
	}
	in("staff_button", c.StaffButton, true, true, bounce, bounce, press(StaffPressed))
	in("help_button", c.HelpButton, true, true, bounce, bounce, press(HelpPressed))
	in("presence", c.Presence, c.PresenceLow, c.PresenceLow, arriveAfter, leftAfter, func(there bool) {
		if there {
			l.tell(Arrived)
		} else {
			l.tell(Left)
		}
	})
	// High is an open door, or no contact at all; it counts at once.
	l.other = in("interlock", c.Interlock, true, false, 0, shutAfter, l.otherDoor)
	if l.other != nil {
		l.other.missing = true
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// release leaves every line without current: what a dead kiosk is like.
func (l *Lines) release() {
	for _, o := range l.outputs {
		o.timer.Stop()
		if o.pin != nil {
			_ = o.pin.Out(l.level(false))
		}
	}
	l.held.Stop()
	for _, i := range l.inputs {
		if i.pin != nil {
			_ = i.pin.Halt()
		}
	}
}

// look finds the lines that are not there yet, whose outputs rest then, and
// notices those that are gone before a visitor does.
func (l *Lines) look() {
	for _, o := range l.outputs {
		if o.name == "" {
			continue
		}
		if o.pin != nil {
			l.set(o, o.on)
		}
		if o.pin == nil {
			if o.pin, o.err = l.find(o.name); o.err == nil {
				l.rest(o)
			}
		}
	}
	for _, i := range l.inputs {
		if i.pin == nil {
			i.open(l.find)
		}
	}
}

// publish puts what is so now into the state, and news of it into the log.
func (l *Lines) publish() {
	s := State{Held: l.holding}
	var errs []error
	for _, o := range l.outputs {
		if o.name != "" {
			s.Lines = append(s.Lines, Line{o.part, o.name, o.on, o.err})
			errs = append(errs, o.err)
		}
	}
	for _, i := range l.inputs {
		s.Lines = append(s.Lines, Line{i.part, i.name, i.active, i.err})
		errs = append(errs, i.err)
	}
	s.None = len(s.Lines) == 0
	s.Err = errors.Join(errs...)
	l.mu.Lock()
	l.state = s
	l.mu.Unlock()
	text := ""
	if s.Err != nil {
		text = s.Err.Error()
	}
	if text != l.told && text != "" {
		l.log.Warn("lamps, door or buttons do not work", "err", s.Err)
	} else if text != l.told {
		l.log.Info("lamps, door and buttons work")
	}
	l.told = text
}
