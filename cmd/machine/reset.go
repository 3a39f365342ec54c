package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/machine"
	"github.com/munjigi/munjigi/display/lines"
)

// factoryReset empties the data once for each time that the file is put on the
// card: the small partition is never written to, so what was done is remembered
// on the other.
func factoryReset(root string) error {
	done := filepath.Join(root, data, "reset-done")
	_, err := os.Stat(filepath.Join(root, settings, "factory-reset"))
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Remove(done); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the last factory reset: %w", err)
		}
		return nil
	}
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := empty(root); err != nil {
		return err
	}
	f, err := os.Create(done)
	if err != nil {
		return fmt.Errorf("remember the factory reset: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// empty takes everything out of the data's folders, and what a check of the file
// system found without a name. The folders stay: they are mounted elsewhere, and
// have their owners.
func empty(root string) error {
	inside, err := filepath.Glob(filepath.Join(root, data, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range inside {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("factory reset: %w", err)
		}
	}
	return nil
}

// How long the button of a factory reset is held, how long there is to let go of it,
// and how often it is looked at.
const (
	hold  = 10 * time.Second
	letGo = 10 * time.Second
	look  = 100 * time.Millisecond
)

// resetButton empties the data where the button on that line is held while the
// device starts. A line that cannot be read costs the button, not the door.
func resetButton(ctx context.Context, root string, taken lines.Config, line string) error {
	if line == "" {
		return nil
	}
	taken.Reset = line
	if err := taken.Check(); err != nil {
		err = fmt.Errorf("device.toml, reset.button: %w", err)
		show(root, machine.Explain("device.toml", err))
		return err
	}
	pressed := func() (bool, error) { return lines.Button(line) }
	reset, err := asked(ctx, pressed, func(n machine.Notice) { show(root, n) })
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "machine: no factory reset by button:", err)
		return nil
	case !reset:
		return nil
	}
	fmt.Println("factory reset by button")
	return empty(root)
}

// asked says whether somebody holds the button and lets go of it when told to: a
// button that sticks, or a wire to ground, must not empty a device at each start.
func asked(ctx context.Context, pressed func() (bool, error), say func(machine.Notice)) (bool, error) {
	var down bool
	var err error
	// The chip's driver may still be on its way.
	for range 20 {
		if down, err = pressed(); err == nil {
			break
		}
		if err := wait(ctx, look); err != nil {
			return false, err
		}
	}
	if err != nil || !down {
		return false, err
	}
	say(machine.Holding)
	for range hold / look {
		if err := wait(ctx, look); err != nil {
			return false, err
		}
		if down, err = pressed(); err != nil || !down {
			return false, err
		}
	}
	say(machine.LetGo)
	for range letGo / look {
		if err := wait(ctx, look); err != nil {
			return false, err
		}
		if down, err = pressed(); err != nil || !down {
			return !down && err == nil, err
		}
	}
	return false, errors.New("the line stays low: the button sticks, or touches ground")
}

// wait waits, unless ctx ends first.
func wait(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}
