package lines

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// gone is a line whose chip is unplugged once it was made an input.
type gone struct {
	*gpiotest.Pin
	asked int
}

func (g *gone) In(gpio.Pull, gpio.Edge) error {
	if g.asked++; g.asked > 1 {
		return errors.New("no such device")
	}
	return nil
}

func TestPressedOn(t *testing.T) {
	pin := &chipLine{Pin: &gpiotest.Pin{N: "GPIO21"}, chip: &chip{pulls: map[string]gpio.Pull{}}}
	for _, level := range []gpio.Level{gpio.High, gpio.Low} {
		pin.L = level
		if got, err := pressedOn(pin); err != nil || got != (level == gpio.Low) {
			t.Errorf("%v: got %v, %v", level, got, err)
		}
	}
	if got, err := pressedOn(&gone{Pin: &gpiotest.Pin{N: "GPIO21", L: gpio.Low}}); err == nil || got {
		t.Errorf("a line that is gone is a pressed button: %v, %v", got, err)
	}
}
