package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/slot"
)

// card is a link to the whole card that udev made (image/root).
const card = "/dev/munjigi-card"

// backend answers RAUC as its custom boot loader backend (RAUC reference manual,
// "Custom Bootloader Backend Interface").
func backend(args []string, stdout io.Writer) error {
	f, err := os.OpenFile(card, os.O_RDWR|os.O_SYNC, 0)
	if err != nil {
		return fmt.Errorf("open the card: %w", err)
	}
	defer f.Close()
	return answer(f, args, running(), stdout)
}

// answer is backend on any card; now is the root that runs.
func answer(c slot.Card, args []string, now string, stdout io.Writer) error {
	name := ""
	if len(args) > 1 {
		if name = args[1]; name != "A" && name != "B" {
			return fmt.Errorf("there is no root %q: A or B", name)
		}
	}
	switch {
	case len(args) == 1 && args[0] == "get-primary":
		s, err := slot.Read(c)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, s.Starts())
		return nil
	case len(args) == 1 && args[0] == "get-current":
		fmt.Fprintln(stdout, now)
		return nil
	case len(args) == 2 && args[0] == "get-state":
		s, err := slot.Read(c)
		if err != nil {
			return err
		}
		state := "good"
		if s.Left[name] == slot.Bad {
			state = "bad"
		}
		fmt.Fprintln(stdout, state)
		return nil
	case len(args) == 2 && args[0] == "set-primary":
		return slot.Change(c, func(s *slot.State) {
			s.Primary = name
			if name != now {
				s.Left[name] = slot.Trial
			}
		})
	case len(args) == 3 && args[0] == "set-state" && args[2] == "good":
		return slot.Change(c, func(s *slot.State) { s.Left[name] = slot.Good })
	case len(args) == 3 && args[0] == "set-state" && args[2] == "bad":
		return slot.Change(c, func(s *slot.State) { s.Left[name] = slot.Bad })
	}
	return errUsage
}

// running is the root that runs, as the boot loader told the kernel.
func running() string {
	b, _ := os.ReadFile("/proc/cmdline")
	for word := range strings.FieldsSeq(string(b)) {
		if name, ok := strings.CutPrefix(word, "rauc.slot="); ok {
			return name
		}
	}
	return ""
}

// How long the kiosk must run without a restart until its root is good, and how
// long it has for that.
const proof, patience = time.Minute, 3 * time.Minute

// confirm judges a root on trial: it is good, or the machine starts anew with the
// old one.
func confirm(ctx context.Context) error {
	f, err := os.OpenFile(card, os.O_RDWR|os.O_SYNC, 0)
	if err != nil {
		return fmt.Errorf("open the card: %w", err)
	}
	defer f.Close()
	s, err := slot.Read(f)
	if err != nil {
		return err
	}
	now := running()
	if s.Left[now] == slot.Good {
		return nil
	}
	if healthy(ctx, proof, patience, time.Second, kioskRuns) {
		fmt.Println("the root proved itself:", now)
		return slot.Change(f, func(s *slot.State) { s.Primary, s.Left[now] = now, slot.Good })
	}
	if ctx.Err() != nil {
		return nil // switched off meanwhile: it has its other tries
	}
	fmt.Fprintln(os.Stderr, "machine: the kiosk does not run under this root: starting anew")
	if err := slot.Change(f, func(s *slot.State) { reject(s, now) }); err != nil {
		return err // the unit starts anew, too: one try less
	}
	return exec.CommandContext(ctx, "systemctl", "reboot").Run()
}

// reject takes a root that did not prove itself out of the way of one that did: each
// further try would cost the door minutes. Where there is none it keeps its tries.
func reject(s *slot.State, now string) {
	if other := slot.Other(now); s.Left[other] == slot.Good {
		s.Primary, s.Left[now] = other, slot.Bad
	}
}

// healthy says whether look gives the same name, not "", for as long as proof
// within patience.
func healthy(ctx context.Context, proof, patience, every time.Duration, look func(context.Context) string) bool {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var since time.Duration
	last := ""
	for spent := time.Duration(0); spent <= patience; spent += every {
		now := look(ctx)
		if now == "" || now != last {
			since = 0
		} else if since += every; since >= proof {
			return true
		}
		last = now
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return false
}

// kioskRuns names the kiosk's process, "" while there is none that is ready.
func kioskRuns(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "systemctl", "show", "-P", "ActiveState", "-P", "MainPID", "munjigi-kiosk.service").Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) != 2 {
		return ""
	}
	for _, w := range words {
		if w == "active" {
			return strings.Join(words, " ")
		}
	}
	return ""
}

// exists says whether a file is there.
func exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return !errors.Is(err, os.ErrNotExist)
}
