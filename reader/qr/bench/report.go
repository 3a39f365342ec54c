package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

func (r *results) measureStreams(options) error { return nil }

func (r *results) print(w io.Writer) {
	r.table(w, "read, %", func(t *tally) string { return fmt.Sprintf("%.1f", t.share()) })
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

func (r *results) table(w io.Writer, title string, cell func(*tally) string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n%s\tpictures\t", title)
	for _, reader := range r.readers {
		fmt.Fprintf(t, "%s\t", reader.name)
	}
	fmt.Fprintln(t)
	for _, k := range r.order {
		name := k.set
		if k.group != "" {
			name = "· " + k.group
		}
		fmt.Fprintf(t, "%s\t%d\t", name, r.tally(k, r.readers[0].name).pictures)
		for _, reader := range r.readers {
			fmt.Fprintf(t, "%s\t", cell(r.tally(k, reader.name)))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}
