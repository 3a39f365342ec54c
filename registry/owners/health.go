package owners

import (
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/devices"
)

// level is how urgent something is.
type level int

const (
	good level = iota
	look       // works, but somebody should look at it
	bad        // does not work
)

// String names the level in texts and style sheets.
func (l level) String() string { return [...]string{"good", "look", "bad"}[l] }

// What a kiosk's heartbeat is held against.
const (
	queueOld   = 24 * time.Hour      // the network has been away for a day
	queueLate  = 21 * 24 * time.Hour // a week until what is not sent is destroyed
	diskLow    = 500                 // MiB
	diskFull   = 50                  // MiB
	hot        = 750                 // tenths of a degree: the processor slows down at 80
	tooHot     = 820                 // tenths of a degree
	slowCamera = 50                  // frames in ten seconds
	bootTime   = 10 * time.Minute    // keys and clock may take that long after a start
)

// finding is one thing about a kiosk, in plain words: what it is and, unless
// all is well, what to do.
type finding struct {
	Level level
	Name  string // "network"
	Says  string
	Do    string // empty when good
}

// health is what an owner is told of a kiosk.
type health struct {
	Level    level
	Word     string // one of ok, look, silent, waiting, revoked
	Old      bool   // all but the first finding are of when it was last heard of
	Findings []finding
}

// examine says how a kiosk is. bundle is the number of the newest trust bundle.
func examine(w words, k devices.Kiosk, bundle uint64, now time.Time) health {
	switch {
	case !k.Revoked.IsZero():
		return health{Level: good, Word: "revoked"}
	case k.Seen.IsZero() && k.Silent(now):
		return health{Level: bad, Word: "silent", Findings: []finding{{bad, "network", w["health.never"], w["health.never_do"]}}}
	case k.Seen.IsZero():
		return health{Level: look, Word: "waiting", Findings: []finding{{look, "network", w["health.never"], w["health.never_do"]}}}
	}
	silent := k.Silent(now)
	h := health{Word: "ok", Old: silent}
	add := func(l level, name, says, do string) {
		if l == good {
			do = ""
		}
		if silent && name != "network" {
			l, do = good, "" // it may have changed since
		}
		h.Findings = append(h.Findings, finding{l, name, says, do})
		h.Level = max(h.Level, l)
	}
	b := k.Health
	if silent {
		add(bad, "network", w.say("health.silent", "ago", w.ago(now.Sub(k.Seen))), w["health.silent_do"])
	} else {
		add(good, "network", w.say("health.heard", "ago", w.ago(now.Sub(k.Seen))), "")
	}

	oldest := time.Duration(0)
	if b.Queue > 0 && b.Oldest > 0 {
		oldest = now.Sub(time.UnixMilli(b.Oldest))
	}
	switch {
	case b.Queue == 0:
		add(good, "queue", w["health.sent"], "")
	case oldest >= queueLate:
		add(bad, "queue", w.say("health.queue", "n", thousands(int(b.Queue)), "ago", w.ago(oldest)), w["health.queue_late_do"])
	case oldest >= queueOld:
		add(look, "queue", w.say("health.queue", "n", thousands(int(b.Queue)), "ago", w.ago(oldest)), w["health.queue_do"])
	default:
		add(good, "queue", w.say("health.queue", "n", thousands(int(b.Queue)), "ago", w.ago(oldest)), "")
	}
	if b.Destroyed > 0 {
		add(look, "destroyed", w.say("health.destroyed", "n", thousands(int(b.Destroyed))), w["health.destroyed_do"])
	}
	if b.Mended > 0 {
		add(look, "mended", w.say("health.mended", "n", thousands(int(b.Salvaged))), w["health.mended_do"])
	}
	if b.Refused > 0 {
		add(look, "refused", w.say("health.refused", "n", thousands(int(b.Refused))), w["health.refused_do"])
	}

	settled := time.Duration(b.Uptime)*time.Second >= bootTime
	switch {
	case b.Bundle >= bundle && b.Bundle > 0:
		add(good, "keys", w["health.keys"], "")
	case b.Bundle == 0:
		add(bad, "keys", w["health.keys_none"], w["health.keys_do"])
	case settled:
		add(look, "keys", w.say("health.keys_old", "n", bundle-b.Bundle), w["health.keys_do"])
	default:
		add(good, "keys", w["health.keys_soon"], "")
	}
	switch b.Clock {
	case pass.ClockSure:
		add(good, "clock", w["health.clock_sure"], "")
	case pass.ClockUnsure:
		add(look, "clock", w["health.clock_unsure"], w["health.clock_unsure_do"])
	default:
		add(bad, "clock", w["health.clock_wrong"], w["health.clock_wrong_do"])
	}
	if settled && b.FPS < slowCamera {
		add(look, "camera", w.say("health.camera_slow", "n", tenths(int(b.FPS))), w["health.camera_do"])
	} else {
		add(good, "camera", w.say("health.camera", "n", tenths(int(b.FPS))), "")
	}
	if t := int(b.Temperature); t != 0 {
		switch says := w.say("health.temperature", "n", tenths(t)); {
		case t >= tooHot:
			add(bad, "temperature", says, w["health.temperature_do"])
		case t >= hot:
			add(look, "temperature", says, w["health.temperature_do"])
		default:
			add(good, "temperature", says, "")
		}
	}
	switch says := w.say("health.disk", "n", gibibytes(b.Disk)); {
	case b.Disk < diskFull:
		add(bad, "disk", says, w["health.disk_full_do"])
	case b.Disk < diskLow:
		add(look, "disk", says, w["health.disk_do"])
	default:
		add(good, "disk", says, "")
	}
	switch {
	case silent:
		h.Word = "silent"
	case h.Level > good:
		h.Word = "look"
	}
	slices.SortStableFunc(h.Findings, func(a, b finding) int { return int(b.Level) - int(a.Level) })
	return h
}

func tenths(n int) string {
	sign := ""
	if n < 0 {
		sign, n = "−", -n
	}
	return sign + thousands(n/10) + "." + string(rune('0'+n%10))
}

// gibibytes writes MiB the way people say it.
func gibibytes(mib uint32) string {
	if mib < 1024 {
		return thousands(int(mib)) + " MB"
	}
	return tenths(int(uint64(mib)*10/1024)) + " GB"
}
