// Package device ties the parts of a kiosk together, for the daemon and for
// the demo: the same parts, whatever the camera.
package device

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// Options are what the demo and tests put in the place of the real thing.
type Options struct {
	// Dial opens the camera; nil opens camera.source.
	Dial func(context.Context) (camera.Source, error)
	// Clock judges the clock; nil is the system's.
	Clock *clock.Clock
	// Observe is told every answer.
	Observe func(kiosk.Event)
	// Links stand on the screen's page.
	Links []display.Link
	// Version of the software, for the registry; printable ASCII without spaces.
	Version string
	// Supervised says that whoever started the program starts it anew when it ends.
	Supervised bool
	// Reboots says that whoever started the program starts the machine anew when
	// it ends by ErrReboot.
	Reboots bool
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger
}

// maxCodes is how many codes of one picture are answered: two phones, and a
// poster behind them.
const maxCodes = 3

// nightHour is when, local time, the day ends for the journal.
const nightHour = 4

// Device is a kiosk with all its parts. Run Tasks; Close at the end.
type Device struct {
	Config  Config
	Camera  *camera.Latest
	Voice   *audio.Voice
	Screen  *display.Screen
	Lines   *lines.Lines
	Journal *journal.Journal
	Link    *uplink.Link
	Trust   *uplink.Trust
	Sender  *uplink.Sender
	Clock   *clock.Clock
	Kiosk   *kiosk.Kiosk
	Owner   *owner.Server // nil for none

	heartbeat  *uplink.Heartbeat
	timekeeper *uplink.Timekeeper
	enroller   *enrol.Enroller
	version    string
	pages      []tasks.Task
	health     health
	diskFails  atomic.Bool
	reboots    bool
	restart    chan struct{} // capacity 1
	welcome    welcome
	now        func() time.Time
	log        *slog.Logger
}

// New opens the journal and makes every part; devices are opened when the
// tasks run.
func New(c Config, o Options) (*Device, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context) (camera.Source, error) { return camera.Open(ctx, c.CameraConfig()) }
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Version == "" {
		o.Version = "unknown"
	}
	d := &Device{Config: c, Clock: o.Clock, version: o.Version, reboots: o.Reboots, restart: make(chan struct{}, 1), log: o.Log}
	// Everything that judges or notes a time goes by the best witness's; what
	// measures a duration goes by the system's clock.
	d.now = func() time.Time { return d.Clock.Correct(o.Now()) }
	d.health.start = o.Now()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder in data: %w", err)
	}
	muted, err := c.ownersSound()
	if err != nil {
		o.Log.Warn("what the owner set of the sound is lost, what is configured stands", "err", err)
	}
	if d.Voice, err = c.NewVoice(o.Log); err != nil {
		return nil, err
	}
	d.Voice.SetMuted(muted)
	look, open, pages, err := c.panels(o.Links, o.Log)
	if err != nil {
		return nil, err
	}
	d.pages = pages
	var mirror *display.Web
	if c.Owner.Listen != "" {
		size, _ := c.Screen.size() // panels has read it
		if mirror, err = display.NewWeb(display.WebOptions{Size: size, Remote: true}); err != nil {
			return nil, err
		}
		open = append(open, mirror.Open)
	}
	if d.Screen, err = display.NewScreen(look, o.Log, open...); err != nil {
		return nil, err
	}
	d.Lines = lines.New(c.LinesConfig(), o.Log)
	d.Camera = camera.NewLatest(camera.LatestOptions{Name: c.Camera.Source, Dial: o.Dial, Now: d.now, Log: o.Log})
	if d.Journal, err = journal.Open(c.Journal()); err != nil {
		return nil, err
	}
	if m := d.Journal.Mended(); m != nil {
		o.Log.Error("the journal's file was damaged and is mended, some visits may be lost: replace the card or disk", "salvaged", m.Visits, "marks", m.Marks, "found", m.Why, "kept", m.Kept)
	}
	if err := d.uplink(o); err != nil {
		return nil, errors.Join(err, d.Journal.Close())
	}
	var aimed func(*image.Gray, qr.Finding)
	if mirror != nil {
		if err := d.newOwner(mirror, o); err != nil {
			return nil, errors.Join(err, d.Journal.Close())
		}
		aimed = d.Owner.Aimed
	}
	reader := qr.New(qr.Options{Stream: true, Max: maxCodes, Now: o.Now})
	var adjuster kiosk.Adjuster
	if c.Camera.Control {
		adjuster = d.Camera
	}
	d.Kiosk = kiosk.New(kiosk.Config{
		Skew: c.Clock.Skew, AdmitUnsure: c.Clock.Unsure == "admit", Staff: c.Kiosk.Staff, Corner: c.corner(), AimTone: c.Kiosk.AimTone,
	}, kiosk.Parts{
		Frames: d.Camera, Decoder: reader, Findings: reader, Adjuster: adjuster, Trust: d.Trust, Journal: d.Journal, Voice: d.Voice, Screen: d.Screen, Lines: d.Lines, Events: d.Lines.Events(), Muted: d.Voice.Inaudible, Aimed: aimed,
		Clock: d.Clock, Facility: d.kind, Enrol: enroller{d}, Status: d.Status, Observe: o.Observe, Now: d.now, Log: o.Log,
	})
	return d, nil
}

// uplink makes the parts that face the registry.
func (d *Device) uplink(o Options) (err error) {
	stats, err := d.Journal.Stats()
	if err != nil {
		return err
	}
	d.Clock.Raise(stats.Clock)
	c := &d.Config
	d.enroller = &enrol.Enroller{Dir: c.Data, Version: d.version}
	var join func(context.Context) error
	if c.Registry.Code != "" {
		join = d.join
	}
	if d.Link, err = c.NewLink(d.adopt, d.receiptKeys, join, d.now, o.Log); err != nil {
		return err
	}
	d.Trust = uplink.NewTrust(uplink.TrustConfig{Link: d.Link, File: c.Bundle()}, d.now, o.Log)
	d.believe()
	d.Sender = uplink.NewSender(uplink.SenderConfig{Link: d.Link, Keys: d.receiptKeys}, d.Journal, d.now, o.Log)
	d.heartbeat = uplink.NewHeartbeat(d.Link, d.facts, d.Trust.Heard, o.Log)
	d.timekeeper = uplink.NewTimekeeper(d.Link, d.Clock, d.receiptKeys, o.Now, o.Log)
	return nil
}

// join follows the code in the configuration: whoever put it there has
// confirmed it.
func (d *Device) join(ctx context.Context) error {
	offer, err := d.enroller.Look(ctx, d.Config.Registry.Code)
	if err != nil {
		return err
	}
	if _, err := offer.Accept(ctx); err != nil {
		return err
	}
	d.newPassword()
	return nil
}

// adopt gives the journal to the kiosk that this device is.
func (d *Device) adopt(i *enrol.Identity) error {
	n, err := d.Journal.Claim(i.Kiosk)
	if n > 0 {
		d.log.Warn("this device was another kiosk before, whose visits are set aside: kiosk takeover brings them to the device that is that kiosk now", "visits", n)
	}
	return err
}

// kind is the facility's kind; a fresh device has no keys to judge with.
func (d *Device) kind() string {
	if i := d.Link.Identity(); i != nil {
		return i.Kind
	}
	return ""
}

// believe tells the clock what the trust bundle proves: it is not earlier than
// the bundle's issue, and beyond its end nothing here can be trusted.
func (d *Device) believe() {
	if b := d.Trust.Bundle(); b != nil {
		d.Clock.Raise(b.Issued())
		d.Clock.Limit(b.Expires())
	}
}

func (d *Device) receiptKeys() []ed25519.PublicKey {
	if b := d.Trust.Bundle(); b != nil {
		return b.ReceiptKeys()
	}
	return nil
}

// corner is where the staff's field stands: on a panel of their own, else
// behind their button, else in the corner at once.
func (c *Config) corner() kiosk.Corner {
	switch {
	case c.Screen.staffPanel():
		return kiosk.CornerNever
	case c.GPIO.StaffButton != "":
		return kiosk.CornerOnPress
	}
	return kiosk.CornerAtOnce
}

// NewLink is the way to the registry; adopt may be nil.
func (c *Config) NewLink(adopt func(*enrol.Identity) error, keys func() []ed25519.PublicKey, join func(context.Context) error, now func() time.Time, log *slog.Logger) (*uplink.Link, error) {
	return uplink.NewLink(uplink.LinkConfig{Dir: c.Data, Adopt: adopt, Keys: keys, Join: join}, now, log)
}

// NewVoice is the loudspeaker and its prompts.
func (c *Config) NewVoice(log *slog.Logger) (*audio.Voice, error) {
	return audio.New(c.voiceConfig(), log)
}

// voiceConfig is the sound part in the voice's own terms.
func (c *Config) voiceConfig() audio.Config {
	s := c.Sound
	return audio.Config{Output: s.Output, Dir: s.Prompts, Languages: c.Screen.Languages, Volume: s.Volume, Quiet: s.Quiet, QuietVolume: s.QuietVolume}
}

// LinesConfig is the gpio part in the lines' own terms.
func (c *Config) LinesConfig() lines.Config {
	g := c.GPIO
	return lines.Config{
		Green: g.Green, Red: g.Red, Buzzer: g.Buzzer, Door: g.Door, ActiveLow: g.ActiveLow, FailSafe: g.FailSafe, LampTime: g.LampTime, DoorTime: g.DoorTime,
		Interlock: g.Interlock, StaffButton: g.StaffButton, HelpButton: g.HelpButton, Presence: g.Presence, PresenceLow: g.PresenceLow,
	}
}

// NewScreen is a screen of the configured panels, without its pages' servers.
func (c *Config) NewScreen(log *slog.Logger) (*display.Screen, error) {
	look, open, _, err := c.panels(nil, log)
	if err != nil {
		return nil, err
	}
	return display.NewScreen(look, log, open...)
}

// CameraConfig is the camera part in the camera's own terms.
func (c *Config) CameraConfig() camera.Config {
	return camera.Config{Source: c.Camera.Source, Width: c.Camera.Width, Height: c.Camera.Height, FPS: c.Camera.FPS, Control: c.Camera.Control}
}

// Tasks are the parts to run, in one group.
func (d *Device) Tasks() []tasks.Task {
	return slices.Concat([]tasks.Task{
		d.Voice, d.Screen, d.Lines, d.Camera, d.Link, d.Trust, d.Sender, d.heartbeat, d.timekeeper, d.Kiosk,
		tasks.Func{Name: "journal keeper", Do: d.keep},
		tasks.Func{Name: "watch", Do: d.watch},
	}, d.ownerTasks(), d.pages)
}

// Close closes the journal. Call it when no task runs any more.
func (d *Device) Close() error { return d.Journal.Close() }
