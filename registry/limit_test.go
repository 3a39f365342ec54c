package registry

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := newLimiter(Rate{PerSecond: 2, Burst: 3})
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
		if got := l.take(step.name, t0.Add(step.after)); got.Round(time.Millisecond) != step.want {
			t.Errorf("after %s %s waits %s, want %s", step.after, step.name, got, step.want)
		}
	}
}

// Strangers with many addresses do not fill the memory.
func TestLimiterForgets(t *testing.T) {
	l := newLimiter(Rate{PerSecond: 1, Burst: 2})
	for i := range maxBuckets + 10 {
		l.take(fmt.Sprint(i), t0)
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Errorf("%d buckets", n)
	}
	l = newLimiter(Rate{PerSecond: 1, Burst: 2})
	for i := range maxBuckets {
		l.take(fmt.Sprint(i), t0)
	}
	l.take("one more", t0.Add(time.Minute)) // by then everybody's is full again
	if n := len(l.buckets); n > 1 {
		t.Errorf("%d buckets of people who left", n)
	}
}

func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::", "[2001:db8:1:2::9]:2": "2001:db8:1:2::", "pipe": "pipe",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		if got := origin(r); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestPauseFor(t *testing.T) {
	for inUse, want := range map[int]time.Duration{0: 0, 1: 0, 128: 0, 129: 26 * time.Millisecond, 320: 5 * time.Second, 512: 10 * time.Second, 9999: 10 * time.Second} {
		if got := pauseFor(inUse, 512).Truncate(time.Millisecond); got != want {
			t.Errorf("%d of 512: %s, want %s", inUse, got, want)
		}
	}
	if got := pauseFor(1, 1); got != 10*time.Second {
		t.Errorf("the only slot: %s", got)
	}
}
