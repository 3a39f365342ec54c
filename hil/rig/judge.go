//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite" // the registry's database

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
)

// expected is what belongs to a verdict: the prompt, the scene, and whether the
// door opens.
var expected = map[string]struct {
	prompt string
	scene  display.Scene
}{
	string(kiosk.Accepted):        {"accepted", display.Accepted},
	string(kiosk.Used):            {"used", display.Used},
	pass.ReasonExpired.String():   {"expired", display.Expired},
	pass.ReasonSignature.String(): {"refused", display.Forged},
}

// The least that counts as the same sound and the same picture.
const (
	sameSound   = 0.9
	mostPieces  = 0.75 // of a sound that the guest's own stalls have torn
	samePicture = 0.97
	pulseSlack  = 300 * time.Millisecond // by which the door's pulse may differ from door_time, the guest's stalls aside
)

// row is what was seen of one visitor.
type row struct {
	kind, want, got string
	from, to        time.Time
	prompt          string
	match           float64
	heard           time.Duration // first picture → first audible sample; with Travel, the way of the hand is in it
	picture         float64
	green, red      int
	door            []int64
	gaps            time.Duration // silence torn into the sound
	stall           time.Duration // the longest in which the guest gave the recorder no time
	faults          []string
}

func (w *row) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// receive lets the visitors of the plan come, one after another, and judges.
func (r *rig) receive(ctx context.Context, key ed25519.PrivateKey, known prompts) error {
	var rows []*row
	var last [][]byte
	for i, kind := range strings.Split(r.plan, ",") {
		w := &row{kind: kind, want: string(kiosk.Used)}
		pictures := last
		if kind == "again" {
			// Not the same presentation any more: kiosk.Same after the prompt's end, which the kiosk puts a buffer later.
			wait(ctx, 10*time.Second, func() bool { t, _ := r.ear.quietSince(); return time.Since(t) > kiosk.Same+time.Second })
		} else {
			text, verdict, err := mint(kind, key, r.issuer, time.Now())
			if err != nil {
				return err
			}
			if pictures, err = r.feeder.visit(ctx, text); err != nil {
				return err
			}
			w.want = verdict
		}
		last = pictures
		if err := r.visitor(ctx, w, pictures, fmt.Sprintf("%d-%s.png", i+1, kind)); err != nil {
			return err
		}
		r.judge(w, known)
		rows = append(rows, w)
	}
	faults := r.registered(ctx, rows)
	if r.screen != "" {
		wait(ctx, 5*time.Second, func() bool { return false }) // the longest that an answer stays
		if _, err := screenshot(r.screen, r.shape, filepath.Join(r.out, "idle.png")); err != nil {
			return err
		}
	}
	fmt.Printf("\n%s %s, %d pictures a second (%d of %d late)\n", r.format, r.size, r.feeder.node.fps, r.feeder.late, r.feeder.count)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "visitor\tverdict\tprompt heard\tmatch\tscreen alike\tgreen\tred\tdoor ms\tguest stalled ms\tgaps ms\t")
	for _, w := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%.3f\t%d\t%d\t%v\t%d\t%d\t%s\n", w.kind, w.got, w.prompt, w.match, w.picture, w.green, w.red, w.door, w.stall.Milliseconds(), w.gaps.Milliseconds(), strings.Join(w.faults, "; "))
		for _, f := range w.faults {
			faults = append(faults, w.kind+": "+f)
		}
	}
	t.Flush()
	if len(faults) > 0 {
		err := fmt.Errorf("not as expected:\n  %s", strings.Join(faults, "\n  "))
		for _, w := range rows {
			if w.stall > starved {
				return fmt.Errorf("%w; %w", err, errStarved)
			}
		}
		return err
	}
	return ctx.Err()
}

// starved is how long a guest may be without time before what it did says
// nothing about the kiosk: as long as its sound device and recorder hold out.
const starved = 2 * audio.Buffer

var errStarved = errors.New("but the machine gave the guest no time for longer than its sound device holds out")

// visitor shows a code and waits until the kiosk has done with it.
func (r *rig) visitor(ctx context.Context, w *row, pictures [][]byte, shot string) error {
	began, ended, err := r.feeder.show(ctx, pictures)
	if err != nil {
		return err
	}
	w.from = began
	r.ear.longestStall()
	if wait(ctx, 8*time.Second, func() bool { return len(r.diary.between(began, time.Now())) > 0 }) && r.screen != "" {
		wait(ctx, 300*time.Millisecond, func() bool { return false }) // the screen is drawn
		img, err := screenshot(r.screen, r.shape, filepath.Join(r.out, shot))
		if err != nil {
			return err
		}
		if e, ok := expected[w.want]; ok {
			w.picture = alike(r.painter, img, e.scene)
		}
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	wait(ctx, 15*time.Second, func() bool {
		last, silent := r.ear.quietSince() // a torn prompt is not yet its end
		return silent && time.Since(last) > time.Second && len(r.ear.heard(began, time.Now())) > 0 && r.pins.allLow()
	})
	w.to = time.Now()
	w.stall = r.ear.longestStall()
	return ctx.Err()
}

// judge compares what was seen with what belongs to the verdict.
func (r *rig) judge(w *row, known prompts) {
	e := expected[w.want]
	var got []string
	for _, a := range r.diary.between(w.from, w.to) {
		got = append(got, a.verdict)
	}
	w.got = strings.Join(got, "+")
	if w.got != w.want {
		w.fault("verdict %q, want %q", w.got, w.want)
	}
	sounds := r.ear.heard(w.from, w.to)
	if len(sounds) == 0 {
		w.fault("nothing was heard")
	} else {
		w.heard = sounds[0].at.Sub(w.from)
		w.prompt, w.match = r.ear.name(sounds[0], known)
		if w.match < sameSound { // torn, perhaps
			var share float64
			if share, w.gaps = r.ear.pieces(sounds[0], known[e.prompt]); share >= mostPieces && w.stall > audio.Buffer {
				w.prompt, w.match = e.prompt, share
			}
		}
		if w.prompt != e.prompt || w.match < mostPieces {
			w.fault("heard %q (match %.2f, gaps of %v), want %q", w.prompt, w.match, w.gaps, e.prompt)
		}
	}
	if r.screen != "" && w.picture < samePicture {
		w.fault("the screen is not %q (alike %.3f)", e.scene, w.picture)
	}
	if len(r.pins.files) == 0 {
		return
	}
	good := w.want == string(kiosk.Accepted)
	w.green, w.red = len(r.pins.pulses("green", w.from, w.to)), len(r.pins.pulses("red", w.from, w.to))
	w.door = r.pins.pulses("door", w.from, w.to)
	if good && (w.green != 1 || w.red != 0 || len(w.door) != 1) || !good && (w.green != 0 || w.red != 1 || len(w.door) != 0) {
		w.fault("lamps and door: green %d, red %d, door %d", w.green, w.red, len(w.door))
	}
	for _, ms := range w.door {
		if off := time.Duration(ms)*time.Millisecond - r.door; max(off, -off) > pulseSlack+w.stall {
			w.fault("the door's pulse lasted %d ms, not %v", ms, r.door)
		}
	}
}

// registered waits for the visits of the accepted to reach the registry, once
// each, with the time of their scan.
func (r *rig) registered(ctx context.Context, rows []*row) (faults []string) {
	if r.db == "" {
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+r.db+"?mode=ro")
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	var want []*row
	for _, w := range rows {
		if w.want == string(kiosk.Accepted) {
			want = append(want, w)
		}
	}
	first := rows[0].from.UnixMilli()
	var scans []int64
	wait(ctx, 15*time.Second, func() bool {
		scans, err = scanned(ctx, db, first)
		return err == nil && len(scans) >= len(want)
	})
	if err != nil {
		return []string{fmt.Sprintf("the registry's database: %v", err)}
	}
	fmt.Printf("registry: %d visits kept, %d accepted\n", len(scans), len(want))
	if len(scans) != len(want) {
		return []string{fmt.Sprintf("%d visits reached the registry, want %d", len(scans), len(want))}
	}
	for i, w := range want {
		if at := time.UnixMilli(scans[i]); at.Before(w.from.Truncate(time.Millisecond)) || at.After(w.to) {
			faults = append(faults, fmt.Sprintf("%s: the registry has another time of the scan", w.kind))
		}
	}
	return faults
}

func scanned(ctx context.Context, db *sql.DB, since int64) (all []int64, err error) {
	rows, err := db.QueryContext(ctx, "SELECT scanned FROM visits WHERE scanned >= ? ORDER BY scanned", since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var ms int64
		if err := rows.Scan(&ms); err != nil {
			return nil, err
		}
		all = append(all, ms)
	}
	return all, rows.Err()
}

// measure lets good visitors come and takes the time from the first picture
// with a whole code, written to the camera, to the first audible sample at the
// far end of the sound card.
func (r *rig) measure(ctx context.Context, key ed25519.PrivateKey) error {
	var told, heard, stalled []float64
	var faults []string
	for i := range r.bench {
		text, _, err := mint("good", key, r.issuer, time.Now())
		if err != nil {
			return err
		}
		pictures, err := r.feeder.visit(ctx, text)
		if err != nil {
			return err
		}
		wait(ctx, time.Second+time.Duration(i%7)*37*time.Millisecond, func() bool { return false })
		w := &row{kind: fmt.Sprint("visitor ", i+1), want: string(kiosk.Accepted), picture: 1}
		if err := r.visitor(ctx, w, pictures, ""); err != nil {
			return err
		}
		answers, sounds := r.diary.between(w.from, w.to), r.ear.heard(w.from, w.to)
		if len(answers) != 1 || answers[0].verdict != w.want || len(sounds) == 0 {
			faults = append(faults, fmt.Sprintf("%s: %d answers, %d sounds", w.kind, len(answers), len(sounds)))
			continue
		}
		told = append(told, milliseconds(answers[0].at.Sub(w.from)))
		heard = append(heard, milliseconds(sounds[0].at.Sub(w.from)))
		stalled = append(stalled, milliseconds(w.stall))
	}
	if len(faults) > 0 {
		return fmt.Errorf("not as expected:\n  %s", strings.Join(faults, "\n  "))
	}
	fmt.Printf("\n%s %s, %d pictures a second (%d of %d late), %d visitors; milliseconds from the first picture with a whole code\n",
		r.format, r.size, r.feeder.node.fps, r.feeder.late, r.feeder.count, len(heard))
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "to\tmin\tp50\tp95\tmax\t")
	for _, line := range []struct {
		name string
		ms   []float64
	}{{"line in the log", told}, {"first audible sample", heard}, {"(guest without time)", stalled}} {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t\n", line.name, quantile(line.ms, 0), quantile(line.ms, 0.5), quantile(line.ms, 0.95), quantile(line.ms, 1))
	}
	t.Flush()
	fmt.Printf("bench: kiosk.frame_to_heard.p50 %.0f ms\nbench: kiosk.frame_to_heard.p95 %.0f ms\n", quantile(heard, 0.5), quantile(heard, 0.95))
	return ctx.Err()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile is the smallest value that a share q of all values do not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
