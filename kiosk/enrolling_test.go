package kiosk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// desk is an enroller whose registry answers as it is told.
type desk struct {
	mu       sync.Mutex
	enrolled bool
	look     error
	accept   error
	slow     time.Duration
	calls    []string
	password string // of the owner's page, while it is to be shown
}

func (d *desk) Welcome() (address, password string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.password == "" {
		return "", ""
	}
	return "munjigi.local:8443", d.password
}

func (d *desk) Fresh() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.enrolled
}

func (d *desk) Look(ctx context.Context, code string) (*enrol.Offer, error) {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, "look "+code)
	return &enrol.Offer{Registry: "하늘 등록부", Words: []string{"바다", "거울"}, Facility: "카페"}, d.look
}

func (d *desk) Accept(context.Context, *enrol.Offer) error {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, "accept")
	d.enrolled = d.accept == nil
	return d.accept
}

func (r *rig) wantScene(want display.Scene) {
	r.t.Helper()
	if got := r.screen.now().Scene; got != want {
		r.t.Errorf("the screen shows %q, want %q", got, want)
	}
}

const code = "MJE1CODE"

// TestEnrolByCamera is the technician's way: show, compare, take away, show again.
func TestEnrolByCamera(t *testing.T) {
	d := &desk{slow: 2 * time.Second}
	bubble(t, setting{enrol: d}, func(t *testing.T, r *rig) {
		r.hold(time.Second)
		r.wantScene(display.Unenrolled)
		r.hold(time.Second, code)
		r.wantScene(display.EnrolWait)
		r.hold(10*time.Second, code)
		r.wantScene(display.EnrolConfirm)
		if s := r.screen.now(); s.Registry != "하늘 등록부" || s.Words != "바다 거울" {
			t.Errorf("to be compared: %q, %q", s.Registry, s.Words)
		}
		r.hold(away - 200*time.Millisecond) // a shaking hand
		r.hold(time.Second, code)
		r.wantScene(display.EnrolConfirm)
		r.hold(confirmWithin - 10*time.Second)
		r.wantScene(display.EnrolConfirm)
		r.hold(time.Second, code)
		r.wantScene(display.EnrolWait)
		r.hold(3*time.Second, code)
		r.wantScene(display.Enrolled)
		r.hold(holdEnrolled, code)
		r.wantScene(display.Idle)

		// Enrolled: codes are ignored, visitors are not.
		before := len(r.said())
		r.hold(3*time.Second, code)
		r.hold(3 * time.Second)
		r.hold(time.Second, "MJE1OTHER")
		r.wantScene(display.Idle)
		if len(r.said()) != before {
			t.Errorf("said %v", r.said())
		}
		r.show(r.pass(1, 0, nil))
		r.wantSaid(append(r.said()[:before], audio.Accepted)...)
		if want := []string{"look " + code, "accept"}; !slices.Equal(d.calls, want) {
			t.Errorf("the registry was asked %q, want %q", d.calls, want)
		}
	})
}

// TestWelcome: the owner's page's password stands on the screen of a device that
// was just enrolled, visitors are answered meanwhile, and then it is gone.
func TestWelcome(t *testing.T) {
	d := &desk{}
	bubble(t, setting{enrol: d}, func(t *testing.T, r *rig) {
		d.mu.Lock()
		d.enrolled, d.password = true, "abcd efgh jkmn"
		d.mu.Unlock()
		r.hold(time.Second)
		r.wantScene(display.OwnersPage)
		if s := r.screen.now(); s.Words != "abcd efgh jkmn" || s.Registry != "munjigi.local:8443" {
			t.Errorf("the screen says %q, %q", s.Registry, s.Words)
		}
		r.show(r.pass(1, 0, nil))
		r.wantSaid(audio.Accepted)
		if s := r.screen.now(); s.Scene != display.Accepted || s.Words != "" {
			t.Errorf("a visitor is shown %q with %q", s.Scene, s.Words)
		}
		r.hold(5 * time.Second)
		r.wantScene(display.OwnersPage)
		d.mu.Lock()
		d.password = ""
		d.mu.Unlock()
		r.hold(time.Second)
		r.wantScene(display.Idle)
	})
}

// TestEnrolWithoutConfirmation: a code shown once enrols nothing.
func TestEnrolWithoutConfirmation(t *testing.T) {
	d := &desk{}
	bubble(t, setting{enrol: d}, func(t *testing.T, r *rig) {
		r.hold(5*time.Second, code)
		r.wantScene(display.EnrolConfirm)
		r.hold(confirmWithin + time.Second)
		r.wantScene(display.Unenrolled)
		// Too late: it is the first showing again, and so is another code.
		r.hold(time.Second, code)
		r.hold(2 * time.Second)
		r.hold(time.Second, "MJE1OTHER")
		r.hold(time.Second)
		r.wantScene(display.EnrolConfirm)
		if want := []string{"look " + code, "look " + code, "look MJE1OTHER"}; !slices.Equal(d.calls, want) {
			t.Errorf("the registry was asked %q, want %q", d.calls, want)
		}
	})
}

func TestEnrolFails(t *testing.T) {
	expired := fmt.Errorf("enrol: %w", wire.Problem{Type: wire.ProblemCodeExpired, Title: "the code has expired"})
	for name, c := range map[string]struct {
		look, accept error
		want         display.Scene
	}{
		"no network":         {look: errors.New("no route to host"), want: display.EnrolUnreachable},
		"no code of theirs":  {look: wire.ErrCode, want: display.EnrolRefused},
		"expired meanwhile":  {accept: expired, want: display.EnrolRefused},
		"network lost again": {accept: errors.New("connection reset"), want: display.EnrolUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{look: c.look, accept: c.accept}
			bubble(t, setting{enrol: d}, func(t *testing.T, r *rig) {
				r.hold(time.Second, code)
				if c.look == nil {
					r.hold(2 * time.Second)
					r.hold(time.Second, code)
				}
				r.wantScene(c.want)
				r.hold(5*time.Second, code)
				asked := len(d.calls)
				r.hold(5*time.Second, code) // held still: not asked again and again
				if len(d.calls) != asked {
					t.Errorf("asked %q", d.calls)
				}
				// The next try goes through.
				d.mu.Lock()
				d.look, d.accept = nil, nil
				d.mu.Unlock()
				for range 2 {
					r.hold(2 * time.Second)
					r.hold(time.Second, code)
				}
				r.wantScene(display.Enrolled)
			})
		})
	}
}

// TestEnrolledByAnother: the log does not call a device fresh that is not.
func TestEnrolledByAnother(t *testing.T) {
	bubble(t, setting{enrol: &desk{look: enrol.ErrEnrolled}}, func(t *testing.T, r *rig) {
		var log bytes.Buffer
		r.k.enrol.log = slog.New(slog.NewTextHandler(&log, nil))
		r.hold(time.Second, code)
		r.hold(time.Second)
		r.wantScene(display.Unenrolled)
		if s := log.String(); strings.Contains(s, "fresh") || !strings.Contains(s, "enrolled the device meanwhile") {
			t.Errorf("%s", s)
		}
	})
}

// TestDiskFull: a device that can keep nothing says so before anybody tries,
// and announces nothing to whoever does.
func TestDiskFull(t *testing.T) {
	var mu sync.Mutex
	disk := display.OK
	status := func() display.Status {
		mu.Lock()
		defer mu.Unlock()
		return display.Status{Disk: disk}
	}
	bubble(t, setting{status: status}, func(t *testing.T, r *rig) {
		r.hold(2 * time.Second)
		r.wantScene(display.Idle)
		mu.Lock()
		disk = display.Bad
		mu.Unlock()
		r.keeper.fault = errors.New("no space left on device")
		r.hold(2 * time.Second)
		r.wantScene(display.OutOfOrder)
		r.hold(time.Second, r.pass(1, 0, nil))
		r.wantSaid(audio.OutOfOrder)
		r.wantVisits(0)
		mu.Lock()
		disk = display.OK
		mu.Unlock()
		r.keeper.fault = nil
		r.hold(6 * time.Second)
		r.wantScene(display.Idle)
	})
}

// TestIssuersTimeIsAHint: the clock hears of passes from the future, and of
// good ones.
func TestIssuersTimeIsAHint(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.show(r.pass(1, time.Minute, nil))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		r.show(r.pass(2, 0, nil))
		if len(r.hints) != 2 || r.hints[0] < 50*time.Second || r.hints[1] != 0 {
			t.Errorf("hints %v", r.hints)
		}
	})
}
