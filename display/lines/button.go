package lines

import (
	"fmt"

	"periph.io/x/conn/v3/gpio"
)

// Button says whether a button to ground is pressed on the machine's line of that
// name, for who has no use for Lines: before the kiosk starts.
func Button(name string) (pressed bool, err error) {
	pin, err := hostPin(name)
	if err != nil {
		return false, err
	}
	return pressedOn(pin)
}

// pressedOn asks twice, as periph's Read takes an error for a pressed button.
func pressedOn(pin gpio.PinIO) (bool, error) {
	i := input{name: pin.Name(), part: "button", toGround: true}
	if err := i.listenTo(pin); err != nil {
		return false, err
	}
	low := pin.Read() == gpio.Low
	if err := pin.In(gpio.PullNoChange, gpio.NoEdge); err != nil {
		return false, fmt.Errorf("line %s was there and is not any more: %w", pin.Name(), err)
	}
	return low, nil
}
