package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	sym := func(texts ...string) (out []symbol) {
		for _, s := range texts {
			out = append(out, symbol{s, []byte(s)})
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		truth truth
		said  []symbol
		want  outcome
	}{
		{"read", truth{"A"}, sym("A"), outcome{holds: true, read: true}},
		{"missed", truth{"A"}, nil, outcome{holds: true}},
		{"something else", truth{"A"}, sym("B"), outcome{holds: true, wrong: true}},
		{"both", truth{"A"}, sym("B", "A"), outcome{holds: true, read: true, wrong: true}},
		{"second spelling", truth{"é", "\xe9"}, []symbol{{"?", []byte{0xe9}}}, outcome{holds: true, read: true}},
		{"nothing there, nothing read", nil, nil, outcome{}},
		{"nothing there, something read", nil, sym("A"), outcome{wrong: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.truth.judge(tt.said); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDisputes(t *testing.T) {
	says := func(text string) answer { return answer{symbols: []symbol{{text, []byte(text)}}} }
	wrong, read := outcome{holds: true, wrong: true}, outcome{holds: true, read: true}
	for _, tt := range []struct {
		name    string
		answers map[string]answer
		before  map[string]outcome
		want    map[string]outcome
	}{
		{"one alone", map[string]answer{"ours": says("B"), "zbar": says("A")},
			map[string]outcome{"ours": wrong, "zbar": read}, map[string]outcome{"ours": wrong, "zbar": read}},
		{"two of one make", map[string]answer{"zxing-cpp": says("B"), "zxing-wasm": says("B")},
			map[string]outcome{"zxing-cpp": wrong, "zxing-wasm": wrong}, map[string]outcome{"zxing-cpp": wrong, "zxing-wasm": wrong}},
		{"two of different make", map[string]answer{"ours": says("B"), "zbar": says("B"), "gozxing": says("C")},
			map[string]outcome{"ours": wrong, "zbar": wrong, "gozxing": wrong},
			map[string]outcome{"ours": {holds: true}, "zbar": {holds: true}, "gozxing": wrong}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := disputes(tt.before, tt.answers)
			if diff := cmp.Diff(tt.want, tt.before, cmp.AllowUnexported(outcome{})); diff != "" || found != (tt.name == "two of different make") {
				t.Errorf("found %v\n%s", found, diff)
			}
		})
	}
}

func TestTally(t *testing.T) {
	var a tally
	a.add(outcome{holds: true, read: true}, answer{cpu: 4 * time.Millisecond})
	a.add(outcome{holds: true}, answer{cpu: 9 * time.Millisecond, allocs: 3})
	a.add(outcome{holds: true, read: true}, answer{cpu: 2 * time.Millisecond})
	a.add(outcome{wrong: true}, answer{cpu: time.Millisecond, allocs: 1})
	if a.pictures != 4 || a.wrong != 1 || a.worst() != 9*time.Millisecond {
		t.Errorf("%+v, worst %s", a, a.worst())
	}
	if got, want := a.share(), 200.0/3; got != want {
		t.Errorf("%g %% read, want %g %%: a picture without a code cannot be read", got, want)
	}
	if got := mean(a.missAllocs); got != 2 {
		t.Errorf("%g allocations a frame without a hit, want 2", got)
	}
}

func TestPercentile(t *testing.T) {
	for _, tt := range []struct {
		values []int64
		p      float64
		want   int64
	}{
		{nil, 50, 0},
		{[]int64{7}, 0, 7},
		{[]int64{7}, 100, 7},
		{[]int64{3, 1, 2}, 50, 2},
		{[]int64{4, 3, 2, 1}, 95, 4},
		{[]int64{5, 4, 3, 2, 1}, 0, 1},
	} {
		if got := percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("percentile(%v, %g) = %d, want %d", tt.values, tt.p, got, tt.want)
		}
	}
}

func TestStreamTally(t *testing.T) {
	var s streamTally
	s.add(20, 5, 0)  // 15 frames: half a second to the frame
	s.add(21, 5, 0)  // one too late
	s.add(3, 5, 1)   // read before the last corner came in
	s.add(-1, 40, 0) // never
	if s.streams != 4 || s.inTime != 2 || s.unread != 1 || s.wrong != 1 || s.share() != 50 {
		t.Errorf("%+v, %g %%", s, s.share())
	}
	if got := s.quantile(0); got != 0 {
		t.Errorf("the quickest took %s, want 0", got)
	}
	if got := s.quantile(99); got != 3*time.Second {
		t.Errorf("the slowest took %s, want the whole stream", got)
	}
}

func TestAnswerSurvivesItsWriting(t *testing.T) {
	want := answer{symbols: []symbol{{"가", []byte{0xb0, 0xa1}}, {"", nil}}, cpu: 1234567, allocs: 3}
	var b bytes.Buffer
	if err := writeAnswer(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := readAnswer(&b)
	if err != nil {
		t.Fatal(err)
	}
	want.symbols[1].bytes = []byte{}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{}, symbol{})); diff != "" {
		t.Error(diff)
	}
}
