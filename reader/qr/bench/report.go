package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

func (r *results) print(w io.Writer) {
	r.table(w, "read, %", func(t *tally) string {
		if t.holding == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f", t.share())
	}, true, boundName)
	r.table(w, "read that is not there", func(t *tally) string { return fmt.Sprint(t.wrong) }, false)
	r.table(w, "hit, ms median (p95)", func(t *tally) string { return times(t.hits) }, false)
	r.table(w, "miss, ms median (p95)", func(t *tally) string { return times(t.misses) }, true)
	r.table(w, "worst, ms", func(t *tally) string { return fmt.Sprintf("%.1f", ms(t.worst())) }, true)
	for _, reader := range r.readers {
		if reader.overtime > 0 {
			fmt.Fprintf(w, "\n%s was stopped on %d pictures after %s each.\n", reader.name, reader.overtime, patience)
		}
	}
	for _, name := range r.disputed {
		fmt.Fprintf(w, "\n%s: readers of different make agree on another text than the file beside it; it counts as unread, not as misread.\n", name)
	}
	r.streamTable(w, "streams read within 0.5 s of being in view, %", func(t *streamTally) string { return fmt.Sprintf("%.1f", t.share()) })
	r.streamTable(w, "streams unread", func(t *streamTally) string { return fmt.Sprint(t.unread) })
	defer printFindings(w, r.findings)
	r.streamTable(w, "s from in view to read, median (p95)", func(t *streamTally) string {
		return fmt.Sprintf("%.2f (%.2f)", t.quantile(50).Seconds(), t.quantile(95).Seconds())
	})
}

func times(d []time.Duration) string {
	if len(d) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f (%.1f)", ms(percentile(d, 50)), ms(percentile(d, 95)))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// table has a row for each set, and for each group in it where groups is set.
func (r *results) table(w io.Writer, title string, cell func(*tally) string, groups bool, more ...string) {
	if len(r.order) == 0 {
		return
	}
	tw := newTable(w, title, append(r.names(), more...))
	for _, k := range r.order {
		name := k.set
		if k.group != "" {
			name = "· " + k.group
			if !groups || k.group == k.set {
				continue
			}
		}
		pictures, line, said := 0, "", false
		for _, reader := range append(r.names(), more...) {
			t, ok := r.tallies[k][reader]
			if !ok {
				line += "–\t"
				continue
			}
			pictures = max(pictures, t.pictures)
			c := cell(t)
			line, said = line+c+"\t", said || c != "–"
		}
		if !said {
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\n", name, pictures, line)
	}
	tw.Flush()
}

func (r *results) streamTable(w io.Writer, title string, cell func(*streamTally) string) {
	if len(r.classes) == 0 {
		return
	}
	var names []string
	for _, n := range append(r.names(), boundName) {
		if _, ok := r.streams[""][n]; ok {
			names = append(names, n)
		}
	}
	tw := newTable(w, title, names)
	for _, class := range r.classes {
		name := "· " + class
		if class == "" {
			name = "streams"
		}
		fmt.Fprintf(tw, "%s\t%d\t", name, r.streams[class][names[0]].streams)
		for _, n := range names {
			fmt.Fprintf(tw, "%s\t", cell(r.streams[class][n]))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

func newTable(w io.Writer, title string, columns []string) *tabwriter.Writer {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "\n%s\tn\t", title)
	for _, c := range columns {
		fmt.Fprintf(tw, "%s\t", c)
	}
	fmt.Fprintln(tw)
	return tw
}

func (r *results) names() (out []string) {
	for _, p := range r.readers {
		out = append(out, p.name)
	}
	return out
}

// figures prints the lines at the end, those that this run has measured.
func (r *results) figures(w io.Writer) {
	fmt.Fprintln(w)
	line := func(name string, value float64, unit string) {
		fmt.Fprintf(w, "bench: %s %.4g %s\n", name, value, unit)
	}
	best := []string{peerName, "zxing-wasm"} // the better of them stands for the best peer
	for _, s := range []struct{ set, name string }{
		{"photographs", "qr.zxing.read"}, {"sweeps", "qr.sweeps.read"}, {"mix", "qr.mix.read"},
	} {
		r.shares(s.name, line, best, func(reader string) (float64, bool) {
			t, ok := r.tallies[key{s.set, ""}][reader]
			if !ok {
				return 0, false
			}
			return t.share(), true
		})
	}
	r.shares("qr.streams.read_500ms", line, best, func(reader string) (float64, bool) {
		t, ok := r.streams[""][reader]
		if !ok {
			return 0, false
		}
		return t.share(), true
	})
	r.shares("qr.streams.read", line, best, func(reader string) (float64, bool) {
		t, ok := r.streams[""][reader]
		if !ok {
			return 0, false
		}
		return 100 * float64(t.streams-t.unread) / float64(t.streams), true
	})
	if !slices.Contains(r.names(), oursName) {
		return
	}
	wrong, worst, stream := 0, time.Duration(0), time.Duration(0)
	var allocs []uint64
	for k, t := range r.tallies {
		if t[oursName] == nil || k.group != "" {
			continue
		}
		wrong += t[oursName].wrong
		if k.set == streamFrames { // which cannot be shown again
			stream = t[oursName].worst()
		} else {
			worst = max(worst, t[oursName].worst())
		}
		// Photographs are of all sizes and memory grows with the largest; a stream begins with a new Decoder.
		if slices.Contains([]string{"sweeps", "mix", "no code"}, k.set) {
			allocs = append(allocs, t[oursName].missAllocs...)
		}
	}
	line("qr.false", float64(wrong), "count")
	for _, size := range []struct{ kind, name string }{{"empty 1280×720", "qr.empty720"}, {"empty 640×480", "qr.empty480"}} {
		k := r.tallies[key{"no code", size.kind}]
		if k[oursName] != nil {
			line(size.name, ms(percentile(k[oursName].misses, 50)), "ms")
		}
		if k[oursName] != nil && k[peerName] != nil {
			line(size.name+".vs_zxingcpp", float64(percentile(k[oursName].misses, 50))/float64(percentile(k[peerName].misses, 50)), "ratio")
		}
	}
	if len(r.hits) > 0 {
		var ours, peer []time.Duration
		for _, h := range r.hits {
			ours, peer = append(ours, h[0]), append(peer, h[1])
		}
		line("qr.hit.vs_zxingcpp", float64(percentile(ours, 50))/float64(percentile(peer, 50)), "ratio")
	}
	if len(allocs) > 0 {
		line("qr.allocs_per_frame", mean(allocs), "count")
	}
	line("qr.worst_frame", ms(worst), "ms")
	line("qr.worst_frame.streams", ms(stream), "ms")
	findingFigures(line, r.findings)
}

// shares prints a figure of ours, and that of the best peer behind it.
func (r *results) shares(name string, line func(string, float64, string), peers []string, of func(reader string) (float64, bool)) {
	if v, ok := of(oursName); ok {
		line(name, v, "%")
	}
	best, found := 0.0, false
	for _, p := range peers {
		if v, ok := of(p); ok {
			best, found = max(best, v), true
		}
	}
	if found {
		line(name+".zxingcpp", best, "%")
	}
}
