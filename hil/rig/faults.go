//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
)

// fault is something that happens to a door. guest/fault.sh brings it about and
// ends it, by the name; "picture" ones are the feeder's.
type fault struct {
	name string
	// told are the verdicts that a good code may get meanwhile; none where the
	// kiosk cannot see it.
	told []string
	// shown stands on the screen meanwhile where nobody can be told anything.
	shown display.Scene
	// waits is said and shown first, while the visit is being kept.
	waits bool
	// mute: nothing can be heard.
	mute bool
	// within is how long after its end a good code must be accepted again, and
	// that be heard and shown, without anybody's help.
	within time.Duration
	// settles is how long nobody comes after its end.
	settles time.Duration
	// short ones are tried each time, the others in the long run.
	short bool
}

const (
	accepted   = string(kiosk.Accepted)
	outOfOrder = string(kiosk.OutOfOrder)
)

var faults = []fault{
	{name: "camera-frozen", shown: display.OutOfOrder, within: 30 * time.Second, short: true},
	{name: "camera-lies", shown: display.OutOfOrder, within: 30 * time.Second, short: true},
	{name: "camera-unplugged", shown: display.OutOfOrder, within: 30 * time.Second, short: true},
	{name: "sound-unplugged", told: []string{accepted}, mute: true, settles: 4 * time.Second, within: 30 * time.Second, short: true},
	{name: "screen-resized", told: []string{accepted}, within: 5 * time.Second, short: true},
	{name: "all-unplugged", shown: display.OutOfOrder, settles: 4 * time.Second, within: 30 * time.Second},
	{name: "disk-full", told: []string{outOfOrder, accepted}, within: time.Minute, short: true},
	{name: "disk-read-only", told: []string{outOfOrder, accepted}, within: time.Minute},
	{name: "disk-slow", told: []string{accepted}, waits: true, within: 10 * time.Second, short: true},
	{name: "disk-errors", told: []string{outOfOrder}, within: time.Minute, short: true},
	{name: "clock-back", told: []string{"clock"}, within: 10 * time.Second, short: true},
	{name: "clock-never-set", told: []string{"clock"}, within: 10 * time.Second},
	{name: "clock-forward", told: []string{"clock"}, within: 10 * time.Second},
	{name: "network-gone", told: []string{accepted}, within: 5 * time.Second, short: true},
	{name: "network-slow", told: []string{accepted}, within: 5 * time.Second},
	{name: "captive-portal", told: []string{accepted}, within: 5 * time.Second, short: true},
	{name: "dns-lies", told: []string{accepted}, within: 5 * time.Second},
	{name: "registry-certificate-expired", told: []string{accepted}, within: 5 * time.Second, short: true},
	{name: "memory-short", told: []string{accepted}, within: 10 * time.Second},
	{name: "registry-killed", told: []string{accepted}, within: 5 * time.Second},
	{name: "kiosk-killed", told: []string{accepted, ""}, within: 15 * time.Second, short: true},
	{name: "config-damaged", shown: display.OutOfOrder, within: 30 * time.Second, short: true},
	{name: "journal-damaged", told: []string{accepted, ""}, within: time.Minute, short: true},
}

// endure brings the faults about, one after another, with a visitor before,
// during and after each.
func (r *rig) endure(ctx context.Context, key ed25519.PrivateKey, known prompts, which string) error {
	var rows []*row
	var failed []string
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\ta good code is told\ta forged one\tscreen\theard\tover after\t")
	tried := 0
	for _, f := range chosen(which) {
		tried++
		line, seen, err := r.suffer(ctx, f, key, known)
		if err != nil { // the next is to begin well
			err = errors.Join(err, r.bring(ctx, f, "off"))
			wait(ctx, f.within, func() bool { return false })
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rows = append(rows, seen...)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", f.name, err))
			line = "FAILED: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintf(t, "%s\t%s\n", f.name, line)
		fmt.Println(f.name, strings.ReplaceAll(line, "\t", " | "))
	}
	fmt.Println()
	t.Flush()
	if len(rows) > 0 && r.db != "" {
		failed = append(failed, r.registered(ctx, rows, 3*time.Minute)...) // senders wait long after a long fault
	}
	name := "faults"
	if strings.HasPrefix(which, "replug:") {
		name = "replug"
	}
	fmt.Printf("bench: hil.%s.tried %d count\nbench: hil.%[1]s.failed %[3]d count\n", name, tried, len(failed))
	if len(failed) > 0 {
		return fmt.Errorf("not as expected:\n  %s", strings.Join(failed, "\n  "))
	}
	return nil
}

// chosen are the faults that which names: short, all, names with commas, or
// replug:N, which is N times everything that can be unplugged, at once.
func chosen(which string) (all []*fault) {
	names := strings.Split(which, ",")
	if n, ok := strings.CutPrefix(which, "replug:"); ok {
		times, _ := strconv.Atoi(n)
		names = slices.Repeat([]string{"all-unplugged"}, times)
	}
	for i := range faults {
		if which == "all" || which == "short" && faults[i].short {
			all = append(all, &faults[i])
		}
	}
	for _, name := range names {
		for i := range faults {
			if faults[i].name == name {
				all = append(all, &faults[i])
			}
		}
	}
	return all
}

// suffer is one fault, from its beginning to what is well again.
func (r *rig) suffer(ctx context.Context, f *fault, key ed25519.PrivateKey, known prompts) (line string, rows []*row, err error) {
	if err := r.bring(ctx, f, "on"); err != nil {
		return "", nil, err
	}
	good, forged, shown, heard := "–", "–", "–", "–"
	if len(f.told) > 0 {
		for _, kind := range []string{"good", "forged"} {
			w, verr := r.comes(ctx, kind, key, f.name+"-"+kind+".png")
			if verr != nil {
				return "", rows, verr
			}
			rows = append(rows, w)
			ok := slices.Contains(f.told, w.got)
			told := w.got
			if told == "" {
				told = "nothing"
			}
			if kind == "forged" {
				forged, ok = told, w.got != accepted // whatever else it is told
			} else if good = told; ok {
				heard, err = r.rightly(f, w, known)
			}
			if !ok {
				return "", rows, fmt.Errorf("a %s code was told %q, want %v", kind, w.got, f.told)
			}
			if len(r.pins.pulses("door", w.from, w.to)) > 0 != (w.got == accepted) {
				return "", rows, fmt.Errorf("a %s code was told %q, and the door's pulses were %v", kind, w.got, r.pins.pulses("door", w.from, w.to))
			}
		}
	} else if shown, err = r.stands(ctx, f.shown, f.name+".png"); err != nil {
		return "", rows, err
	}
	if err != nil {
		return "", rows, err
	}
	if err := r.bring(ctx, f, "off"); err != nil {
		return "", rows, err
	}
	mended := time.Now()
	for wait(ctx, f.settles, func() bool { return false }); ; {
		w, err := r.comes(ctx, "good", key, "")
		if err != nil {
			return "", rows, err
		}
		rows = append(rows, w)
		after := w.from.Sub(mended)
		var amiss error
		switch {
		case w.got == accepted:
			if _, amiss = r.rightly(&fault{}, w, known); amiss == nil {
				return fmt.Sprintf("%s\t%s\t%s\t%s\t%.0f s\t", good, forged, shown, heard, after.Seconds()), rows, nil
			}
		case w.got == "" || slices.Contains(f.told, w.got):
			amiss = fmt.Errorf("a good code was told %q", w.got)
		default:
			return "", rows, fmt.Errorf("a good code was told %q when it was over", w.got)
		}
		if after > f.within {
			return "", rows, fmt.Errorf("%.0f s after it was over: %w", after.Seconds(), amiss)
		}
	}
}

// rightly says what was heard after a good code, and whether that and the screen
// were right for what it was told.
func (r *rig) rightly(f *fault, w *row, known prompts) (heard string, err error) {
	e, want := expected[w.got]
	var names []string
	sounds := r.ear.heard(w.from, w.to)
	for i, s := range sounds {
		name, match := r.ear.name(s, known)
		// One that was cut off is not named, but for the word of patience.
		if match >= sameSound || f.waits && name == "wait" {
			names = append(names, name)
		}
		if !want || match >= sameSound && name == e.prompt {
			continue
		}
		within := 8 * time.Second
		if i+1 < len(sounds) {
			within = sounds[i+1].at.Sub(s.at) - 100*time.Millisecond
		}
		if _, match := r.ear.behind(s, known[e.prompt], within); match >= sameSound {
			names = append(names, e.prompt)
		}
	}
	heard = strings.Join(names, ", ")
	switch {
	case f.mute && len(names) > 0:
		err = fmt.Errorf("%s was heard", heard)
	case !want:
		// It said nothing, or nothing that has a prompt.
	case !f.mute && !slices.Contains(names, e.prompt):
		err = fmt.Errorf("a good code: heard %q, want %s", heard, e.prompt)
	case f.waits && !slices.Contains(names[:slices.Index(names, e.prompt)], "wait"):
		err = fmt.Errorf("heard %q, want \"wait\" before %s", heard, e.prompt)
	case w.picture < samePicture:
		err = fmt.Errorf("a good code: the screen is not %s (alike %.3f)", e.scene, w.picture)
	}
	return heard, err
}

// comes lets one visitor come, whatever he is told.
func (r *rig) comes(ctx context.Context, kind string, key ed25519.PrivateKey, shot string) (*row, error) {
	v, err := r.prepare(ctx, kind, key)
	if err != nil {
		return nil, err
	}
	w := &row{kind: kind, want: v.verdict, tolerant: true}
	if err := r.visitor(ctx, w, v.pictures, shot); err != nil {
		return nil, err
	}
	if r.screen != "" && shot != "" && len(r.diary.between(w.from, w.to)) == 0 {
		img, err := screenshot(r.screen, r.shape, r.stride)
		if err == nil {
			err = keep(img, filepath.Join(r.out, shot))
		}
		if err != nil {
			return nil, err
		}
	}
	if answers := r.diary.between(w.from, w.to); len(answers) > 0 {
		w.got = answers[len(answers)-1].verdict
	}
	return w, nil
}

// stands waits until the screen shows a scene.
func (r *rig) stands(ctx context.Context, scene display.Scene, shot string) (string, error) {
	want := drawn(r.painter, r.shape, scene, "")
	var like float64
	var err error
	wait(ctx, 20*time.Second, func() bool {
		wait(ctx, 500*time.Millisecond, func() bool { return false })
		img, serr := screenshot(r.screen, r.shape, r.stride)
		if err = serr; err != nil {
			return true
		}
		err = keep(img, filepath.Join(r.out, shot))
		like = alike(img, want)
		return err != nil || like >= samePicture
	})
	if err == nil && like < samePicture {
		err = fmt.Errorf("the screen is not %s (alike %.3f)", scene, like)
	}
	return string(scene), err
}

// bring begins ("on") or ends ("off") a fault.
func (r *rig) bring(ctx context.Context, f *fault, how string) error {
	camera := f.name == "camera-unplugged" || f.name == "all-unplugged"
	switch {
	case f.name == "camera-frozen":
		r.feeder.spoil(ctx, map[string]spoiling{"on": frozen}[how])
	case f.name == "camera-lies":
		r.feeder.spoil(ctx, map[string]spoiling{"on": short}[how])
	case camera && how == "on":
		r.feeder.spoil(ctx, gone)
	}
	if f.name == "screen-resized" || f.name == "all-unplugged" {
		if err := r.resize(map[string]image.Point{"on": image.Pt(800, 600), "off": image.Pt(r.stride/4, 768)}[how]); err != nil {
			return err
		}
	}
	c := exec.CommandContext(ctx, "bash", r.script, f.name, how)
	c.WaitDelay = time.Second
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", f.name, how, err, out)
	}
	if camera && how == "off" {
		r.feeder.spoil(ctx, none)
	}
	return ctx.Err()
}
