package registry

import (
	"testing"
	"time"
)

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
