//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

// measures is how long the visitors of a measurement may take together.
const measures = 3 * time.Minute

// measure lets good visitors come and takes the time from the first picture
// with a whole code, written to the camera, to the first audible sample at the
// far end of the sound card, and to the first changed pixel of the screen. Then
// a queue of visitors comes, as fast as prompts can be heard.
func (r *rig) measure(ctx context.Context, key ed25519.PrivateKey, g *gaze) error {
	var told, seen, heard, stalled []float64
	var faults []string
	without, from := 0, time.Time{}
	for i := range r.bench {
		if err := g.arm(ctx); err != nil {
			return err
		}
		if i == 0 {
			from = time.Now()
		}
		if time.Since(from) > measures {
			break
		}
		came, err := r.prepare(ctx, "good", key)
		if err != nil {
			return err
		}
		wait(ctx, time.Second+time.Duration(i%7)*37*time.Millisecond, func() bool { return false })
		if came.old() { // drawing it took as long as it is good for
			without++
			continue
		}
		w := &row{kind: fmt.Sprint("visitor ", i+1), want: string(kiosk.Accepted), picture: 1, unseen: true}
		if err := r.visitor(ctx, w, came.pictures, ""); err != nil {
			return err
		}
		answers, sounds := r.diary.between(w.from, w.to), r.ear.heard(w.from, w.to)
		if len(answers) != 1 || answers[0].verdict != w.want || len(sounds) == 0 || g.seen().IsZero() {
			missed := len(answers) == 0 || len(answers) == 1 && answers[0].verdict == w.want
			if missed && (w.stall > tears || w.busy > saturated) { // the machine's fault; the next may have more luck
				without++
				continue
			}
			faults = append(faults, fmt.Sprintf("%s: %d answers, %d sounds, screen changed at %v", w.kind, len(answers), len(sounds), g.seen()))
			continue
		}
		told = append(told, milliseconds(answers[0].at.Sub(w.from)))
		seen = append(seen, milliseconds(g.seen().Sub(w.from)))
		heard = append(heard, milliseconds(sounds[0].at.Sub(w.from)))
		stalled = append(stalled, milliseconds(w.stall))
	}
	if len(faults) > 0 {
		return fmt.Errorf("not as expected:\n  %s", strings.Join(faults, "\n  "))
	}
	if len(heard) < (r.bench+1)/2 {
		return fmt.Errorf("%d of %d visitors were measured within %v, and %d were told nothing or too late: %w; the figures need a quiet machine", len(heard), r.bench, measures, without, errStarved)
	}
	fmt.Printf("\n%s %s, %d pictures a second (%d of %d late), %d visitors; milliseconds from the first picture with a whole code\n",
		r.format, r.size, r.feeder.node.fps, r.feeder.late, r.feeder.count, len(heard))
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "to\tmin\tp50\tp95\tmax\t")
	for _, line := range []struct {
		name string
		ms   []float64
	}{{"line in the log", told}, {"first changed pixel", seen}, {"first audible sample", heard}, {"(guest without time)", stalled}} {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t\n", line.name, quantile(line.ms, 0), quantile(line.ms, 0.5), quantile(line.ms, 0.95), quantile(line.ms, 1))
	}
	t.Flush()
	fmt.Printf("bench: kiosk.frame_to_heard.p50 %.0f ms\nbench: kiosk.frame_to_heard.p95 %.0f ms\n", quantile(heard, 0.5), quantile(heard, 0.95))
	fmt.Printf("bench: face.frame_to_pixel.p50 %.0f ms\nbench: face.frame_to_pixel.p95 %.0f ms\n", quantile(seen, 0.5), quantile(seen, 0.95))
	fmt.Printf("bench: face.frame_to_voice.p50 %.0f ms\nbench: face.frame_to_voice.p95 %.0f ms\n", quantile(heard, 0.5), quantile(heard, 0.95))
	perMinute, err := r.queue(ctx, key)
	if errors.Is(err, errStarved) {
		fmt.Printf("%v; once more\n", err)
		perMinute, err = r.queue(ctx, key)
	}
	if err != nil {
		return err
	}
	fmt.Printf("bench: face.visitors %.0f visitors/min\n", perMinute)
	return ctx.Err()
}

// queue lets phones come back to back, each for 600 ms with 300 ms to the next:
// a prompt's length. Every one must be accepted, and the loudspeaker speak nearly
// all the time.
func (r *rig) queue(ctx context.Context, key ed25519.PrivateKey) (perMinute float64, err error) {
	const visitors = 30
	scene := virtual.NewScene(1, r.feeder.node.size, virtual.Look{})
	pictures := func() ([][]byte, error) {
		text, _, err := mint("good", key, r.issuer, truth())
		if err != nil {
			return nil, err
		}
		code, err := symbol.Encode(text)
		if err != nil {
			return nil, err
		}
		one := new(image.Gray)
		size := r.feeder.node.size
		scene.Render(one, scene.NewScreen(code), virtual.Pose{X: float64(size.X) / 2, Y: float64(size.Y) / 2, Scale: float64(size.Y) / 120}, 0)
		held, err := r.feeder.node.encode(ctx, []*image.Gray{one})
		if err != nil {
			return nil, err
		}
		all := slices.Repeat(held, r.feeder.node.fps*6/10)
		return append(all, slices.Repeat(r.feeder.room[:1], r.feeder.node.fps*3/10)...), nil
	}
	next, err := pictures()
	if err != nil {
		return 0, err
	}
	from := time.Now()
	r.heart.since()
	before := r.ear.audibly()
	for range visitors {
		_, ended, err := r.feeder.show(ctx, next)
		if err != nil {
			return 0, err
		}
		if next, err = pictures(); err != nil { // while this one is shown
			return 0, err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	wait(ctx, 5*time.Second, func() bool { _, silent := r.ear.quietSince(); return silent })
	answers := r.diary.between(from, time.Now())
	after := r.ear.audibly()
	for _, a := range answers {
		if a.verdict != string(kiosk.Accepted) {
			return 0, fmt.Errorf("in the queue somebody was told %q", a.verdict)
		}
	}
	if gap, busy := r.heart.since(); len(answers) < visitors && (gap > tears || busy > saturated) {
		return 0, fmt.Errorf("of %d visitors in a queue %d were told anything: %w", visitors, len(answers), errStarved)
	}
	if len(answers) != visitors {
		return 0, fmt.Errorf("of %d visitors in a queue %d were told anything", visitors, len(answers))
	}
	took := answers[visitors-1].at.Sub(answers[0].at)
	spoken := time.Duration(after-before) * time.Second / rate
	fmt.Printf("a queue of %d visitors, back to back: all accepted within %.1f s, %.1f s of speech heard\n", visitors, took.Seconds(), spoken.Seconds())
	if spoken < visitors*500*time.Millisecond {
		return 0, fmt.Errorf("of %d prompts only %v was heard", visitors, spoken)
	}
	return (visitors - 1) / took.Minutes(), ctx.Err()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile is the smallest value that a share q of all values do not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
