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
		func() finding { return checkLamps(ctx, &cfg, quiet) },
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
	f := finding{part: "journal", err: err, text: fmt.Sprintf("%d visits wait for the registry", s.Queue)}
	old := time.Since(s.Oldest)
	switch {
	case err != nil:
	case s.Destroyed > 0:
		f.warn, f.err = true, fmt.Errorf("%d visits were destroyed unsent after 28 days: bring the registry back", s.Destroyed)
	case s.Aside > 0:
		f.warn, f.err = true, fmt.Errorf("%d visits were refused by the registry and set aside: ask its operator", s.Aside)
	case s.Oldest.IsZero() || old < day:
	case old < device.QueueOld:
		f.warn, f.err = true, fmt.Errorf("%d visits wait, the oldest since %s: check the network", s.Queue, s.Oldest.Local().Format(time.DateTime))
	default:
		f.warn, f.err = true, fmt.Errorf("%d visits wait, the oldest since %s: it is destroyed in %d days, bring the registry back", s.Queue, s.Oldest.Local().Format(time.DateTime), max(int((journal.Keep-old)/day), 0))
	}
	return f
}

const day = 24 * time.Hour

func checkClock(cfg *device.Config, c *clock.Clock) finding {
	now := c.Correct(time.Now())
	f := finding{part: "clock", text: now.Format(time.RFC3339)}
	by, asked := c.Differs()
	switch {
	case c.State(now) == pass.ClockWrong:
		f.err = fmt.Errorf("%s is earlier than this device has already seen: connect the network, or set the battery clock", f.text)
	case c.State(now) != pass.ClockSure:
		f.warn = cfg.Clock.Unsure == "admit"
		f.err = errors.New("nobody vouches for the clock: connect the network for NTP or the registry's time, or fit a battery clock (DS3231)")
	case asked && by.Abs() > device.ClockDiffers && c.Sure():
		f.warn, f.err = true, fmt.Errorf("%s is %s off the registry's time: ask who serves NTP here, and the registry's operator", f.text, by.Round(time.Second))
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
	now, quiet := func() time.Time { return c.Correct(time.Now()) }, slog.New(slog.DiscardHandler)
	if u.link, u.err = cfg.NewLink(nil, u.keys, nil, now, quiet); u.err == nil {
		u.trust = uplink.NewTrust(uplink.TrustConfig{Link: u.link, File: cfg.Bundle()}, now, quiet)
	}
	return u
}

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
	i := u.link.Identity()
	if i == nil {
		f.err = errors.New("this device is fresh: show the registry's enrolment code to its camera, or run kiosk enroll CODE")
		return f
	}
	f.text = fmt.Sprintf("kiosk %s (%s) of %s at %s", i.Kiosk, i.Kind, i.Registry, i.Address)
	if end := u.link.State().Expires; !end.IsZero() {
		f.text += fmt.Sprintf(", certificate until %s", end.Local().Format(time.DateOnly))
		switch left := time.Until(end); {
		case left <= 0:
			f.warn, f.err = true, fmt.Errorf("the certificate of kiosk %s expired on %s: connect the network, it renews itself", i.Kiosk, end.Local().Format(time.DateOnly))
		case left < device.CertificateEnd:
			f.warn, f.err = true, fmt.Errorf("the certificate of kiosk %s expires on %s and should have been renewed: connect the network", i.Kiosk, end.Local().Format(time.DateOnly))
		}
	}
	return f
}

func (u *uplinks) bundle() finding {
	if u.trust == nil {
		return finding{part: "keys", err: errors.New("no trust bundle: the enrolment cannot be used")}
	}
	s := u.trust.State()
	f := finding{part: "keys", text: fmt.Sprintf("bundle %d, issued %s, valid until %s", s.Number, s.Issued.Local().Format(time.DateOnly), s.Expires.Local().Format(time.DateOnly))}
	switch {
	case s.Number == 0 && s.Err != nil:
		f.err = fmt.Errorf("the kept trust bundle is damaged, a new one comes with the network: %w", s.Err)
	case s.Number == 0:
		f.err = errors.New("no trust bundle yet: connect the network once, the kiosk fetches it")
	case !time.Now().Before(s.Expires):
		f.err = fmt.Errorf("the trust bundle expired on %s: connect the network", s.Expires.Local().Format(time.DateOnly))
	case time.Until(s.Expires) < device.KeysEnd:
		f.warn, f.err = true, fmt.Errorf("the trust bundle expires on %s: connect the network before", s.Expires.Local().Format(time.DateOnly))
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
		f.err = fmt.Errorf("the registry refuses this kiosk, visits would wait and be destroyed after 28 days: ask its operator for a new code, then run kiosk enroll -reset and kiosk enroll CODE: %w", err)
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
	for _, p := range screen.State() {
		if p.Err != nil {
			f.err = errors.Join(f.err, p.Err)
		}
		names = append(names, p.Name)
	}
	f.text = strings.Join(names, ", ")
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

func checkLamps(ctx context.Context, cfg *device.Config, log *slog.Logger) finding {
	f := finding{part: "gpio", warn: true}
	lamps := display.NewLamps(cfg.LampConfig(), log)
	var state display.LampState
	runWhile(ctx, lamps.Run, lamps.Ready(), func() { state = lamps.State() })
	f.err = state.Err
	if f.text = "lamps and door found"; state.None {
		f.text = "none configured"
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
