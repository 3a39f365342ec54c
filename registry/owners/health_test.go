package owners

import (
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
)

// Each trouble is told by its name, in its level, with what to do; and a kiosk
// that is well has nothing to be done.
func TestHealth(t *testing.T) {
	w, err := loadWords("ko")
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change func(k *devices.Kiosk)
		level  level
		word   string
		first  string // what is told first
	}{
		"well":            {func(*devices.Kiosk) {}, good, "ok", "network"},
		"a queue":         {func(k *devices.Kiosk) { k.Health.Queue, k.Health.Oldest = 5, t0.Add(-time.Minute).UnixMilli() }, good, "ok", "network"},
		"an old queue":    {func(k *devices.Kiosk) { k.Health.Queue, k.Health.Oldest = 5, t0.Add(-day).UnixMilli() }, look, "look", "queue"},
		"a late queue":    {func(k *devices.Kiosk) { k.Health.Queue, k.Health.Oldest = 5, t0.Add(-21*day).UnixMilli() }, bad, "look", "queue"},
		"destroyed":       {func(k *devices.Kiosk) { k.Health.Destroyed = 3 }, look, "look", "destroyed"},
		"refused":         {func(k *devices.Kiosk) { k.Health.Refused = 3 }, look, "look", "refused"},
		"old keys":        {func(k *devices.Kiosk) { k.Health.Bundle = 6 }, look, "look", "keys"},
		"keys on the way": {func(k *devices.Kiosk) { k.Health.Bundle, k.Health.Uptime = 6, 60 }, good, "ok", "network"},
		"no keys":         {func(k *devices.Kiosk) { k.Health.Bundle = 0 }, bad, "look", "keys"},
		"unsure clock":    {func(k *devices.Kiosk) { k.Health.Clock = pass.ClockUnsure }, look, "look", "clock"},
		"wrong clock":     {func(k *devices.Kiosk) { k.Health.Clock = pass.ClockWrong }, bad, "look", "clock"},
		"slow camera":     {func(k *devices.Kiosk) { k.Health.FPS = 12 }, look, "look", "camera"},
		"warm":            {func(k *devices.Kiosk) { k.Health.Temperature = 760 }, look, "look", "temperature"},
		"hot":             {func(k *devices.Kiosk) { k.Health.Temperature = 830 }, bad, "look", "temperature"},
		"little disk":     {func(k *devices.Kiosk) { k.Health.Disk = 400 }, look, "look", "disk"},
		"no disk":         {func(k *devices.Kiosk) { k.Health.Disk = 10 }, bad, "look", "disk"},
		"silent":          {func(k *devices.Kiosk) { k.Seen = t0.Add(-devices.Silence - 1); k.Health.Disk = 10 }, bad, "silent", "network"},
		"revoked":         {func(k *devices.Kiosk) { k.Revoked = t0 }, good, "revoked", ""},
		"fresh":           {func(k *devices.Kiosk) { k.Seen, k.Enrolled = time.Time{}, t0 }, look, "waiting", "network"},
		"never seen":      {func(k *devices.Kiosk) { k.Seen = time.Time{} }, bad, "silent", "network"},
	} {
		k := devices.Kiosk{ID: "k", Enrolled: t0.Add(-30 * day), Seen: t0, Health: well()}
		c.change(&k)
		h := examine(w, k, 7, t0)
		if h.Level != c.level || h.Word != c.word {
			t.Errorf("%s: %s, %s, want %s, %s", name, h.Level, h.Word, c.level, c.word)
		}
		if c.first == "" {
			continue
		}
		if got := h.Findings[0]; got.Name != c.first || got.Level != c.level {
			t.Errorf("%s: first told of %s (%s), want %s", name, got.Name, got.Level, c.first)
		}
		for _, f := range h.Findings {
			if f.Says == "" || (f.Do == "") != (f.Level == good) {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// Whatever a kiosk says of itself, there is an answer.
func FuzzHealth(f *testing.F) {
	f.Add(uint64(5), int64(1), uint64(7), uint8(2), uint16(300), int16(500), uint32(8000), uint64(0), uint64(0), uint64(100))
	f.Add(uint64(1<<53), int64(-1), uint64(0), uint8(9), uint16(65535), int16(-32768), uint32(1<<32-1), uint64(1<<53), uint64(1<<53), uint64(1<<63))
	w, err := loadWords("en")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, queue uint64, oldest int64, bundle uint64, clock uint8, fps uint16, temperature int16, disk uint32, refused, destroyed, uptime uint64) {
		k := devices.Kiosk{Enrolled: t0, Seen: t0, Health: wire.Heartbeat{
			Queue: queue, Oldest: oldest, Bundle: bundle, Clock: pass.Clock(clock), FPS: fps, Temperature: temperature, Disk: disk, Refused: refused, Destroyed: destroyed, Uptime: uptime,
		}}
		h := examine(w, k, 7, t0)
		if len(h.Findings) < 5 || (h.Level == good) != (h.Word == "ok") {
			t.Errorf("%+v", h)
		}
	})
}
