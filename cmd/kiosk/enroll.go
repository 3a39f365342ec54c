package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// enroll makes this device a kiosk, or with -reset a fresh device. A daemon
// that runs notices by itself when it is enrolled.
func enroll(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var (
		file       string
		yes, reset bool
	)
	rest, err := flags("enroll", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
		f.BoolVar(&yes, "yes", false, "do not ask whether the registry is the right one")
		f.BoolVar(&reset, "reset", false, "forget who this kiosk is; visits that wait stay")
	})
	if err != nil {
		return err
	}
	cfg, err := device.Load(file)
	if err != nil {
		return err
	}
	if reset {
		if len(rest) > 0 {
			fmt.Fprintln(stderr, "kiosk enroll: give -reset alone, then the code in a second call")
			return errUsage
		}
		return forget(&cfg, stdout)
	}
	if len(rest) == 2 && rest[1] == "-yes" { // behind the code it is meant all the same
		rest, yes = rest[:1], true
	}
	if len(rest) != 1 {
		fmt.Fprintln(stderr, "kiosk enroll: give the code that the registry made, which begins with MJE1")
		return errUsage
	}
	e := &enrol.Enroller{Dir: cfg.Data, Version: shortVersion()}
	offer, err := e.Look(ctx, strings.TrimSpace(rest[0]))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "registry   %s\nits words  %s\nfacility   %s\n", offer.Registry, strings.Join(offer.Words, " "), offer.Facility)
	if !yes {
		fmt.Fprint(stdout, "\nAre these the words the registry's operator shows? [y/N] ")
		answer, err := bufio.NewReader(stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the answer: %w", err)
		}
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("not enrolled: this device is fresh still")
		}
	}
	i, err := offer.Accept(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "enrolled as kiosk %s (%s), certificate until %s\n", i.Kiosk, i.Kind, i.NotAfter().Format("2006-01-02"))
	if cfg.Owner.Listen == "" {
		return nil
	}
	fmt.Fprintln(stdout)
	return printPassword(&cfg, i, stdout)
}

// forget resets the device. The journal is opened so that no daemon goes on
// with an identity that is gone.
func forget(cfg *device.Config, stdout io.Writer) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("make the folder in data: %w", err)
	}
	j, err := journal.Open(cfg.Journal())
	if err != nil {
		return err
	}
	defer j.Close()
	s, err := j.Stats()
	if err != nil {
		return err
	}
	kiosk, err := j.Owner()
	if err != nil {
		return err
	}
	if err := errors.Join(enrol.Reset(cfg.Data), owner.Forget(cfg.Data)); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "this device is fresh")
	if s.Queue > 0 {
		fmt.Fprintf(stdout, "%d visits of kiosk %s wait still: they are sent when it is enrolled with a code that replaces that kiosk\n", s.Queue, kiosk)
	}
	return nil
}

// takeOver copies the visits of a broken device's disk into this one's journal.
func takeOver(args []string, stdout, stderr io.Writer) error {
	var file string
	rest, err := flags("takeover", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
	})
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		fmt.Fprintln(stderr, "kiosk takeover: name the journal.db of the device whose place this one takes")
		return errUsage
	}
	cfg, err := device.Load(file)
	if err != nil {
		return err
	}
	i, err := enrol.Load(cfg.Data)
	if err != nil {
		return fmt.Errorf("enrol this device first, with a code that replaces the broken one: %w", err)
	}
	j, err := journal.Open(cfg.Journal())
	if err != nil {
		return err
	}
	defer j.Close()
	if _, err := j.Claim(i.Kiosk); err != nil {
		return err
	}
	n, err := j.TakeOver(rest[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d visits of kiosk %s were taken over; they are sent when the kiosk runs\n", n, i.Kiosk)
	return nil
}
