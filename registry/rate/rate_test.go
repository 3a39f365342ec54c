package rate

import (
	"fmt"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func TestLimiter(t *testing.T) {
	l := New(Limit{PerSecond: 2, Burst: 3})
	for _, step := range []struct {
		after time.Duration
		name  string
		want  time.Duration
	}{
		{0, "a", 0}, {0, "a", 0}, {0, "a", 0}, {0, "a", 500 * time.Millisecond}, {0, "a", 500 * time.Millisecond},
		{0, "b", 0}, // another one's bucket
		{250 * time.Millisecond, "a", 250 * time.Millisecond},
		{500 * time.Millisecond, "a", 0}, {500 * time.Millisecond, "a", 500 * time.Millisecond},
		{time.Hour, "a", 0}, {time.Hour, "a", 0}, {time.Hour, "a", 0}, {time.Hour, "a", 500 * time.Millisecond},
		{0, "a", 500 * time.Millisecond}, // the clock is set back
		{500 * time.Millisecond, "a", 0}, // and runs on from there
		{600 * time.Millisecond, "a", 400 * time.Millisecond},
	} {
		if got := l.Take(step.name, t0.Add(step.after)); got.Round(time.Millisecond) != step.want {
			t.Errorf("after %s %s waits %s, want %s", step.after, step.name, got, step.want)
		}
	}
}

// Strangers with many addresses do not fill the memory.
func TestLimiterForgets(t *testing.T) {
	l := New(Limit{PerSecond: 1, Burst: 2})
	for i := range maxBuckets + 10 {
		l.Take(fmt.Sprint(i), t0)
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
	l = New(Limit{PerSecond: 1, Burst: 2})
	for i := range maxBuckets {
		l.Take(fmt.Sprint(i), t0)
	}
	l.Take("one more", t0.Add(time.Minute)) // by then everybody's is full again
	if n := len(l.buckets); n > 1 {
		t.Errorf("%d buckets of people who left", n)
	}
}

func TestOrigin(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:4711": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:2": "2001:db8:1:2::/64",
		"[::ffff:192.0.2.7]:1": "192.0.2.7", "[fe80::1%eth0]:1": "fe80::/64", "odd": "odd",
	} {
		if got := Origin(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
