package lines

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Inputs are sampled, not waited for by edges: a contact bounces for some
// milliseconds, long wires catch pulses, and what was held for some samples is
// neither. Four lines cost 200 short system calls a second.
const sampleEvery = 20 * time.Millisecond

// checkEvery is how many samples lie between two looks whether a line is still
// there.
const checkEvery = int(250 * time.Millisecond / sampleEvery)

const (
	bounce      = 40 * time.Millisecond  // a button's
	arriveAfter = 100 * time.Millisecond // a sensor's flicker is nobody
	leftAfter   = 2 * time.Second        // who moves a little has not left
	shutAfter   = 200 * time.Millisecond // a door that shuts, bounces
)

// samples is how many in a row make a change that must last for d.
func samples(d time.Duration) int { return max(1, int(d/sampleEvery)) }

// input is one line that we listen to.
type input struct {
	part, name string
	low        bool // active while the line is low
	toGround   bool // a contact, which nothing drives while it is open
	missing    bool // what a line that is not there counts as
	rise, fall int  // how many samples make it active, and inactive
	change     func(active bool)

	pin    gpio.PinIO // nil: not there
	err    error
	known  bool // active was sampled once
	active bool
	differ int // samples in a row that differ from active
}

// is tells whether the input surely is active or inactive.
func (i *input) is(active bool) bool {
	if i.pin == nil || !i.known {
		return i.missing == active
	}
	return i.active == active
}

// open looks for the line. What it is at the start is no event: a button that
// is stuck or held at the start must come up first.
func (i *input) open(find func(string) (gpio.PinIO, error)) {
	pin, err := find(i.name)
	if err == nil {
		err = i.listenTo(pin)
	}
	if i.err = err; err != nil {
		return
	}
	i.pin, i.known, i.differ = pin, false, 0
	i.active = i.missing
}

// listenTo makes a line an input. A contact to ground needs its line pulled up;
// where the chip cannot, a resistor must.
func (i *input) listenTo(pin gpio.PinIO) error {
	pull := gpio.Float
	if i.toGround {
		pull = gpio.PullUp
	}
	err := pin.In(pull, gpio.NoEdge)
	if err != nil && i.toGround {
		err = pin.In(gpio.Float, gpio.NoEdge)
	}
	if err != nil {
		return i.broken(err)
	}
	return nil
}

func (i *input) broken(err error) error {
	return fmt.Errorf("line %s (gpio.%s) cannot be read (%w): check who may use /dev/gpiochip0 and who uses the line", i.name, i.part, err)
}

// listen takes a sample of every input and tells whether anything is new.
func (l *Lines) listen() (news bool) {
	l.sampled++
	for _, i := range l.inputs {
		if i.pin != nil && l.sampled%checkEvery == 0 && !l.alive(i) {
			news = true
		}
		if i.pin != nil && l.sample(i) {
			news = true
		}
	}
	return news
}

func (l *Lines) sample(i *input) (news bool) {
	active, first := (i.pin.Read() == gpio.High) != i.low, !i.known
	if active == i.active && !first {
		i.differ = 0
		return false
	}
	need := i.rise
	if !active {
		need = i.fall
	}
	if i.differ++; i.differ < need && !first {
		return false
	}
	if !l.alive(i) {
		return true
	}
	i.known, i.active, i.differ = true, active, 0
	if !first || i.missing {
		i.change(active)
	}
	return true
}

// alive asks the chip whether the line is still there, and gives it up where
// not. periph's Read takes an error for low, which would be a pressed button or
// a shut door: a chip that was unplugged must not open ours.
func (l *Lines) alive(i *input) bool {
	err := i.pin.In(gpio.PullNoChange, gpio.NoEdge)
	if err == nil {
		return true
	}
	err = i.broken(err)
	was := i.active
	i.pin, i.err, i.active = nil, err, i.missing
	if was != i.missing {
		i.change(i.missing)
	}
	return false
}
