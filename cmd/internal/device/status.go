package device

import (
	"time"

	"github.com/munjigi/munjigi/display"
)

// networkWarn is how long the registry may be away before the strip says so.
const networkWarn = 10 * time.Minute

// Status is the honest light on the screen's lower edge.
func (d *Device) Status() display.Status {
	now := d.now()
	d.believe() // a newer bundle may have come
	trust, link := d.Trust.State(), d.Link.State()
	s := display.Status{
		Camera: display.OK, Network: d.network(now), Sound: display.OK,
		Clock: ClockState(now, d.Clock).Level, Keys: KeysState(now, trust).Level,
	}
	if !d.Camera.Status().Live {
		s.Camera = display.Bad
	}
	if link.Kiosk != "" {
		s.Network = max(s.Network, CertificateState(now, link).Level)
	}
	switch v := d.Voice.State(); {
	case v.Off:
		s.Sound = display.Hidden
	case !v.Playing:
		s.Sound = display.Bad
	}
	if stats, err := d.Journal.Stats(); err != nil {
		s.Queue = display.Bad
	} else {
		s.Waiting, s.Queue = stats.Queue, QueueState(now, stats).Level
	}
	if d.diskFails.Load() {
		s.Disk = display.Bad
	}
	if trust.Number != 0 {
		s.KeysAge = max(now.Sub(latest(trust.Issued, trust.Confirmed)), 0)
	}
	return s
}

// network is a warning where the registry has not answered for a while. Offline
// is the normal state, so that it never is more.
func (d *Device) network(now time.Time) display.Level {
	sender, trust := d.Sender.State(), d.Trust.State()
	if sender.Err == nil && trust.Err == nil {
		return display.OK
	}
	if last := latest(sender.Last, trust.Confirmed); !last.IsZero() && now.Sub(last) < networkWarn {
		return display.OK
	}
	return display.Warn
}
