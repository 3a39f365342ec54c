package main

import (
	"fmt"
	"image"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// pictures are those of the sets asked for, but for the streams.
func (o options) pictures() (out []*picture, err error) {
	every := 1
	if o.quick {
		every = 6
	}
	for _, set := range o.sets {
		switch set {
		case "photographs":
			if o.data == "" {
				fmt.Fprintln(os.Stderr, "bench: no photographs: give their folder with -data")
				continue
			}
			p, err := photographs(o.data, every)
			if err != nil {
				return nil, err
			}
			out = append(out, p...)
		case "sweeps":
			c, err := screens.Sweeps(o.seed)
			if err != nil {
				return nil, err
			}
			out = append(out, casePictures("sweeps", c, every)...)
		case "mix":
			c, err := screens.Mix(o.seed, 250)
			if err != nil {
				return nil, err
			}
			out = append(out, casePictures("mix", c, every)...)
		case "blanks":
			out = append(out, blankPictures(o.seed, every)...)
		case "streams", "findings":
		default:
			return nil, fmt.Errorf("there is no set %q", set)
		}
	}
	return out, nil
}

// key is a set or a part of it.
type key struct{ set, group string }

// results are the tallies of all readers.
type results struct {
	readers []*process
	order   []key
	tallies map[key]map[string]*tally
	each    io.Writer // a line a picture and reader, or nil
	// hits are the times on rendered pictures that both ours and the runnable
	// peer, zxing-cpp 1.4, have read.
	hits     [][2]time.Duration
	streams  map[string]map[string]*streamTally // by class and reader
	classes  []string
	findings []*said
	// disputed are photographs beside which a file says what no reader reads.
	disputed []string
}

const (
	oursName  = "ours"
	peerName  = "zxing-cpp"
	boundName = "bound"
)

// note writes what became of one picture.
func (r *results) note(p *picture, reader string, o outcome, a answer) {
	if r.each == nil {
		return
	}
	group := p.group
	if p.name != "" {
		group = p.name
	}
	fmt.Fprintf(r.each, "%s\t%s\t%s\t%v\t%v\t%.2f\t%d", p.set, group, reader, o.read, o.wrong, ms(a.cpu), a.allocs)
	if c := p.rendering; c != nil {
		fmt.Fprintf(r.each, "\t%d\t%.4g\t%+v", c.Seed, c.Level, c.Conditions)
	}
	fmt.Fprintln(r.each)
}

func newResults(readers []*process) *results {
	return &results{readers: readers, tallies: map[key]map[string]*tally{}, streams: map[string]map[string]*streamTally{}}
}

func (r *results) tally(k key, reader string) *tally {
	if r.tallies[k] == nil {
		r.tallies[k] = map[string]*tally{}
		r.order = append(r.order, k)
	}
	if r.tallies[k][reader] == nil {
		r.tallies[k][reader] = &tally{}
	}
	return r.tallies[k][reader]
}

// warm shows ours what makes it take the memory that it will need, and the
// others some phones.
func (r *results) warm(seed uint64) error {
	cases, err := screens.Mix(seed+1, 3)
	if err != nil {
		return err
	}
	pictures := casePictures("", cases, 1)
	for _, b := range screens.Blanks(seed+1, 1) {
		pictures = append(pictures, &picture{group: b.Kind, draw: b.Draw})
	}
	for p := range rendered(pictures) {
		for _, reader := range r.readers {
			if p.rendering == nil && reader.name != oursName {
				continue
			}
			for range warmings {
				if _, err := reader.read(p.gray, alone); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *results) measure(pictures []*picture) error {
	progress := newProgress(len(pictures))
	defer progress.done()
	for p := range rendered(pictures) {
		progress.step(p.set)
		answers, outcomes := map[string]answer{}, map[string]outcome{}
		for _, reader := range r.readers {
			a, err := reader.read(p.gray, alone)
			if err != nil {
				return err
			}
			// The worst frame must not be one of the machine's own bad moments.
			for again := 0; again < 4 && reader.name == oursName && a.cpu > suspicious; again++ {
				b, err := reader.read(p.gray, alone)
				if err != nil {
					return err
				}
				a.cpu = min(a.cpu, b.cpu)
			}
			answers[reader.name], outcomes[reader.name] = a, p.truth.judge(a.symbols)
		}
		if err := r.doubt(p, outcomes, answers); err != nil {
			return err
		}
		for _, reader := range r.readers {
			r.add(p, reader.name, outcomes[reader.name], answers[reader.name])
		}
		var hit [2]time.Duration
		for i, name := range [2]string{oursName, peerName} {
			if outcomes[name].read && p.rendering != nil {
				hit[i] = answers[name].cpu
			}
		}
		if hit[0] > 0 && hit[1] > 0 {
			r.hits = append(r.hits, hit)
		}
		if p.rendering != nil {
			r.add(p, boundName, outcome{holds: true, read: bound(p.gray, p.rendering)}, answer{})
		}
	}
	return nil
}

// warmings of each picture: our slower searches take turns.
const warmings = 5

// suspicious is near enough to our budget for a picture to be measured again.
const suspicious = 21 * time.Millisecond

// doubt asks for a second opinion where a reader contradicts the file beside a
// photograph: maybe no other can read the picture as it is, but can in black and white.
func (r *results) doubt(p *picture, outcomes map[string]outcome, answers map[string]answer) error {
	contradicted := func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(outcomes)), func(o outcome) bool { return o.wrong })
	}
	if p.name == "" || p.truth == nil || !contradicted() {
		return nil
	}
	found := disputes(outcomes, answers)
	for threshold := 48; threshold < 256 && contradicted(); threshold += 48 {
		bare := &image.Gray{Pix: slices.Clone(p.gray.Pix), Stride: p.gray.Stride, Rect: p.gray.Rect}
		for i, v := range bare.Pix {
			bare.Pix[i] = 0
			if int(v) >= threshold {
				bare.Pix[i] = 255
			}
		}
		for _, reader := range r.readers {
			if outcomes[reader.name].wrong {
				continue
			}
			a, err := reader.read(bare, alone)
			if err != nil {
				return err
			}
			witness := reader.name + "-witness" // of the reader's make
			if o := p.truth.judge(a.symbols); o.wrong {
				outcomes[witness], answers[witness] = o, a
				found = disputes(outcomes, answers) || found
				delete(outcomes, witness)
			}
		}
	}
	if found && !slices.Contains(r.disputed, p.name) {
		r.disputed = append(r.disputed, p.name)
	}
	return nil
}

// add counts one picture for its set and for its group in it.
func (r *results) add(p *picture, reader string, o outcome, a answer) {
	for _, k := range []key{{p.set, ""}, {p.set, p.group}} {
		r.tally(k, reader).add(o, a)
	}
	r.note(p, reader, o, a)
}

// progress tells on stderr how far a long run is.
type progress struct {
	n, of int
	last  time.Time
}

func newProgress(of int) *progress { return &progress{of: of} }

func (p *progress) step(what string) {
	p.n++
	if now := time.Now(); now.Sub(p.last) > time.Second {
		p.last = now
		fmt.Fprintf(os.Stderr, "\r%5d of %d  %-30s", p.n, p.of, what)
	}
}

func (p *progress) done() { fmt.Fprintf(os.Stderr, "\r%60s\r", "") }
