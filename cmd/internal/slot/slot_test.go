package slot

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// card is the two copies of one.
type card struct {
	data  map[int64][size]byte
	wrote int // bytes that are taken before the power is cut; < 0: no cut
}

func newCard() *card { return &card{map[int64][size]byte{}, -1} }

func (c *card) ReadAt(b []byte, at int64) (int, error) {
	d := c.data[at]
	return copy(b, d[:]), nil
}

func (c *card) WriteAt(b []byte, at int64) (int, error) {
	n := len(b)
	if c.wrote >= 0 {
		n = min(n, c.wrote)
	}
	d := c.data[at]
	copy(d[:], b[:n])
	c.data[at] = d
	return len(b), nil
}

func (c *card) Sync() error { return nil }

func (c *card) state(t *testing.T) State {
	t.Helper()
	s, err := Read(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func update(t *testing.T, c Card) {
	t.Helper()
	for _, change := range []func(*State){
		func(s *State) { s.Left["B"] = Bad },
		func(s *State) { s.Primary, s.Left["B"] = "B", Trial },
		func(s *State) { s.Left["B"] = Good },
	} {
		if err := Change(c, change); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpdate(t *testing.T) {
	c := newCard()
	if d := cmp.Diff(fresh(), c.state(t)); d != "" {
		t.Errorf("a card without a whole copy: %s", d)
	}
	for range 4 { // round the numbers
		update(t, c)
		if d := cmp.Diff(State{"B", map[string]int{"A": Good, "B": Good}}, c.state(t)); d != "" {
			t.Error(d)
		}
	}
}

// TestCut cuts the power after each byte of each writing, first with a card that
// keeps what was there behind it, then with one that leaves rubbish: what is read
// then is what held before, or what was written.
func TestCut(t *testing.T) {
	changes := []func(*State){
		func(s *State) { s.Left["B"] = Bad },
		func(s *State) { s.Primary, s.Left["B"] = "B", Trial },
		func(s *State) { s.Left["B"] = 2 },
		func(s *State) { s.Left["B"] = Good },
	}
	for _, rubbish := range []bool{false, true} {
		for start := range 3 {
			c := newCard()
			for range start {
				if err := Change(c, func(*State) {}); err != nil {
					t.Fatal(err)
				}
			}
			for i, change := range changes {
				before := c.state(t)
				after := State{before.Primary, map[string]int{"A": before.Left["A"], "B": before.Left["B"]}}
				change(&after)
				for cut := range size + 1 {
					torn := &card{maps.Clone(c.data), cut}
					if rubbish {
						_, _, at, err := newest(torn)
						if err != nil {
							t.Fatal(err)
						}
						d := torn.data[at]
						for j := range d {
							d[j] ^= 0xa5
						}
						torn.data[at] = d
					}
					if cut > 200 && cut < size-1 && cut%512 != 0 { // zeros: the middle of them tells nothing new
						continue
					}
					if err := Change(torn, change); err != nil {
						t.Fatal(err)
					}
					got := torn.state(t)
					if !cmp.Equal(got, before) && !cmp.Equal(got, after) {
						t.Fatalf("start %d, change %d, cut after %d bytes: got %v, want %v or %v", start, i, cut, got, before, after)
					}
					if cut == size && !cmp.Equal(got, after) {
						t.Fatalf("start %d, change %d: a whole writing was not read", start, i)
					}
				}
				if err := Change(c, change); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestStarts(t *testing.T) {
	for _, tt := range []struct {
		primary string
		a, b    int
		want    string
	}{
		{"A", Good, Bad, "A"}, {"B", Good, Trial, "B"}, {"B", Good, 1, "B"}, {"B", Good, Bad, "A"}, {"A", Bad, Good, "B"},
	} {
		if got := (State{tt.primary, map[string]int{"A": tt.a, "B": tt.b}}).Starts(); got != tt.want {
			t.Errorf("%+v starts %s", tt, got)
		}
	}
}
