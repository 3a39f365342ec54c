package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/journal"
)

// finding is one line of the card.
type finding struct {
	part string
	warn bool  // err is worth knowing, but the door works
	err  error // nil: all is well
	text string
}

// check opens every part as the daemon would and prints a card. It is run
// while the daemon is stopped: journal, camera and sound have one user.
func check(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var file string
	if _, err := flags("check", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
	}); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\n\n", version())
	cfg, err := device.Load(file)
	if err != nil {
		return errors.Join(print(stdout, finding{part: "config", err: err}), errFailed)
	}
	failed := print(stdout, finding{part: "config", text: file}) != nil
	here := clock.System()
	quiet := slog.New(slog.DiscardHandler)
	up := newUplinks(&cfg, here)
	for _, part := range []func() finding{
		func() finding { return checkDisk(&cfg) },
		func() finding { return checkJournal(&cfg, here) },
		up.enrolment,
		func() finding { return up.registry(ctx) }, // asks for what the next lines look at
		func() finding { return checkClock(&cfg, here) },
		up.bundle,
		func() finding { return checkDecoder() },
		func() finding { return checkCamera(ctx, &cfg) },
		func() finding { return checkScreen(ctx, &cfg, quiet) },
		func() finding { return checkSound(ctx, &cfg, quiet) },
		func() finding { return checkLines(ctx, &cfg, quiet) },
		func() finding { return checkOwner(&cfg) },
	} {
		if print(stdout, part()) != nil {
			failed = true
		}
	}
	if failed {
		fmt.Fprintln(stdout, "\nnot ready: do what the lines marked FAIL say, then run kiosk check again")
		return errFailed
	}
	fmt.Fprintln(stdout, "\nready")
	return nil
}

// print writes a finding's line and returns its error if the door does not
// work because of it.
func print(w io.Writer, f finding) error {
	mark, text := "ok", f.text
	if f.err != nil {
		text = f.err.Error()
		if mark = "FAIL"; f.warn {
			mark = "warn"
		}
	}
	fmt.Fprintf(w, "%-4s  %-9s %s\n", mark, f.part, strings.ReplaceAll(text, "\n", "\n                "))
	if f.warn {
		return nil
	}
	return f.err
}

func checkDisk(cfg *device.Config) finding {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return finding{part: "disk", err: fmt.Errorf("make the folder in data: %w", err)}
	}
	return finding{part: "disk", err: cfg.Writable(), text: cfg.Data + " takes writes"}
}

func checkJournal(cfg *device.Config, highest *clock.Clock) finding {
	j, err := journal.Open(cfg.Journal())
	if err != nil {
		return finding{part: "journal", err: err}
	}
	defer j.Close()
	if err := j.Probe(); err != nil {
		return finding{part: "journal", err: err}
	}
	s, err := j.Stats()
	highest.Raise(s.Clock)
	f := finding{part: "journal", err: err}
	switch {
	case err != nil:
	case s.Destroyed > 0:
		f.warn, f.err = true, fmt.Errorf("%d visits were destroyed unsent after 28 days: bring the registry back", s.Destroyed)
	case s.Mended > 0:
		f.warn, f.err = true, fmt.Errorf("the file was damaged and mended %d times, %d visits were salvaged then, others may be lost: replace the card or disk", s.Mended, s.Salvaged)
	case s.Aside > 0:
		f.warn, f.err = true, fmt.Errorf("%d visits were refused by the registry and set aside: ask its operator", s.Aside)
	default:
		f = of(device.QueueState(highest.Correct(time.Now()), s), "journal")
		f.warn = true // the door works, whatever waits
	}
	return f
}

// of is a state as a line of the card.
func of(s device.State, part string) finding {
	f := finding{part: part, text: s.Say}
	if s.Level != display.OK {
		f.err = errors.New(s.Say)
		f.warn = s.Level == display.Warn
	}
	return f
}

func checkClock(cfg *device.Config, c *clock.Clock) finding {
	now := c.Correct(time.Now())
	f := of(device.ClockState(now, c), "clock")
	switch _, asked := c.Differs(); {
	case f.err != nil:
		if c.State(now) == pass.ClockUnsure {
			f.warn = cfg.Clock.Unsure == "admit"
		}
	case asked && !c.Sure():
		f.warn, f.err = true, fmt.Errorf("%s, by the registry's signed time alone; after a power cut without network it is not sure: let NTP through or fit a battery clock (DS3231)", f.text)
	case !c.Battery():
		f.warn, f.err = true, fmt.Errorf("%s, by NTP; after a power cut without network it is not sure: fit a battery clock (DS3231)", f.text)
	}
	return f
}

// uplinks are the parts that face the registry, as a check needs them.
type uplinks struct {
	cfg   *device.Config
	link  *uplink.Link
	trust *uplink.Trust
	clock *clock.Clock
	err   error // of the enrolment on disk
}

func newUplinks(cfg *device.Config, c *clock.Clock) *uplinks {
	u := &uplinks{cfg: cfg, clock: c}
	quiet := slog.New(slog.DiscardHandler)
	if u.link, u.err = cfg.NewLink(nil, u.keys, nil, u.now, quiet); u.err == nil {
		u.trust = uplink.NewTrust(uplink.TrustConfig{Link: u.link, File: cfg.Bundle()}, u.now, quiet)
	}
	return u
}

// now is the time as the daemon judges by it.
func (u *uplinks) now() time.Time { return u.clock.Correct(time.Now()) }

func (u *uplinks) keys() []ed25519.PublicKey {
	if b := u.trust.Bundle(); b != nil {
		return b.ReceiptKeys()
	}
	return nil
}

func (u *uplinks) enrolment() finding {
	f := finding{part: "enrolment"}
	if u.err != nil {
		f.err = u.err
		return f
	}
	f = of(device.CertificateState(u.now(), u.link.State()), f.part)
	if i := u.link.Identity(); i != nil && f.err == nil {
		f.text += fmt.Sprintf(", %s at %s", i.Kind, i.Address)
	}
	return f
}

func (u *uplinks) bundle() finding {
	if u.trust == nil {
		return finding{part: "keys", err: errors.New("no trust bundle: the enrolment cannot be used")}
	}
	f := of(device.KeysState(u.now(), u.trust.State()), "keys")
	if b := u.trust.Bundle(); b != nil && u.now().Before(b.Expires()) {
		f.warn = true // the door works
	}
	return f
}

// registry refreshes what the daemon would and asks whether the registry knows
// this kiosk.
func (u *uplinks) registry(ctx context.Context) finding {
	f := finding{part: "registry"}
	if u.err != nil || u.link.Identity() == nil {
		f.warn, f.err = true, errors.New("not asked: this device is not enrolled")
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// The refreshed bundle is kept, as the daemon would: the next line of
	// defence after a check is a network that goes away.
	if err := u.trust.Refresh(ctx); err != nil {
		f.warn, f.err = true, fmt.Errorf("%w; the door works without it, visits wait on disk", err)
		return f
	}
	// What it says of the time stands in the next line, and that it says nothing.
	_ = uplink.NewTimekeeper(u.link, u.clock, u.keys, time.Now, slog.New(slog.DiscardHandler)).Ask(ctx)
	err := u.link.Known(ctx)
	var refused *uplink.Refusal
	switch {
	case err == nil:
		f.text = u.link.Identity().Address + " knows this kiosk, its bundle is signed by our root key"
	case errors.As(err, &refused) && u.link.State().Refused != "":
		f.err = errors.New(device.CertificateState(u.now(), u.link.State()).Say)
	default:
		f.warn, f.err = true, fmt.Errorf("%w; visits wait on disk meanwhile", err)
	}
	return f
}

// checkDecoder reads a code that is drawn, not stored: the virtual phone's.
func checkDecoder() finding {
	const want = "MJ1 KIOSK CHECK"
	code, err := symbol.Encode(want)
	if err != nil {
		return finding{part: "decoder", err: err}
	}
	scene := virtual.NewScene(1, image.Point{}, virtual.Look{})
	picture := new(image.Gray)
	scene.Render(picture, scene.NewScreen(code), virtual.Pose{X: 640, Y: 360, Scale: 4}, 1)
	start := time.Now()
	symbols, err := qr.New(qr.Options{Budget: budget}).Decode(picture)
	took := time.Since(start)
	if err == nil && (len(symbols) != 1 || symbols[0].Text != want) {
		err = errors.New("the built-in picture was not read: reinstall the kiosk")
	}
	return finding{part: "decoder", err: err, text: fmt.Sprintf("built-in picture read in %d ms", took.Milliseconds())}
}

func checkCamera(ctx context.Context, cfg *device.Config) finding {
	f := finding{part: "camera"}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	source, err := camera.Open(ctx, cfg.CameraConfig())
	if err != nil {
		f.err = err
		return f
	}
	defer source.Close()
	g := new(image.Gray)
	var sum, good int
	var bad error
	for range 5 { // the first pictures of many cameras are black
		err := source.Grab(ctx, g)
		if err == nil {
			good++
			continue
		}
		bad = err
		if !errors.Is(err, camera.ErrBadFrame) {
			break
		}
	}
	if good == 0 {
		f.err = fmt.Errorf("camera.source %q: %w", cfg.Camera.Source, bad)
		return f
	}
	for _, v := range g.Pix {
		sum += int(v)
	}
	mean := sum / max(len(g.Pix), 1)
	f.text = fmt.Sprintf("%s, %d×%d, mean brightness %d of 255", cfg.Camera.Source, g.Rect.Dx(), g.Rect.Dy(), mean)
	if mean < 8 {
		f.warn, f.err = true, fmt.Errorf("%s: the picture is black: take the cap off or put a light on", f.text)
	}
	return f
}

func checkScreen(ctx context.Context, cfg *device.Config, log *slog.Logger) finding {
	f := finding{part: "screen"}
	if len(cfg.Screen.Panels) == 0 {
		f.warn, f.err = true, errors.New("no panel in screen.panels: visitors see nothing")
		return f
	}
	if err := cfg.PagesFree(); err != nil {
		f.err = err
		return f
	}
	screen, err := cfg.NewScreen(log)
	if err != nil {
		f.err = err
		return f
	}
	runWhile(ctx, screen.Run, screen.Ready(), func() {
		screen.Show(display.State{Scene: display.Wait})
		time.Sleep(300 * time.Millisecond) // the technician sees it, and a failing panel shows itself
	})
	var names []string
	var unknown []error
	for _, p := range screen.State() {
		if p.Err != nil {
			f.err = errors.Join(f.err, p.Err)
		}
		if names = append(names, p.Name); p.Inches > 0 {
			names[len(names)-1] += fmt.Sprintf(" (%d×%d, %.1f inches)", p.Size.X, p.Size.Y, p.Inches)
		} else if p.Err == nil && strings.HasPrefix(p.Name, "fb:") {
			unknown = append(unknown, fmt.Errorf("%s does not say how large it is, so nobody knows how large its letters are: set screen.diagonal", p.Name))
		}
	}
	f.text = strings.Join(names, ", ")
	if warnings := append(unknown, screen.Warnings()...); f.err == nil && len(warnings) > 0 {
		f.warn, f.err = true, errors.Join(warnings...)
	}
	return f
}

func checkSound(ctx context.Context, cfg *device.Config, log *slog.Logger) finding {
	f := finding{part: "sound"}
	voice, err := cfg.NewVoice(log)
	if err != nil {
		f.err = err
		return f
	}
	outcome := audio.Silent
	runWhile(ctx, voice.Run, voice.Ready(), func() {
		done := make(chan audio.Outcome, 1)
		voice.Say(audio.Accepted, func(o audio.Outcome) { done <- o })
		select {
		case outcome = <-done:
		case <-time.After(5 * time.Second):
		}
	})
	state := voice.State()
	switch {
	case state.Off:
		f.text = "off by configuration"
	case outcome != audio.Heard && state.Playing:
		f.err = fmt.Errorf("%s took the sound but did not play it to the end: unplug the loudspeaker and plug it in again", state.Text)
	case outcome != audio.Heard:
		f.err = errors.New(state.Text)
	default:
		f.text = state.Text + ": 인증되었습니다 was played, did you hear it?"
	}
	if f.err == nil && len(voice.Warnings()) > 0 {
		f.warn, f.err = true, errors.Join(voice.Warnings()...)
	}
	return f
}

func checkLines(ctx context.Context, cfg *device.Config, log *slog.Logger) finding {
	f := finding{part: "gpio", warn: true}
	gpio := lines.New(cfg.LinesConfig(), log)
	var state lines.State
	runWhile(ctx, gpio.Run, gpio.Ready(), func() { state = gpio.State() })
	f.err = state.Err
	if f.text = "none configured"; !state.None {
		var found []string
		for _, l := range state.Lines {
			found = append(found, l.Part+" "+l.Name)
		}
		f.text = strings.Join(found, ", ")
	}
	return f
}

// runWhile runs a task for the time of a function.
func runWhile(ctx context.Context, run func(context.Context) error, ready <-chan struct{}, do func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = run(ctx) }()
	select {
	case <-ready:
		do()
	case <-done:
	}
	cancel()
	<-done
}
