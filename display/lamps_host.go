package display

import (
	"fmt"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3"
)

// hostPin finds a line of this machine by name: a Raspberry Pi's own, or any
// named line of a /dev/gpiochip. periph's registry is the process's own; it is
// filled here, at the first line that a configuration names, and nowhere else.
func hostPin(name string) (gpio.PinOut, error) {
	if _, err := host.Init(); err != nil {
		return nil, fmt.Errorf("GPIO cannot be used: %w", err)
	}
	if p := gpioreg.ByName(name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("line %s is not there: see gpioinfo for the lines' names", name)
}
