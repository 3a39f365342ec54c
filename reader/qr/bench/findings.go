package main

import (
	"fmt"
	"image"
	"io"
	"time"

	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// said counts what was said of streams of one fault.
type said struct {
	kind                string
	streams, read       int
	right, wrong, quiet int // of those not read
	hints               int // wrong ones, on frames
	frames              int
}

// measureFindings asks our reader what is wrong with streams in which one thing is. A stream's finding is the
// one that most of its frames have, those without any not counted.
func measureFindings(o options) (out []*said, err error) {
	each := 8
	if o.quick {
		each = 2
	}
	faults, err := screens.Faults(o.seed, each)
	if err != nil {
		return nil, err
	}
	progress := newProgress(len(faults))
	defer progress.done()
	g := new(image.Gray)
	for _, f := range faults {
		progress.step("findings, " + f.Kind)
		if len(out) == 0 || out[len(out)-1].kind != f.Kind {
			out = append(out, &said{kind: f.Kind})
		}
		s := out[len(out)-1]
		begin := cpuTime()
		d := qr.New(qr.Options{Stream: true, Now: func() time.Time { return time.Unix(0, int64(cpuTime()-begin)) }})
		count, read := map[string]int{}, false
		for n, c := range f.Frames {
			c.Render(g)
			begin = cpuTime() - time.Duration(n)*time.Second/screens.FPS
			symbols, err := d.Decode(g)
			if err != nil {
				return nil, err
			}
			if read = len(symbols) > 0; read {
				break
			}
			s.frames++
			if p := d.Finding().Problem; p != qr.NoCode && p != qr.Unclear {
				count[p.String()]++
				if p.String() != f.Kind {
					s.hints++
				}
			}
		}
		s.streams++
		most := ""
		for p, n := range count {
			if n > count[most] || n == count[most] && p == f.Kind {
				most = p
			}
		}
		switch {
		case read:
			s.read++
		case most == "":
			s.quiet++
		case most == f.Kind:
			s.right++
		default:
			s.wrong++
		}
	}
	return out, nil
}

func printFindings(w io.Writer, all []*said) {
	if len(all) == 0 {
		return
	}
	tw := newTable(w, "what is wrong", []string{"read", "said so", "said other", "said nothing", "wrong hints, frames"})
	for _, s := range all {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%d of %d\t\n", s.kind, s.streams, s.read, s.right, s.wrong, s.quiet, s.hints, s.frames)
	}
	tw.Flush()
}

// findingFigures are how many of the unread streams are told what is wrong, and how many of those
// that nothing is wrong with are told something nevertheless before they are read.
func findingFigures(line func(string, float64, string), all []*said) {
	right, unread := 0, 0
	for _, s := range all {
		if s.kind == "none" {
			line("qr.findings.wrong_on_good", 100*float64(s.hints)/float64(s.streams), "%")
			continue
		}
		right, unread = right+s.right, unread+s.streams-s.read
	}
	if unread > 0 {
		line("qr.findings.right", 100*float64(right)/float64(unread), "%")
	}
}
