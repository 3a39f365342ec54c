package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/uplink/journal"
)

// Owner is the owner's page on the local network.
type Owner struct {
	Listen string `toml:"listen"`
}

func (c *Config) checkOwner() error {
	if c.Owner.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Owner.Listen); err != nil {
		return fmt.Errorf("owner.listen is %q: give an address with a port like %q, or \"\" for no page", c.Owner.Listen, owner.DefaultListen)
	}
	return nil
}

// ownersSound puts what the owner set on the page in the place of what is
// configured.
func (c *Config) ownersSound() (muted bool, err error) {
	if c.Owner.Listen == "" {
		return false, nil
	}
	s, err := owner.LoadSettings(c.Data)
	if s.Volume != nil {
		c.Sound.Volume = *s.Volume
	}
	if s.QuietVolume != nil {
		c.Sound.QuietVolume = *s.QuietVolume
	}
	return s.Muted, err
}

// newOwner makes the owner's page; mirror is its panel of the screen.
func (d *Device) newOwner(mirror http.Handler, o Options) (err error) {
	options := owner.Options{
		Dir: d.Config.Data, Listen: d.Config.Owner.Listen, Who: d.Link.Identity, Counts: d.Journal, Mirror: mirror,
		Sound: d.Voice, Lines: d.Lines, Aimer: aimer{d}, Health: d.conditions, Version: d.version, Now: o.Now, Today: d.now, Log: o.Log,
	}
	if o.Supervised {
		options.Restart = d.askRestart
	}
	d.welcome.now = o.Now
	d.Owner, err = owner.New(options)
	return err
}

// aimer is the kiosk's aim mode; the kiosk is made after its owner's page.
type aimer struct{ d *Device }

func (a aimer) Aim(on bool) { a.d.Kiosk.Aim(on) }

// welcomeFor is how long the screen shows the owner's page's password to whoever
// stands before a device that has just been enrolled.
const welcomeFor = 2 * time.Minute

// welcome is where the owner's page is and what opens it, for the screen of a
// device that has just been enrolled. It is kept nowhere else.
type welcome struct {
	now func() time.Time

	mu                sync.Mutex
	address, password string
	until             time.Time
}

// newPassword makes the password that the owner's page opens with.
func (d *Device) newPassword() {
	if d.Owner == nil {
		return
	}
	password, err := owner.NewPassword(d.Config.Data)
	if err != nil {
		d.log.Error("the owner's page has no password: run kiosk owner -password", "err", err)
		return
	}
	d.welcome.mu.Lock()
	defer d.welcome.mu.Unlock()
	// As short as it can be typed: a browser that asks without TLS is sent on,
	// and the log-in page names other kiosks in the network.
	d.welcome.address = strings.TrimPrefix(d.Config.OwnersAddress(owner.SharedName), "https://")
	d.welcome.password = strings.ReplaceAll(password, "-", " ")
	d.welcome.until = d.welcome.now().Add(welcomeFor)
}

// show is what the screen is to say, empty once it has stood there long enough,
// or the owner has logged in.
func (w *welcome) show(page *owner.Server) (address, password string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.password != "" && (page.Opened() || w.now().After(w.until)) {
		w.address, w.password = "", ""
	}
	return w.address, w.password
}

// OwnersAddress is the URL of the owner's page under a name or address.
func (c *Config) OwnersAddress(host string) string {
	_, port, err := net.SplitHostPort(c.Owner.Listen)
	if err != nil || port == "443" {
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, port)
}

// ErrRestart ends the program because the owner asked for it on the page.
var ErrRestart = errors.New("the owner asked for a restart: the supervisor starts the kiosk anew")

// restartAfter lets the page's answer reach the phone.
const restartAfter = time.Second

func (d *Device) askRestart() {
	select {
	case d.restart <- struct{}{}:
	default: // asked for already
	}
}

func (d *Device) awaitRestart(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.restart:
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(restartAfter):
		return ErrRestart
	}
}

// ownerTasks are the page and what it needs.
func (d *Device) ownerTasks() []tasks.Task {
	if d.Owner == nil {
		return nil
	}
	return []tasks.Task{d.Owner, tasks.Func{Name: "restart", Do: d.awaitRestart}}
}

// condition is a state as the owner's page has it.
func condition(part string, s State) owner.Condition {
	return owner.Condition{Part: part, State: s.Name, Level: s.Level}
}

// conditions are what the owner's page says of the device.
func (d *Device) conditions() []owner.Condition {
	now := d.now()
	d.believe()
	trust, link, status := d.Trust.State(), d.Link.State(), d.Status()
	keys, certificate, clock := condition("keys", KeysState(now, trust)), condition("certificate", CertificateState(now, link)), condition("clock", ClockState(now, d.Clock))
	keys.Time, certificate.Time = trust.Expires, link.Expires
	return []owner.Condition{
		either("camera", status.Camera == display.OK, "live", "lost", display.Bad),
		d.diskCondition(),
		keys, clock, certificate,
		either("network", d.network(now) == display.OK, "good", "away", display.Warn),
		d.queueCondition(now), d.soundCondition(), d.linesCondition(),
	}
}

// either is a part that is well or not.
func either(part string, well bool, good, bad string, level display.Level) owner.Condition {
	if well {
		return owner.Condition{Part: part, State: good, Level: display.OK}
	}
	return owner.Condition{Part: part, State: bad, Level: level}
}

func (d *Device) diskCondition() owner.Condition {
	if s, err := d.Journal.Stats(); err == nil && s.Mended > 0 && !d.diskFails.Load() {
		return owner.Condition{Part: "disk", State: "mended", Level: display.Warn, Number: int(s.Salvaged)}
	}
	return either("disk", !d.diskFails.Load(), "good", "fails", display.Bad)
}

func (d *Device) queueCondition(now time.Time) owner.Condition {
	stats, err := d.Journal.Stats()
	if err != nil {
		return owner.Condition{Part: "queue", State: "unread", Level: display.Bad}
	}
	return queueCondition(now, stats)
}

// queueCondition says the oldest visit's hour: nobody needs more.
func queueCondition(now time.Time, s journal.Stats) owner.Condition {
	c := condition("queue", QueueState(now, s))
	c.Number = s.Queue
	if !s.Oldest.IsZero() {
		c.Time = s.Oldest.Truncate(time.Hour)
	}
	return c
}

func (d *Device) soundCondition() owner.Condition {
	switch v := d.Voice.State(); {
	case v.Off:
		return owner.Condition{Part: "sound", State: "off", Level: display.Hidden}
	case !v.Playing:
		return owner.Condition{Part: "sound", State: "lost", Level: display.Bad}
	case d.Voice.Muted():
		return owner.Condition{Part: "sound", State: "muted", Level: display.Warn}
	}
	return owner.Condition{Part: "sound", State: "playing", Level: display.OK}
}

func (d *Device) linesCondition() owner.Condition {
	switch s := d.Lines.State(); {
	case s.None:
		return owner.Condition{Part: "lines", State: "none", Level: display.Hidden}
	case s.Err != nil:
		return owner.Condition{Part: "lines", State: "missing", Level: display.Warn}
	}
	return owner.Condition{Part: "lines", State: "good", Level: display.OK}
}
