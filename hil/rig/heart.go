//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// heart tells how much time the guest had. It would beat every 10 ms.
type heart struct {
	mu          sync.Mutex
	gap         time.Duration
	idle, total int64 // of /proc/stat, when since was last called
}

func (h *heart) run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for before := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		h.mu.Lock()
		h.gap = max(h.gap, now.Sub(before))
		h.mu.Unlock()
		before = now
	}
}

// since is the longest time without a beat since it was last called, and the
// share of the processor's time that was in use.
func (h *heart) since() (gap time.Duration, busy float64) {
	var user, nice, system, idle, iowait, irq, soft, steal int64
	if stat, err := os.ReadFile("/proc/stat"); err == nil {
		fmt.Sscanf(string(stat), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &soft, &steal)
	}
	idle += iowait
	total := user + nice + system + idle + irq + soft + steal
	h.mu.Lock()
	defer h.mu.Unlock()
	if passed := total - h.total; passed > 0 {
		busy = 1 - float64(idle-h.idle)/float64(passed)
	}
	gap, h.gap, h.idle, h.total = h.gap, 0, idle, total
	return gap, busy
}
