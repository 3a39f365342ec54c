package main

import (
	"slices"
	"time"
)

// tally is how one reader did on one set.
type tally struct {
	pictures, read, wrong int // wrong: something was read that is not there
	hits, misses          []time.Duration
	allocs                []uint64
}

func (t *tally) add(o outcome, a answer) {
	t.pictures++
	if o.wrong {
		t.wrong++
	}
	if o.read {
		t.read++
		t.hits = append(t.hits, a.cpu)
	} else {
		t.misses = append(t.misses, a.cpu)
	}
	t.allocs = append(t.allocs, a.allocs)
}

func (t *tally) share() float64 {
	if t.pictures == 0 {
		return 0
	}
	return 100 * float64(t.read) / float64(t.pictures)
}

// outcome of one picture: the truth was among the answers, an untruth was among them.
type outcome struct{ read, wrong bool }

// truth is what a picture holds: any of the spellings, or nothing.
type truth []string

func (t truth) judge(symbols []symbol) (o outcome) {
	for _, s := range symbols {
		if slices.Contains(t, s.text) || slices.Contains(t, string(s.bytes)) {
			o.read = true
		} else {
			o.wrong = true
		}
	}
	return o
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
