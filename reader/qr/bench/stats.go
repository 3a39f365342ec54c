package main

import (
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// tally is how one reader did on one set.
type tally struct {
	pictures, holding int // holding: with a code in them
	read, wrong       int // wrong: something was read that is not there
	hits, misses      []time.Duration
	missAllocs        []uint64
}

func (t *tally) add(o outcome, a answer) {
	t.pictures++
	if o.holds {
		t.holding++
	}
	if o.wrong {
		t.wrong++
	}
	if o.read {
		t.read++
		t.hits = append(t.hits, a.cpu)
	} else {
		t.misses = append(t.misses, a.cpu)
		t.missAllocs = append(t.missAllocs, a.allocs)
	}
}

func (t *tally) share() float64 {
	return 100 * float64(t.read) / float64(max(1, t.holding))
}

// disputes strikes out what two readers of different make read alike in a
// photograph against the word of the file beside it: such texts have passed
// error correction, and it is the file that errs. Then neither has read what
// was asked, and neither has read what is not there.
func disputes(outcomes map[string]outcome, answers map[string]answer) (found bool) {
	makes := map[string]map[string]bool{} // that misread alike, by text
	for name, o := range outcomes {
		if !o.wrong {
			continue
		}
		for _, s := range answers[name].symbols {
			if makes[s.text] == nil {
				makes[s.text] = map[string]bool{}
			}
			makes[s.text][lineage(name)] = true
		}
	}
	for name, o := range outcomes {
		if o.wrong && len(makes[answers[name].symbols[0].text]) > 1 {
			o.wrong, found = false, true
			outcomes[name] = o
		}
	}
	return found
}

// lineage tells readers of different make apart.
func lineage(reader string) string {
	make, _, _ := strings.Cut(reader, "-")
	return make
}

// worst is the longest time that any picture took.
func (t *tally) worst() time.Duration {
	worst := time.Duration(0)
	for _, d := range append(slices.Clone(t.hits), t.misses...) {
		worst = max(worst, d)
	}
	return worst
}

// outcome of one picture: it holds a code, the truth was among the answers, an
// untruth was among them.
type outcome struct{ holds, read, wrong bool }

// truth is what a picture holds: any of the spellings, or nothing.
type truth []string

func (t truth) judge(symbols []symbol) (o outcome) {
	o.holds = t != nil
	for _, s := range symbols {
		if slices.Contains(t, s.text) || slices.Contains(t, string(s.bytes)) {
			o.read = true
		} else {
			o.wrong = true
		}
	}
	return o
}

// streamTally is how one reader did on the streams of a class.
type streamTally struct {
	streams, inTime, unread, wrong int
	after                          []time.Duration // from the code's being in view to its being read
}

// within is how soon a code in view should be read.
const within = 500 * time.Millisecond

// add counts a stream: frame is that which was read, −1 for none, inView the
// first that shows the whole code.
func (t *streamTally) add(frame, inView, wrong int) {
	t.streams++
	t.wrong += wrong
	if frame < 0 {
		t.unread++
		return
	}
	after := time.Duration(max(0, frame-inView)) * time.Second / screens.FPS
	t.after = append(t.after, after)
	if after <= within {
		t.inTime++
	}
}

// percentile of values, nearest rank; 0 when there are none.
func percentile[T ~int64 | ~uint64 | ~float64](values []T, p float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	i := int(p / 100 * float64(len(sorted)))
	return sorted[max(0, min(len(sorted)-1, i))]
}

func mean(values []uint64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	return sum / float64(max(1, len(values)))
}
