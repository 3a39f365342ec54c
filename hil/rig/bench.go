//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/munjigi/munjigi/kiosk"
)

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
