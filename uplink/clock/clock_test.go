package clock

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
)

func TestState(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	ntp := false
	c := New(func() bool { return ntp }, false)
	c.Raise(time.Time{})
	c.Raise(t0)
	c.Limit(t0.Add(1500 * time.Hour))
	for _, step := range []struct {
		name string
		now  time.Time
		ntp  bool
		want pass.Clock
	}{
		{"booted in 1970", time.Unix(100, 0), false, pass.ClockWrong},
		{"wrong even if someone vouches", time.Unix(100, 0), true, pass.ClockWrong},
		{"a small step back", t0.Add(-Tolerance), false, pass.ClockUnsure},
		{"too far back", t0.Add(-Tolerance - time.Millisecond), false, pass.ClockWrong},
		{"ahead, nobody vouches", t0.Add(1000 * time.Hour), false, pass.ClockUnsure},
		{"which is not remembered", t0, false, pass.ClockUnsure},
		{"synchronised", t0.Add(2 * time.Hour), true, pass.ClockSure},
		{"back to before", t0, true, pass.ClockWrong},
		{"a night without a network", t0.Add(25 * time.Hour), false, pass.ClockSure},
		{"a day and more", t0.Add(26 * time.Hour), false, pass.ClockUnsure},
		{"vouched for beyond the limit", t0.Add(2000 * time.Hour), true, pass.ClockUnsure},
		{"which is not remembered either", t0.Add(27 * time.Hour), true, pass.ClockSure},
	} {
		ntp = step.ntp
		if got := c.State(step.now); got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
	if got := New(func() bool { return false }, true).State(t0); got != pass.ClockSure {
		t.Errorf("battery clock: %v", got)
	}
}

func TestBatteryClock(t *testing.T) {
	dir := t.TempDir()
	if batteryClock(dir) {
		t.Error("found one where there is none")
	}
	if err := os.MkdirAll(filepath.Join(dir, "rtc0"), 0o755); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]bool{"0\n": false, "1\n": true} {
		if err := os.WriteFile(filepath.Join(dir, "rtc0", "hctosys"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := batteryClock(dir); got != want {
			t.Errorf("hctosys %q: %v", content, got)
		}
	}
}

// TestNoBatteryClock is a Raspberry Pi that boots without a network, believing
// it is 2020 and then 1970: it judges nobody until somebody vouches.
func TestNoBatteryClock(t *testing.T) {
	truth := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	boot := time.Now() // carries a monotonic part, as the system's clock does
	// system is the device's clock: what it shows is wrong, how it runs is not.
	wrong := truth.Add(-30 * time.Hour)
	ntp := false
	c := New(func() bool { return ntp }, false)
	c.Raise(wrong.Add(-time.Hour)) // last seen before the power cut; the clock was saved to disk now and then
	judge := func(name string, after time.Duration, wantTime time.Time, want pass.Clock) {
		t.Helper()
		now := c.Correct(boot.Add(after))
		if got := c.State(now); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if !wantTime.IsZero() && !now.Equal(wantTime) {
			t.Errorf("%s: it is %v, want %v", name, now, wantTime)
		}
	}
	none := time.Time{}
	judge("offline", time.Minute, none, pass.ClockUnsure)
	if err := c.Signed(truth, boot.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	judge("the registry's word", 3*time.Minute, truth.Add(time.Minute), pass.ClockSure)
	judge("a night on its own", 20*time.Hour, truth.Add(20*time.Hour-2*time.Minute), pass.ClockSure)
	ntp = true
	judge("NTP has the last word", 20*time.Hour, boot.Add(20*time.Hour), pass.ClockSure)
	ntp = false
	if by, ok := c.Differs(); !ok || by.Round(time.Hour) != boot.Sub(truth).Round(time.Hour) {
		t.Errorf("differs by %v, %v", by, ok)
	}
}

// TestSignedTimeGrowsOld holds that the registry's word is good for a day by
// the monotonic clock, also where the system's clock is set meanwhile.
func TestSignedTimeGrowsOld(t *testing.T) {
	truth := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	boot := time.Now()
	c := New(func() bool { return false }, false)
	if err := c.Signed(truth, boot); err != nil {
		t.Fatal(err)
	}
	if now := c.Correct(boot.Add(Trusted - time.Second)); c.State(now) != pass.ClockSure {
		t.Error("not a day has passed")
	}
	// Seconds off, not days: unsure, so that the owner's policy holds, and not
	// wrong, which refuses everybody.
	late := boot.Add(Trusted + time.Hour)
	if now := c.Correct(late); !now.Equal(truth.Add(Trusted + time.Hour)) {
		t.Errorf("the registry's time is not carried on: %v", now)
	}
	if got := c.State(c.Correct(late)); got != pass.ClockUnsure {
		t.Errorf("after a day without another word: %v, want unsure", got)
	}
	// The word is gone, even if the system's clock now shows a time near it.
	if got := c.State(truth.Add(Trusted - time.Minute)); got == pass.ClockSure {
		t.Errorf("revived: %v", got)
	}
}

// TestNTPFallsSilent: the system's clock, which NTP has set, is believed rather
// than what the registry said before, however long ago that was.
func TestNTPFallsSilent(t *testing.T) {
	truth := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	boot := time.Now()
	ntp := true
	c := New(func() bool { return ntp }, false)
	if err := c.Signed(truth, boot); err != nil {
		t.Fatal(err)
	}
	c.Correct(boot.Add(time.Hour))
	ntp = false
	if now := boot.Add(2 * time.Hour); !c.Correct(now).Equal(now) {
		t.Errorf("%v, want the system's %v", c.Correct(now), now)
	}
}

// TestBatteryClockAhead is one kept in local time, nine hours ahead: visitors
// are judged by it while there is nobody else, and no longer.
func TestBatteryClockAhead(t *testing.T) {
	truth := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	boot := time.Now()
	ntp := false
	c := New(func() bool { return ntp }, true)
	c.Raise(truth.Add(-time.Hour))
	ahead := truth.Add(9 * time.Hour)
	if got := c.State(c.Correct(ahead)); got != pass.ClockSure || c.Vouched(ahead) {
		t.Errorf("a battery clock alone: %v, vouched %v, want sure and not vouched", got, c.Vouched(ahead))
	}
	if err := c.Signed(truth, boot); err != nil {
		t.Fatalf("the battery clock outranks the registry: %v", err)
	}
	now := c.Correct(boot.Add(time.Minute))
	if want := truth.Add(time.Minute); !now.Equal(want) || c.State(now) != pass.ClockSure || !c.Vouched(now) {
		t.Errorf("it is %v, %v, vouched %v, want the registry's %v", now, c.State(now), c.Vouched(now), want)
	}
	// The registry has been away for days: its time is carried on, and the
	// battery clock is still no reason to destroy anything.
	now = c.Correct(boot.Add(3 * Trusted))
	if want := truth.Add(3 * Trusted); !now.Equal(want) || c.State(now) != pass.ClockSure || c.Vouched(now) {
		t.Errorf("after days: %v, %v, vouched %v", now, c.State(now), c.Vouched(now))
	}
	ntp = true
	if got := c.State(truth.Add(2 * time.Minute)); got != pass.ClockSure {
		t.Errorf("NTP brought the true time: %v", got)
	}
}

func TestSignedTimeIsRefused(t *testing.T) {
	truth := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	c := New(func() bool { return false }, false)
	c.Raise(truth)
	if err := c.Signed(truth.Add(-Tolerance-time.Second), time.Now()); err == nil {
		t.Error("a time that has already been was taken")
	}
	if _, ok := c.Differs(); ok {
		t.Error("and was compared")
	}
	c.Limit(truth.Add(time.Hour))
	at := time.Now()
	if err := c.Signed(truth.Add(2*time.Hour), at); err != nil {
		t.Fatal(err)
	}
	if got := c.State(c.Correct(at)); got != pass.ClockUnsure {
		t.Errorf("beyond the bundle's end: %v", got)
	}
}

func TestHint(t *testing.T) {
	c := New(func() bool { return true }, false)
	for i, step := range []struct {
		by   time.Duration
		want bool
	}{{40 * time.Second, false}, {time.Minute, false}, {0, false}, {time.Minute, false}, {time.Minute, false}, {time.Minute, true}, {time.Minute, true}, {0, false}} {
		if c.Hint(step.by); c.Behind() != step.want {
			t.Errorf("after pass %d: %v", i, !step.want)
		}
	}
	if c.State(time.Now()) != pass.ClockSure {
		t.Error("a hint changed the state")
	}
}
