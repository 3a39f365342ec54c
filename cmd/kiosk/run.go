package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
)

func run(ctx context.Context, args []string, stderr io.Writer) error {
	var file string
	if _, err := flags("run", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
	}); err != nil {
		return err
	}
	cfg, err := device.Load(file)
	if err != nil {
		// The panels that could be read, or the usual one: what stood there
		// before must not stay.
		leaveOutOfOrder(ctx, &cfg, logger(stderr, slog.LevelInfo))
		return err
	}
	// The memory that lives is 30 MB and frames need none: to collect sooner than
	// at twice as much costs nothing, and leaves small boards their memory.
	debug.SetGCPercent(30)
	log := logger(stderr, cfg.Level())
	// The image's unit says so: what ends with statusReboot there starts the machine.
	reboots := os.Getenv("MUNJIGI_REBOOTS") != ""
	d, err := device.New(cfg, device.Options{Log: log, Version: shortVersion(), Supervised: os.Getenv("INVOCATION_ID") != "", Reboots: reboots, Observe: func(e kiosk.Event) {
		switch e.Stage {
		case kiosk.Started:
			log.Debug("an answer begins", "verdict", string(e.Verdict), "seq", e.Seq)
		case kiosk.Ended:
			log.Debug("an answer was given", "verdict", string(e.Verdict), "seq", e.Seq, "outcome", e.Outcome.String(), "ms", e.At.Sub(e.Frame).Milliseconds())
		}
	}})
	if err != nil {
		// A door that cannot keep a visit must say so, also where it cannot start.
		leaveOutOfOrder(ctx, &cfg, log)
		return device.AtStart(err, reboots)
	}
	if i := d.Link.Identity(); i != nil {
		log.Info("the kiosk starts", "version", version(), "kiosk", i.Kiosk, "kind", i.Kind)
	} else {
		log.Warn("the kiosk starts, and is fresh: show it the registry's enrolment code or run kiosk enroll CODE", "version", version())
	}
	// On a single core the sound's thread would wait for the decoder's turn to end,
	// inside Go's scheduler, whatever the kernel's priority says: tens of milliseconds.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	debug.FreeOSMemory() // what starting took, prompts and letters above all, is not needed again
	all := append(d.Tasks(), watchdog(d, log))
	err = tasks.Run(ctx, log, func() { notify(log, daemon.SdNotifyReady) }, all...)
	notify(log, daemon.SdNotifyStopping)
	return errors.Join(err, d.Close())
}

// leaveOutOfOrder leaves that on the panels, as a stopped kiosk does.
func leaveOutOfOrder(ctx context.Context, cfg *device.Config, log *slog.Logger) {
	screen, err := cfg.NewScreen(log)
	if err != nil {
		log.Error("the screen cannot say that the reader is out of order", "err", err)
		return
	}
	runWhile(ctx, screen.Run, screen.Ready(), func() { screen.Show(display.State{Scene: display.OutOfOrder}) })
}

// watchdog feeds systemd's watchdog (WatchdogSec in the unit) while the loop
// makes progress: a frame that has been worked on for too long starves it.
func watchdog(d *device.Device, log *slog.Logger) tasks.Task {
	return tasks.Func{Name: "watchdog", Do: func(ctx context.Context) error {
		interval, err := daemon.SdWatchdogEnabled(false)
		if err != nil || interval == 0 {
			return err // not run by systemd, or without a watchdog
		}
		ticker := time.NewTicker(interval / 4)
		defer ticker.Stop()
		for {
			if stuck := d.Kiosk.Stuck(); stuck < interval/2 {
				notify(log, daemon.SdNotifyWatchdog)
			} else {
				log.Error("the loop is stuck at a frame", "for", stuck)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
		}
	}}
}

func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd could not be notified", "state", state, "err", err)
	}
}
