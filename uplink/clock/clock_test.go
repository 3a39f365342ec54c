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
