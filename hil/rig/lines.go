//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
)

// Lines that the kiosk listens to are driven by gpio-sim's pulls: "pull-up" is
// high. A consumer that asks for a pull sets the level, too, so that they are
// driven after the kiosk has taken them.
const (
	low  = "pull-down"
	high = "pull-up"
)

// happening is what comes in by a line, or by a phone while one is otherwise:
// the line's level then and afterwards.
type happening struct {
	line                string
	level, back         string
	want                string        // verdicts in the log, "" for none
	says                []string      // what is heard, in this order
	scene               display.Scene // "" does not matter
	green, door, buzzes int           // pulses
}

// happenings are those of a plan that are no visitors: a person without a phone
// whom the staff let in, one who calls for help, one who comes and shows nothing
// yet, and an accepted one who waits because the other door is open.
var happenings = map[string]happening{
	"staff":    {line: "staff", level: low, back: high, want: string(kiosk.StaffAdmitted), says: []string{"staff-admitted"}, scene: display.StaffAdmitted, green: 1, buzzes: 1, door: 1},
	"help":     {line: "help", level: low, back: high, want: string(kiosk.HelpCalled), says: []string{"help-called"}, scene: display.HelpCalled, buzzes: 3},
	"presence": {line: "presence", level: high, back: low, says: []string{"here"}},
	"held": {line: "interlock", level: high, back: low, want: string(kiosk.Accepted) + "+" + string(kiosk.DoorHeld),
		says: []string{"accepted", "door-held", "accepted"}, scene: display.DoorHeld, green: 1, buzzes: 1, door: 1},
}

// drive sets a line's level.
func (r *rig) drive(line, level string) error {
	if err := os.WriteFile(r.drives[line], []byte(level), 0); err != nil {
		return fmt.Errorf("drive line %s: %w", line, err)
	}
	return nil
}

// shut waits until the kiosk has taken the contact of the other door, which is
// open then, and shuts that.
func (r *rig) shut(ctx context.Context) error {
	taken := func() bool {
		data, err := os.ReadFile(r.drives["interlock"])
		return err == nil && strings.HasPrefix(string(data), high)
	}
	if !wait(ctx, 20*time.Second, taken) {
		return fmt.Errorf("the kiosk has not taken the interlock's line: see gpio in its log")
	}
	if err := r.drive("interlock", low); err != nil {
		return err
	}
	wait(ctx, time.Second, func() bool { return false })
	return ctx.Err()
}

// happen lets kind happen and judges what the kiosk did.
func (r *rig) happen(ctx context.Context, w *row, key ed25519.PrivateKey, known prompts, shot string) error {
	h := happenings[w.kind]
	var came visit
	if w.kind == "held" {
		var err error
		if came, err = r.prepare(ctx, "good", key); err != nil {
			return err
		}
	}
	r.heart.since()
	w.from, w.want, w.picture = time.Now(), h.want, 1
	r.ear.longestStall()
	if err := r.drive(h.line, h.level); err != nil {
		return err
	}
	if came.pictures != nil {
		wait(ctx, time.Second, func() bool { return false })
		if _, _, err := r.feeder.show(ctx, came.pictures); err != nil {
			return err
		}
	}
	verdicts := func() string {
		var all []string
		for _, a := range r.diary.between(w.from, time.Now()) {
			all = append(all, a.verdict)
		}
		return strings.Join(all, "+")
	}
	wait(ctx, 10*time.Second, func() bool { return verdicts() == h.want && (h.want != "" || len(r.ear.heard(w.from, time.Now())) > 0) })
	if h.scene != "" && r.screen != "" {
		wait(ctx, 300*time.Millisecond, func() bool { return false })
		img, err := screenshot(r.screen, r.shape, r.stride)
		if err != nil {
			return err
		}
		w.picture = alike(img, drawn(r.painter, r.shape, h.scene, w.kind))
		if err := keep(img, filepath.Join(r.out, shot)); err != nil {
			return err
		}
	}
	quiet := func() bool {
		last, silent := r.ear.quietSince()
		return silent && time.Since(last) > time.Second && r.pins.allLow()
	}
	wait(ctx, 10*time.Second, quiet)
	back := time.Now()
	if err := r.drive(h.line, h.back); err != nil {
		return err
	}
	wait(ctx, 500*time.Millisecond, func() bool { return false })
	wait(ctx, 10*time.Second, quiet)
	w.to = time.Now()
	w.stall, w.busy = r.heart.since()
	w.stall = max(w.stall, r.ear.longestStall())

	if w.got = verdicts(); w.got != h.want {
		w.fault("verdict %q, want %q", w.got, h.want)
	}
	var said []string
	w.match = 1
	for _, s := range r.ear.heard(w.from, w.to) {
		name, match := r.ear.name(s, known)
		said, w.match = append(said, name), min(w.match, match)
	}
	if w.prompt = strings.Join(said, "+"); !slices.Equal(said, h.says) || w.match < exactSound {
		w.fault("heard %q (match %.2f), want %q", said, w.match, h.says)
	}
	if w.picture < samePicture {
		w.fault("the screen is not %q (alike %.3f)", h.scene, w.picture)
	}
	w.green, w.red = len(r.pins.pulses("green", w.from, w.to)), len(r.pins.pulses("red", w.from, w.to))
	w.door = r.pins.pulses("door", w.from, w.to)
	if buzzes := len(r.pins.pulses("buzzer", w.from, w.to)); w.green != h.green || w.red != 0 || len(w.door) != h.door || buzzes != h.buzzes {
		w.fault("green %d, red %d, door %d, buzzer %d, want %d, 0, %d, %d", w.green, w.red, len(w.door), buzzes, h.green, h.door, h.buzzes)
	}
	for _, ms := range w.door {
		if off := time.Duration(ms)*time.Millisecond - r.door; max(off, -off) > exactPulse {
			w.fault("the door's pulse lasted %d ms, not %v", ms, r.door)
		}
	}
	if w.kind == "held" {
		if early := len(r.pins.pulses("door", w.from, back)); early > 0 {
			w.fault("the door opened while the other was open")
		}
		w.got = strings.TrimSuffix(w.got, "+"+string(kiosk.DoorHeld)) // a visit that is kept
	}
	return ctx.Err()
}
