package kiosk

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/qr"
)

// TestFamily shows several passes one after another on one phone, as fast as a
// thumb swipes: each is a presentation of its own and is announced.
func TestFamily(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		const members = 5
		for n := range byte(members) {
			r.hold(1200*time.Millisecond, r.pass(n+1, 0, nil))
		}
		r.wantSaid(slices.Repeat([]audio.Prompt{audio.Accepted}, members)...)
		r.wantVisits(members)
		// The first one's again, which is still valid: that is no new member.
		r.hold(time.Second, r.pass(1, -4*time.Second, nil))
		r.wantVisits(members)
	})
}

// TestNextVisitor holds that phones come back to back without a touch and
// without a pause between them, and that whoever stays is not told twice.
func TestNextVisitor(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		stays := r.pass(1, 0, nil)
		r.hold(700*time.Millisecond, stays)
		for n := byte(2); n < 12; n++ {
			r.hold(400*time.Millisecond, r.pass(n, 0, nil), stays)
			if got := r.screen.now().Scene; got != display.Accepted {
				t.Errorf("visitor %d reads %q", n, got)
			}
		}
		r.wantSaid(slices.Repeat([]audio.Prompt{audio.Accepted}, 11)...)
		r.wantVisits(11)
	})
}

// TestRefusedNext holds that a refusal does not hold up the one behind.
func TestRefusedNext(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.hold(500*time.Millisecond, r.pass(1, -time.Minute, nil))
		r.hold(500*time.Millisecond, r.pass(2, 0, nil))
		r.wantSaid(audio.Expired, audio.Accepted)
		if got := r.screen.now().Scene; got != display.Accepted {
			t.Errorf("the next visitor reads %q", got)
		}
	})
}

// TestStaffButton is law 1 for somebody without a phone: counted on disk, then
// the door.
func TestStaffButton(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.press(lines.StaffPressed)
		r.press(lines.StaffPressed) // the same push
		calls, events := r.record()
		if diff := cmp.Diff([]string{"counted", "green", "show staff-admitted", "say staff-admitted"}, calls); diff != "" {
			t.Error(diff)
		}
		if events[0].Verdict != StaffAdmitted || events[0].Seq != 0 {
			t.Errorf("event %+v", events[0])
		}
		time.Sleep(2 * time.Second)
		r.press(lines.StaffPressed)
		r.wantStaff(2)
		r.wantVisits(0)
	})
}

// TestStaffButtonOnSlowDisk is pushed again by somebody who waits: the pushes
// that queue up meanwhile let nobody else in.
func TestStaffButtonOnSlowDisk(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.slow = 4 * time.Second
		for range 3 {
			go func() { r.events <- lines.StaffPressed }()
		}
		time.Sleep(20 * time.Second)
		r.wantStaff(1)
		r.wantSaid(audio.Wait, audio.StaffAdmitted)
	})
}

// TestStaffButtonOnBadDisk fails the count: the door stays shut.
func TestStaffButtonOnBadDisk(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.fault = errors.New("no space left on device")
		r.press(lines.StaffPressed)
		if calls, _ := r.record(); slices.Contains(calls, "green") {
			t.Errorf("the door opens although nothing is on disk: %v", calls)
		}
		r.wantSaid(audio.OutOfOrder)
		r.wantStaff(0)
	})
}

// TestDoorOnBadDisk is the same for a pass: whatever the disk does, the door
// does not open without the visit on it.
func TestDoorOnBadDisk(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.fault = errors.New("input/output error")
		r.hold(2*time.Second, r.pass(1, 0, nil))
		if calls, _ := r.record(); slices.Contains(calls, "green") {
			t.Errorf("the door opens although nothing is on disk: %v", calls)
		}
		r.keeper.fault = nil
		r.hold(6*time.Second, r.pass(2, 0, nil))
		calls, _ := r.record()
		if disk, door := slices.Index(calls, "on disk"), slices.Index(calls, "green"); disk < 0 || door < disk {
			t.Errorf("the calls were %v", calls)
		}
	})
}

// TestStaffButtonUnderPolicy counts where visits or passes are looked at, and
// nothing where no check-in is needed; the door opens all the same.
func TestStaffButtonUnderPolicy(t *testing.T) {
	for kind, want := range map[string]int{"restaurant": 1, "museum": 1, "park": 0} {
		bubble(t, setting{kind: kind}, func(t *testing.T, r *rig) {
			r.press(lines.StaffPressed)
			r.wantSaid(audio.StaffAdmitted)
			if calls, _ := r.record(); !slices.Contains(calls, "green") {
				t.Errorf("at a %s the door stays shut", kind)
			}
			r.wantStaff(want)
			r.wantVisits(0)
		})
	}
}

func (r *rig) wantStaff(want int) {
	r.t.Helper()
	counts, err := r.journal.Counts(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		r.t.Fatal(err)
	}
	got := 0
	for _, c := range counts {
		got += c.Staff
	}
	if got != want {
		r.t.Errorf("%d counted as let in by the staff, want %d", got, want)
	}
}

func TestHelpButton(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.press(lines.HelpPressed)
		calls, _ := r.record()
		if diff := cmp.Diff([]string{"help", "show help-called", "say help-called"}, calls); diff != "" {
			t.Error(diff)
		}
		time.Sleep(5 * time.Second)
		r.show()
		if got := r.screen.now().Scene; got != display.HelpCalled {
			t.Errorf("5 s later the screen shows %q", got)
		}
		r.show(r.pass(1, 0, nil)) // somebody else needs no help
		r.wantSaid(audio.HelpCalled, audio.Accepted)
	})
}

// TestStaffCorner shows the staff's field where the owner wants it.
func TestStaffCorner(t *testing.T) {
	for corner, want := range map[Corner][2]bool{CornerNever: {false, false}, CornerAtOnce: {true, true}, CornerOnPress: {false, true}} {
		bubble(t, setting{config: Config{Skew: pass.Skew, Staff: true, Corner: corner}}, func(t *testing.T, r *rig) {
			r.show(r.pass(1, 0, &pass.Health{Complete: true, Doses: []pass.Dose{{Number: 1, Date: time.Now().AddDate(0, 0, -60)}}}))
			before := r.screen.now()
			r.press(lines.StaffPressed)
			after := r.screen.now()
			if before.StaffOpen != want[0] || before.Staff == nil {
				t.Errorf("corner %d: with the answer it shows %v, %v", corner, before.StaffOpen, before.Staff)
			}
			if corner == CornerOnPress {
				if after.Scene != display.Accepted || !after.StaffOpen {
					t.Errorf("after the staff's press the screen shows %q, %v", after.Scene, after.StaffOpen)
				}
				time.Sleep(pressedOnce)
				r.press(lines.StaffPressed) // once more
				r.wantStaff(0)
				time.Sleep(openFor + time.Second)
				r.show()
				if got := r.screen.now(); got.Staff != nil || got.StaffOpen {
					t.Error("the staff's field stays")
				}
				r.press(lines.StaffPressed)
			}
			r.wantStaff(1)
		})
	}
}

// TestStaffCornerTooLate lets nobody in for a push that was meant for a field
// which has just gone.
func TestStaffCornerTooLate(t *testing.T) {
	bubble(t, setting{config: Config{Skew: pass.Skew, Staff: true, Corner: CornerOnPress}}, func(t *testing.T, r *rig) {
		r.show(r.pass(1, 0, &pass.Health{Complete: true, Doses: []pass.Dose{{Number: 1, Date: time.Now().AddDate(0, 0, -60)}}}))
		time.Sleep(holdGood + 100*time.Millisecond)
		r.show()
		r.press(lines.StaffPressed)
		r.wantStaff(0)
		time.Sleep(openFor)
		r.press(lines.StaffPressed)
		r.wantStaff(1)
	})
}

// TestGreeting tells somebody who has come and shows nothing where the camera
// is, once in a while.
func TestGreeting(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.press(lines.Arrived)
		r.hold(3 * time.Second)
		r.wantSaid(audio.Here)
		for range 3 {
			r.press(lines.Left)
			r.press(lines.Arrived)
			r.hold(3 * time.Second)
		}
		r.wantSaid(audio.Here)

		time.Sleep(rested)
		r.press(lines.Left)
		r.press(lines.Arrived)
		r.hold(time.Second, r.pass(1, 0, nil)) // knows where it is
		r.hold(3 * time.Second)
		r.wantSaid(audio.Here, audio.Accepted)

		time.Sleep(rested)
		r.press(lines.Arrived)
		r.press(lines.Left) // went past
		r.hold(3 * time.Second)
		r.wantSaid(audio.Here, audio.Accepted)

		time.Sleep(rested)
		r.k.Aim(true) // nobody is asked for a code that is not judged
		r.press(lines.Arrived)
		r.hold(3 * time.Second)
		r.wantSaid(audio.Here, audio.Accepted)
	})
}

// TestAskedToRenew tells whoever shows two old codes in so many words what to do.
func TestAskedToRenew(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.hold(time.Second, r.pass(1, -time.Minute, nil))
		time.Sleep(5 * time.Second)
		r.hold(time.Second, r.pass(2, -time.Minute, nil))
		r.wantSaid(audio.Expired, audio.Renew)
		time.Sleep(4 * time.Second)
		r.show()
		if got := r.screen.now(); got.Scene != display.Idle || got.Hint != display.Renew {
			t.Errorf("afterwards the screen shows %q, %q", got.Scene, got.Hint)
		}
		r.show(r.pass(3, 0, nil))
		time.Sleep(3 * time.Second)
		r.show()
		if got := r.screen.now(); got.Hint != display.NoHint {
			t.Errorf("after a good code it still shows %q", got.Hint)
		}
		r.show(r.pass(4, -time.Minute, nil))
		r.wantSaid(audio.Expired, audio.Renew, audio.Accepted, audio.Expired)
	})
}

// TestRenewIsHeard holds that a second old code is answered while the first one's
// answer sounds, to which the hint's prompt would give way.
func TestRenewIsHeard(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.hold(500*time.Millisecond, r.pass(1, -time.Minute, nil))
		r.hold(500*time.Millisecond, r.pass(2, -time.Minute, nil))
		r.wantSaid(audio.Expired, audio.Expired)
	})
}

// TestFlash holds that an answer flashes where nobody can hear it.
func TestFlash(t *testing.T) {
	for _, muted := range []bool{false, true} {
		bubble(t, setting{}, func(t *testing.T, r *rig) {
			r.k.parts.Muted = func() bool { return muted }
			r.show(r.pass(1, 0, nil))
			if got := r.screen.now(); got.Flash != muted {
				t.Errorf("muted %v: the screen flashes: %v", muted, got.Flash)
			}
		})
	}
}

// TestCoaching shows and says what is wrong, and the answer comes through it.
func TestCoaching(t *testing.T) {
	bubble(t, setting{config: Config{Skew: pass.Skew, AimTone: true}}, func(t *testing.T, r *rig) {
		r.suffer(time.Second, qr.TooSmall)
		if got := r.screen.now(); got.Scene != display.Seen || got.Hint != display.Closer || !got.Located || got.X != 0.4 {
			t.Errorf("the screen shows %q, %q at %v", got.Scene, got.Hint, got.X)
		}
		r.wantSaid(audio.Closer)
		r.suffer(300*time.Millisecond, qr.Moving)
		r.show(r.pass(1, 0, nil))
		r.wantSaid(audio.Closer, audio.Accepted)
		if near := r.voice.near; math.Abs(near-0.8) > 1e-6 {
			t.Errorf("the tone is at %v, want 0.8", near)
		}
		r.suffer(time.Second, qr.Moving) // the phone leaves
		r.hold(3 * time.Second)
		r.wantSaid(audio.Closer, audio.Accepted)
		if got := r.screen.now(); got.Scene != display.Idle || got.Hint != display.NoHint {
			t.Errorf("afterwards the screen shows %q, %q", got.Scene, got.Hint)
		}
	})
}

// TestDoorHeld: who was admitted while the other door is open hears so to the end,
// then that the door will open, and is told to come in when it does; whose door
// opens before that is told nothing more.
func TestDoorHeld(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.show(r.pass(1, 0, nil))
		r.press(lines.DoorHeld)
		time.Sleep(500 * time.Millisecond)
		r.press(lines.DoorFreed)
		time.Sleep(5 * time.Second)
		r.wantSaid(audio.Accepted)
	})
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.voice.lasts = 1300 * time.Millisecond
		r.press(lines.StaffPressed)
		r.press(lines.DoorHeld)
		r.wantSaid(audio.StaffAdmitted)
		r.hold(1500 * time.Millisecond)
		r.wantSaid(audio.StaffAdmitted, audio.DoorHeld)
		r.hold(8 * time.Second)
		if got := r.screen.now().Scene; got != display.DoorHeld {
			t.Errorf("while they wait the screen shows %q", got)
		}
		r.press(lines.DoorFreed)
		r.wantSaid(audio.StaffAdmitted, audio.DoorHeld, audio.StaffAdmitted)
		if got := r.screen.now().Scene; got != display.StaffAdmitted {
			t.Errorf("when the door opens the screen shows %q", got)
		}
		r.wantStaff(1)
		calls, _ := r.record()
		if n := len(slices.DeleteFunc(calls, func(c string) bool { return c != "green" })); n != 1 {
			t.Errorf("lamps and door were signalled %d times", n)
		}
	})
	bubble(t, setting{}, func(t *testing.T, r *rig) { // nobody waits for ever
		r.show(r.pass(1, 0, nil))
		r.press(lines.DoorHeld)
		r.hold(3 * time.Second)
		r.press(lines.DoorKept)
		r.show()
		if got := r.screen.now().Scene; got != display.Idle {
			t.Errorf("after the wait the screen shows %q", got)
		}
		r.wantSaid(audio.Accepted, audio.DoorHeld)
	})
}
