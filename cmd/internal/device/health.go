package device

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/pass/wire"
)

// health is what the device measures of itself between two heartbeats.
type health struct {
	start time.Time // of the daemon, by the system's clock

	mu     sync.Mutex
	frames uint64
	at     time.Time
	fps    float64
}

// look notes how many frames the loop has worked on.
func (h *health) look(frames uint64, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since := at.Sub(h.at).Seconds(); !h.at.IsZero() && since > 0 && frames >= h.frames {
		h.fps = float64(frames-h.frames) / since
	}
	h.frames, h.at = frames, at
}

func (h *health) perSecond() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fps
}

// facts are what the registry is told every minute: counts of the device, no
// time of any visit but the oldest one's that waits.
func (d *Device) facts() wire.Heartbeat {
	now := d.now()
	h := wire.Heartbeat{
		Version: d.version, Bundle: d.Trust.State().Number, Clock: d.Clock.State(now),
		FPS: uint16(min(d.health.perSecond()*10, 65535)), Temperature: temperature("/sys/class/thermal/thermal_zone0/temp"),
		Disk: freeMiB(d.Config.Data), Uptime: uint64(max(time.Since(d.health.start), 0) / time.Second),
	}
	if s, err := d.Journal.Stats(); err == nil {
		h.Queue, h.Refused, h.Destroyed = uint64(s.Queue), uint64(s.Aside), s.Destroyed
		h.Mended, h.Salvaged = s.Mended, s.Salvaged
		if !s.Oldest.IsZero() {
			h.Oldest = s.Oldest.Truncate(time.Hour).UnixMilli() // nobody need know when that visit was
		}
	}
	return h
}

// temperature reads the kernel's thermal zone, thousandths of a degree Celsius,
// as tenths; 0 where there is none.
func temperature(file string) int16 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	milli, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || milli < -100_000 || milli > 200_000 {
		return 0
	}
	return int16(milli / 100)
}

// freeMiB is the space left for the journal, 0 where nobody knows.
func freeMiB(dir string) uint32 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0
	}
	return uint32(min(uint64(s.Bavail)*uint64(s.Bsize)>>20, 1<<32-1))
}
