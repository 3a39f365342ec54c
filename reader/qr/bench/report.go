package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

func (r *results) measureStreams(options) error { return nil }

func (r *results) print(w io.Writer) {
	r.table(w, "read, %", func(t *tally) string { return fmt.Sprintf("%.1f", t.share()) }, boundName)
	r.table(w, "read that is not there", func(t *tally) string { return fmt.Sprint(t.wrong) })
	r.table(w, "hit, ms median (p95)", func(t *tally) string { return times(t.hits) })
	r.table(w, "miss, ms median (p95)", func(t *tally) string { return times(t.misses) })
}

func times(d []time.Duration) string {
	if len(d) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f (%.1f)", ms(percentile(d, 50)), ms(percentile(d, 95)))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (r *results) table(w io.Writer, title string, cell func(*tally) string, more ...string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "\n%s\tpictures\t", title)
	names := more
	for i := range r.readers {
		names = slices.Insert(names, i, r.readers[i].name)
	}
	for _, name := range names {
		fmt.Fprintf(tw, "%s\t", name)
	}
	fmt.Fprintln(tw)
	for _, k := range r.order {
		name := k.set
		if k.group != "" {
			name = "· " + k.group
		}
		fmt.Fprintf(tw, "%s\t%d\t", name, r.tally(k, r.readers[0].name).pictures)
		for _, name := range names {
			if t := r.tally(k, name); t.pictures > 0 {
				fmt.Fprintf(tw, "%s\t", cell(t))
			} else {
				fmt.Fprint(tw, "–\t")
			}
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}
