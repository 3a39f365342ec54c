package main

import (
	"fmt"
	"image"
	"io"
	"time"

	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// said counts what was said of streams of one condition.
type said struct {
	kind                string
	streams, read       int
	right, wrong, quiet int // of those not read
	frames, hints       int // frames in view before it was read or for a second, and those with a hint other than the right one
}

// heard is how many frames must agree on what is wrong for somebody to be told.
const heard = 6

// measureFindings asks our reader what is wrong with streams in which one thing is. Of a second from the code's
// being in view on, what is said by most frames that say anything counts, if there are enough; of streams that are read sooner, too.
func measureFindings(o options) (out []*said, err error) {
	each := 8
	if o.quick {
		each = 2
	}
	kinds := screens.ConditionKinds()
	progress := newProgress(len(kinds) * each)
	defer progress.done()
	for _, kind := range kinds {
		streams, err := screens.Condition(kind, o.seed, each)
		if err != nil {
			return nil, err
		}
		s := &said{kind: kind}
		out = append(out, s)
		for _, stream := range streams {
			progress.step("findings, " + kind)
			if err := s.see(stream); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (s *said) see(stream *screens.Stream) error {
	var begin time.Duration
	d := qr.New(qr.Options{Stream: true, Now: func() time.Time { return time.Unix(0, int64(cpuTime()-begin)) }})
	g, count, read := new(image.Gray), map[string]int{}, false
	for n, c := range stream.Frames[:min(len(stream.Frames), stream.InView+screens.FPS)] {
		c.Render(g)
		begin = cpuTime() - time.Duration(n)*time.Second/screens.FPS
		symbols, err := d.Decode(g)
		if err != nil {
			return err
		}
		if read = len(symbols) > 0; read {
			break
		}
		if n < stream.InView {
			continue
		}
		s.frames++
		if p := d.Finding().Problem; p != qr.NoCode && p != qr.Unclear {
			count[p.String()]++
			if p.String() != s.kind {
				s.hints++
			}
		}
	}
	s.streams++
	most := ""
	for p, n := range count {
		if n >= heard && (n > count[most] || n == count[most] && p == s.kind) {
			most = p
		}
	}
	switch {
	case most == s.kind:
		s.right++
	case most != "":
		s.wrong++
	case read:
		s.read++
	default:
		s.quiet++
	}
	return nil
}

func printFindings(w io.Writer, all []*said) {
	if len(all) == 0 {
		return
	}
	tw := newTable(w, "what is wrong", []string{"said so", "said other", "read, nothing said", "nothing said", "frames saying other"})
	for _, s := range all {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%d of %d\t\n", s.kind, s.streams, s.right, s.wrong, s.read, s.quiet, s.hints, s.frames)
	}
	tw.Flush()
}

// findingFigures are how many of the streams that are not read at once are told what is wrong, and how many of those
// that nothing is wrong with are told something nevertheless.
func findingFigures(line func(string, float64, string), all []*said) {
	right, unread := 0, 0
	for _, s := range all {
		if s.kind == "none" {
			line("qr.findings.wrong_on_good", 100*float64(s.wrong)/float64(s.streams), "%")
			continue
		}
		right, unread = right+s.right, unread+s.streams-s.read
	}
	if unread > 0 {
		line("qr.findings.right", 100*float64(right)/float64(unread), "%")
	}
}
