// Package device ties the parts of a kiosk together, for the daemon and for
// the demo: the same parts, whatever the camera.
package device

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/clock"
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
	Now   func() time.Time // nil is time.Now
	Log   *slog.Logger
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
	Lamps   *display.Lamps
	Journal *journal.Journal
	Trust   *uplink.Trust
	Sender  *uplink.Sender
	Clock   *clock.Clock
	Kiosk   *kiosk.Kiosk

	pages []tasks.Task
	now   func() time.Time
	log   *slog.Logger
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
	d := &Device{Config: c, Clock: o.Clock, now: o.Now, log: o.Log}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder in data: %w", err)
	}
	var err error
	if d.Voice, err = c.NewVoice(o.Log); err != nil {
		return nil, err
	}
	open, pages, err := c.panels(o.Links, o.Log)
	if err != nil {
		return nil, err
	}
	d.pages = pages
	if d.Screen, err = display.NewScreen(display.Options{Langs: c.Screen.Languages}, o.Log, open...); err != nil {
		return nil, err
	}
	d.Lamps = display.NewLamps(c.LampConfig(), o.Log)
	d.Camera = camera.NewLatest(camera.LatestOptions{Name: c.Camera.Source, Dial: o.Dial, Now: o.Now, Log: o.Log})
	client := Client()
	d.Trust = c.LoadTrust(client, o.Now, o.Log)
	if d.Journal, err = journal.Open(c.Journal()); err != nil {
		return nil, err
	}
	stats, err := d.Journal.Stats()
	if err != nil {
		return nil, errors.Join(err, d.Journal.Close())
	}
	d.Clock.Raise(stats.Clock)
	d.believe()
	d.Sender = uplink.NewSender(uplink.SenderConfig{
		Registry: c.Registry.URL, Kiosk: c.Kiosk.ID, Token: c.Registry.Token, Client: client, Keys: d.receiptKeys,
	}, d.Journal, o.Now, o.Log)
	reader := qr.New(qr.Options{Stream: true, Max: maxCodes, Now: o.Now})
	var adjuster kiosk.Adjuster
	if c.Camera.Control {
		adjuster = d.Camera
	}
	d.Kiosk = kiosk.New(kiosk.Config{
		Facility: c.Kiosk.Kind, Skew: c.Clock.Skew, AdmitUnsure: c.Clock.Unsure == "admit", Staff: c.Kiosk.Staff,
	}, kiosk.Parts{
		Frames: d.Camera, Decoder: reader, Findings: reader, Adjuster: adjuster, Trust: d.Trust, Journal: d.Journal, Voice: d.Voice, Screen: d.Screen, Lamps: d.Lamps,
		Clock: d.Clock, Status: d.Status, Observe: o.Observe, Now: o.Now, Log: o.Log,
	})
	return d, nil
}

// Client is how a kiosk speaks to its registry. It follows no redirect: nobody
// in between may send visits elsewhere.
func Client() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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

// LoadTrust is the kept bundle, and the way to a newer one.
func (c *Config) LoadTrust(client *http.Client, now func() time.Time, log *slog.Logger) *uplink.Trust {
	return uplink.LoadTrust(uplink.TrustConfig{Registry: c.Registry.URL, Root: ed25519.PublicKey(c.Registry.Root), File: c.Bundle(), Client: client}, now, log)
}

// NewVoice is the loudspeaker and its prompts.
func (c *Config) NewVoice(log *slog.Logger) (*audio.Voice, error) {
	return audio.New(audio.Config{Output: c.Sound.Output, Dir: c.Sound.Prompts, Volume: c.Sound.Volume}, log)
}

// LampConfig is the gpio part in the display's own terms.
func (c *Config) LampConfig() display.LampConfig {
	g := c.GPIO
	return display.LampConfig{Green: g.Green, Red: g.Red, Door: g.Door, ActiveLow: g.ActiveLow, LampTime: g.LampTime, DoorTime: g.DoorTime}
}

// NewScreen is a screen of the configured panels, without its pages' servers.
func (c *Config) NewScreen(log *slog.Logger) (*display.Screen, error) {
	open, _, err := c.panels(nil, log)
	if err != nil {
		return nil, err
	}
	return display.NewScreen(display.Options{Langs: c.Screen.Languages}, log, open...)
}

// CameraConfig is the camera part in the camera's own terms.
func (c *Config) CameraConfig() camera.Config {
	return camera.Config{Source: c.Camera.Source, Width: c.Camera.Width, Height: c.Camera.Height, FPS: c.Camera.FPS, Control: c.Camera.Control}
}

// Tasks are the parts to run, in one group.
func (d *Device) Tasks() []tasks.Task {
	return append([]tasks.Task{
		d.Voice, d.Screen, d.Lamps, d.Camera, d.Trust, d.Sender, d.Kiosk,
		tasks.Func{Name: "journal keeper", Do: d.keep},
	}, d.pages...)
}

// Close closes the journal. Call it when no task runs any more.
func (d *Device) Close() error { return d.Journal.Close() }

// keep prunes the journal at the start and every hour, and compacts it at the
// start and every night. A clock nobody vouches for destroys nothing; then the
// signed times of passes must do.
func (d *Device) keep(ctx context.Context) error {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	compacted := ""
	for {
		now := d.now()
		sure := now
		if d.Clock.State(now) != surely {
			sure = time.Time{}
		}
		destroyed, err := d.Journal.Prune(sure, d.Config.Clock.Skew+clock.Tolerance)
		if err != nil {
			d.log.Error("the journal could not be pruned: check the disk", "err", err)
		}
		if destroyed > 0 {
			d.log.Error("visits older than 28 days were destroyed unsent: bring the registry back", "count", destroyed)
		}
		if today := now.Add(-nightHour * time.Hour).Format(time.DateOnly); today != compacted {
			compacted = today
			if err := d.Journal.Compact(); err != nil {
				d.log.Error("the journal could not be compacted: check the disk", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Writable tries whether the folder of the journal takes a write.
func (c *Config) Writable() error {
	f, err := os.CreateTemp(c.Data, ".check-*")
	if err != nil {
		return fmt.Errorf("nothing can be written in %s: check data, the disk and its owner: %w", c.Data, err)
	}
	name := filepath.Clean(f.Name())
	_, werr := f.Write(make([]byte, 4096))
	if err := errors.Join(werr, f.Sync(), f.Close(), os.Remove(name)); err != nil {
		return fmt.Errorf("a write in %s failed: the disk is full or read-only: %w", c.Data, err)
	}
	return nil
}
