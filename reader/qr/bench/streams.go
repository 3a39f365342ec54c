package main

import (
	"slices"
	"time"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// streaming are the readers that see the streams; the others are too far
// behind to be worth the time.
var streaming = []string{oursName, peerName, "zxing-wasm"}

const streamFrames = "frames of streams"

// measureStreams shows each stream to each reader, frame by frame, until the reader has read it.
func (r *results) measureStreams(o options) error {
	each := 8
	if o.quick {
		each = 2
	}
	streams, err := screens.Streams(o.seed, each)
	if err != nil {
		return err
	}
	progress := newProgress(len(streams))
	defer progress.done()
	for _, s := range streams {
		progress.step("streams, " + s.Class)
		if err := r.measureStream(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *results) measureStream(s *screens.Stream) error {
	type run struct {
		reader       *process
		frame, wrong int
	}
	var runs []*run
	for _, reader := range r.readers {
		if slices.Contains(streaming, reader.name) || len(r.readers) == 1 {
			runs = append(runs, &run{reader: reader, frame: -1})
		}
	}
	left, bounded := len(runs), -1
	n := 0
	for p := range rendered(casePictures("streams", s.Frames, 1)) {
		at := next
		if n == 0 {
			at = first
		}
		for _, run := range runs {
			if run.frame >= 0 {
				continue
			}
			a, err := run.reader.read(p.gray, at)
			if err != nil {
				return err
			}
			o := p.truth.judge(a.symbols)
			if o.wrong {
				run.wrong++
			}
			if o.read {
				run.frame = n
				left--
			}
			if n > 0 || o.wrong { // the first finds no memory to work in: its time says little
				r.frameTimes(run.reader.name, o, a)
			}
		}
		if bounded < 0 && bound(p.gray, p.rendering) {
			bounded = n
		}
		if n++; left == 0 && bounded >= 0 {
			break
		}
	}
	for _, class := range []string{"", s.Class} {
		r.streamTally(class, boundName).add(bounded, s.InView, 0)
	}
	for _, run := range runs {
		for _, class := range []string{"", s.Class} {
			r.streamTally(class, run.reader.name).add(run.frame, s.InView, run.wrong)
		}
	}
	return nil
}

// frameTimes keeps what single frames of the streams took.
func (r *results) frameTimes(reader string, o outcome, a answer) {
	r.tally(key{streamFrames, ""}, reader).add(o, a)
}

func (r *results) streamTally(class, reader string) *streamTally {
	if r.streams[class] == nil {
		r.streams[class] = map[string]*streamTally{}
		r.classes = append(r.classes, class)
	}
	if r.streams[class][reader] == nil {
		r.streams[class][reader] = &streamTally{}
	}
	return r.streams[class][reader]
}

func (t *streamTally) share() float64 { return 100 * float64(t.inTime) / float64(max(1, t.streams)) }

// median is over all streams, an unread one taking as long as it lasts.
func (t *streamTally) quantile(p float64) time.Duration {
	all := slices.Clone(t.after)
	for range t.unread {
		all = append(all, screens.StreamFrames*time.Second/screens.FPS)
	}
	return percentile(all, p)
}
