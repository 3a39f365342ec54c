package device_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// TestEnrolByCamera unpacks a device: its camera sees the registry's code, the
// code is taken away and shown once more, and the next code is a visitor's.
func TestEnrolByCamera(t *testing.T) {
	p := newParty(t, nil)
	if err := enrol.Reset(p.cfg.Data); err != nil {
		t.Fatal(err)
	}
	code, err := p.town.Code(t.Context(), id, "restaurant", "")
	if err != nil {
		t.Fatal(err)
	}
	p.cfg.Registry.Code = "" // nobody typed it anywhere
	board := prove.NewBoard()
	r := p.open(board)
	show := func(text string) {
		t.Helper()
		if err := board.Show(text); err != nil {
			t.Fatal(err)
		}
	}
	// A visitor who comes too early is not admitted.
	show(p.pass(town.Good))
	if e := r.answer(); e.Verdict != kiosk.Verdict(pass.ReasonBundle.String()) {
		t.Errorf("a fresh device told a visitor %q", e.Verdict)
	}
	show(code)
	p.until("the code is confirmed by showing it again", func() bool {
		return bytes.Contains(p.logs.Bytes(), []byte("an enrolment code asks for confirmation"))
	})
	if r.device.Link.Identity() != nil {
		t.Error("enrolled by a code shown once")
	}
	show("")
	seen := r.device.Kiosk.Frames()
	p.until("the code is out of sight", func() bool { return r.device.Kiosk.Frames() > seen+5 })
	p.later(2 * time.Second)
	show(code)
	select {
	case <-r.device.Link.Enrolled():
	case <-time.After(30 * time.Second):
		t.Fatal("not enrolled within 30 s")
	}
	p.until("the bundle that came with it is in use", func() bool { return r.device.Trust.Bundle() != nil })
	show(p.pass(town.Good))
	for e := r.answer(); e.Verdict != kiosk.Accepted; e = r.answer() {
		if e.Verdict != kiosk.Verdict(pass.ReasonBundle.String()) { // said again as the enrolment ended
			t.Fatalf("the first visitor was told %q", e.Verdict)
		}
	}
	p.arrived(1)
	r.acknowledged()
	if bytes.Contains(p.logs.Bytes(), []byte(code[20:40])) {
		t.Error("the code stands in the log")
	}
}

// until waits for something that must come.
func (p *party) until(what string, come func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !come(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestNoBatteryClock is a Raspberry Pi without a battery clock that boots, 30
// hours behind, without a network: it judges nobody, however good the code.
// When the registry can be asked its signed time is enough, and the visit bears
// the right time.
func TestNoBatteryClock(t *testing.T) {
	var up atomic.Bool
	p := newParty(t, func(*http.Request) prove.Fault {
		if up.Load() {
			return prove.None
		}
		return prove.Down
	})
	behind := func() time.Time { return p.now().Add(-30 * time.Hour) }
	board := prove.NewBoard()
	r := p.openWith(board, clock.New(func() bool { return false }, false), behind)
	for range 3 {
		if err := board.Show(p.pass(town.Good)); err != nil {
			t.Fatal(err)
		}
		if e := r.answer(); e.Verdict != kiosk.Verdict(pass.ReasonClock.String()) || e.Seq != 0 {
			t.Fatalf("with a wrong clock a visitor was told %q", e.Verdict)
		}
	}
	up.Store(true)
	p.until("the registry's time is taken", func() bool { _, asked := r.device.Clock.Differs(); return asked })
	if err := board.Show(p.pass(town.Good)); err != nil {
		t.Fatal(err)
	}
	e := r.answer()
	if e.Verdict != kiosk.Accepted {
		t.Fatalf("with the registry's time a visitor was told %q", e.Verdict)
	}
	visits := p.arrived(1)
	if len(visits) == 1 && p.now().Sub(visits[0].Scanned).Abs() > time.Minute {
		t.Errorf("scanned at %v, it is %v", visits[0].Scanned, p.now())
	}
	if by, ok := r.device.Clock.Differs(); !ok || (by+30*time.Hour).Abs() > time.Minute {
		t.Errorf("the device is said to be %v off", by)
	}
}

// TestRevoked holds that a kiosk that was revoked goes on admitting visitors,
// keeps their visits, and says so.
func TestRevoked(t *testing.T) {
	p := newParty(t, nil)
	board := prove.NewBoard()
	r := p.open(board)
	if err := board.Show(p.pass(town.Good)); err != nil {
		t.Fatal(err)
	}
	r.answer()
	p.arrived(1)
	r.acknowledged()
	if err := p.town.Devices.Revoke(t.Context(), p.kiosk, p.now()); err != nil {
		t.Fatal(err)
	}
	if err := board.Show(p.pass(town.Good)); err != nil {
		t.Fatal(err)
	}
	if e := r.answer(); e.Verdict != kiosk.Accepted {
		t.Errorf("a visitor at a revoked kiosk was told %q", e.Verdict)
	}
	p.until("the registry's word", func() bool { return strings.HasSuffix(r.device.Link.State().Refused, "revoked") })
	if s, err := r.device.Journal.Stats(); err != nil || s.Queue != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	p.until("the log says so", func() bool {
		return bytes.Contains(p.logs.Bytes(), []byte("the registry refuses this kiosk"))
	})
	if len(p.visits()) != 1 {
		t.Errorf("%d visits in the registry", len(p.visits()))
	}
}

// TestExpiredCertificate stands a kiosk in a cupboard for a year: what it shows
// has expired, and it renews that by itself.
func TestExpiredCertificate(t *testing.T) {
	p := newParty(t, nil)
	p.later(200 * 24 * time.Hour)
	if err := p.town.Publish(2, nil); err != nil {
		t.Fatal(err)
	}
	board := prove.NewBoard()
	r := p.open(board)
	p.until("the certificate is renewed", func() bool { return r.device.Link.State().Expires.After(p.now()) })
	p.until("the new bundle is taken", func() bool { return r.device.Trust.State().Number == 2 })
	p.until("times beyond the old one are believed", func() bool { return r.device.Clock.State(p.now()) == pass.ClockSure })
	if err := board.Show(p.pass(town.Good)); err != nil {
		t.Fatal(err)
	}
	if e := r.answer(); e.Verdict != kiosk.Accepted {
		t.Errorf("a visitor was told %q", e.Verdict)
	}
	p.arrived(1)
	r.acknowledged()
}

// TestHeartbeatArrives holds what the owner's page is told to what the device is.
func TestHeartbeatArrives(t *testing.T) {
	p := newParty(t, nil)
	board := prove.NewBoard()
	p.open(board)
	p.until("the registry has heard of the kiosk", func() bool {
		k, err := p.town.Devices.Kiosk(t.Context(), p.kiosk)
		return err == nil && !k.Seen.IsZero()
	})
	k, err := p.town.Devices.Kiosk(t.Context(), p.kiosk)
	if err != nil {
		t.Fatal(err)
	}
	if h := k.Health; h.Version != "unknown" || h.Bundle != 1 || h.Clock != pass.ClockSure || h.Disk == 0 || h.Queue != 0 || h.Oldest != 0 || h.Destroyed != 0 {
		t.Errorf("%+v", h)
	}
}
