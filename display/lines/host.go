package lines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// chips are the process's own, as periph keeps them; they are opened when the
// first line is looked for, and nowhere else.
//
// Lines come from the kernel's GPIO character devices alone: what periph knows of
// a Raspberry Pi's registers needs /dev/gpiomem or a writable /sys, which the unit
// gives us not, and is no use on a Raspberry Pi 5.
var chips struct {
	sync.Mutex
	nodes []string // /dev/gpiochip* when they were opened last
	first int      // the first of those in gpioioctl.Chips
	taken bool     // file descriptor 0 is somebody else's now: see keepInput
}

// hostPin finds a line of this machine by its name, among chips that may have
// been plugged in since the last call.
func hostPin(name string) (gpio.PinIO, error) {
	chips.Lock()
	defer chips.Unlock()
	if err := openChips(); err != nil {
		return nil, err
	}
	for _, chip := range gpioioctl.Chips[chips.first:] { // those before may be gone
		// periph puts the chip's name before that of a line known from another.
		for _, n := range []string{name, chip.Name() + "-" + name} {
			if line := chip.ByName(n); line != nil {
				return line, nil
			}
		}
	}
	return nil, fmt.Errorf("line %s is not there: see gpioinfo for the lines' names", name)
}

// openChips opens all chips where nodes have come or gone since the last time.
// periph v3.8.5 offers no way to open one, and its Close closes file descriptor 0
// as well: the chips opened before stay open, some for each change.
func openChips() error {
	nodes := chipNodes()
	if slices.Equal(nodes, chips.nodes) {
		return nil
	}
	if len(nodes) == 0 {
		chips.nodes = nil
		return errors.New("no GPIO chip is there (no /dev/gpiochip*): check its driver")
	}
	before := len(gpioioctl.Chips)
	err := keepInput(initChips)
	if err == nil && len(gpioioctl.Chips) == before {
		err = errors.New("no chip could be opened: check who may use /dev/gpiochip0")
	}
	if err != nil {
		return fmt.Errorf("GPIO cannot be used: %w", err)
	}
	chips.nodes, chips.first = nodes, before
	return nil
}

// initChips makes periph open every chip's node.
func initChips() error {
	before := len(gpioioctl.Chips)
	state, err := driverreg.Init()
	if err == nil && len(gpioioctl.Chips) == before { // periph looked earlier
		for _, d := range state.Loaded {
			if d.String() == "ioctl-gpio" {
				_, err = d.Init()
			}
		}
		for _, d := range slices.Concat(state.Skipped, state.Failed) {
			if d.D.String() == "ioctl-gpio" {
				_, err = d.D.Init()
			}
		}
	}
	return err
}

// chipNodes names the chips' device nodes, each with who may use it and since when.
func chipNodes() (nodes []string) {
	names, _ := filepath.Glob("/dev/gpiochip*") // fails for a bad pattern alone
	for _, n := range names {
		if info, err := os.Stat(n); err == nil {
			nodes = append(nodes, fmt.Sprint(n, info.Mode(), info.ModTime()))
		}
	}
	return nodes
}
