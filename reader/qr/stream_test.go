package qr_test

import (
	"image"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/reader/qr"
	gen "rsc.io/qr"
	"rsc.io/qr/coding"
)

// noisy adds Gaussian noise of sigma gray levels, another for each seed.
func noisy(g *image.Gray, sigma float64, seed uint64) *image.Gray {
	rng := rand.New(rand.NewPCG(seed, 5))
	out := image.NewGray(g.Rect)
	for i, l := range g.Pix {
		out.Pix[i] = uint8(max(0, min(255, 128+(float64(l)-128)*0.35+sigma*rng.NormFloat64())))
	}
	return out
}

// clock counts calls: no test depends on how fast the machine is.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestFramesAddUp(t *testing.T) {
	const a, b = "MJ1:THE FIRST PASS SEEN IN BAD LIGHT", "MJ1:THE OTHER PASS SEEN IN BAD LIGHT"
	first := draw(encode(t, 8, gen.L, coding.Alpha(fillTo(a, 180))), 3, 4, false, false)
	other := draw(encode(t, 8, gen.L, coding.Alpha(fillTo(b, 180))), 3, 4, false, false)
	const sigma = 46
	single := 0
	for seed := range uint64(12) {
		if got, _ := qr.New(qr.Options{Now: new(clock).now}).Decode(noisy(first, sigma, seed)); len(got) > 0 {
			single++
		}
	}
	if single > 3 {
		t.Fatalf("%d of 12 frames can be read alone: too easy to tell", single)
	}
	c := clock{time.Unix(1000, 0)}
	d := qr.New(qr.Options{Stream: true, Now: c.now})
	read := func(g *image.Gray, seeds uint64, want string) (frame int) {
		for i := range 30 {
			c.at = c.at.Add(33 * time.Millisecond)
			got, err := d.Decode(noisy(g, sigma, seeds+uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range got {
				if s.Text != fillTo(want, 180) {
					t.Fatalf("read %q, want %q", s.Text, want)
				}
				return i
			}
		}
		t.Fatalf("%q was not read in 30 frames", want)
		return 0
	}
	t.Log("read in frame", read(first, 100, a))
	t.Log("read in frame", read(other, 200, b))
}

// fillTo lengthens s so that the symbol is full and differs everywhere.
func fillTo(s string, n int) string {
	b := []byte(s)
	for x := uint32(len(s)) + uint32(s[8]); len(b) < n; {
		x = x*1664525 + 1013904223
		b = append(b, alnum[x>>16%45])
	}
	return string(b)
}

// visits is what a camera sees of two visitors, with an empty room between.
func visits(t testing.TB) []*image.Gray {
	p := virtual.New(virtual.Options{Seed: 3, Size: image.Pt(800, 450), Unpaced: true})
	defer p.Close()
	var out []*image.Gray
	take := func(n int) {
		for range n {
			g := new(image.Gray)
			if err := p.Grab(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			out = append(out, g)
		}
	}
	take(20)
	for _, text := range []string{"MJ1:ONE VISITOR", "MJ1:ANOTHER VISITOR"} {
		code, err := gen.Encode(text, gen.M)
		if err != nil {
			t.Fatal(err)
		}
		p.Present(code)
		take(45)
		p.Leave()
		take(30)
	}
	return out
}

func TestStream(t *testing.T) {
	c := clock{time.Unix(1000, 0)}
	d := qr.New(qr.Options{Stream: true, Now: c.now})
	read := map[string]int{}
	for _, g := range visits(t) {
		c.at = c.at.Add(33 * time.Millisecond)
		got, err := d.Decode(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			read[s.Text]++
		}
	}
	if len(read) != 2 || read["MJ1:ONE VISITOR"] < 20 || read["MJ1:ANOTHER VISITOR"] < 20 {
		t.Errorf("read %v", read)
	}
}

// TestNoAllocation: once a Decoder has seen what there is, it takes no more memory.
func TestNoAllocation(t *testing.T) {
	frames := visits(t)
	noise := image.NewGray(frames[0].Rect)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise.Pix {
		noise.Pix[i] = byte(rng.Uint32())
	}
	// A budget that does not end makes the frames take every step.
	hard := noisy(draw(encode(t, 8, gen.L, coding.Alpha(fillTo("HARD TO READ", 180))), 3, 4, false, false), 46, 1)
	for name, g := range map[string]*image.Gray{"hit": frames[50], "empty": frames[5], "noise": noise, "hard": hard} {
		for _, o := range []qr.Options{{Now: new(clock).now}, {Stream: true, Budget: unhurried}} {
			d := qr.New(o)
			for range 7 { // each search has its turn
				if _, err := d.Decode(g); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(2, func() { _, _ = d.Decode(g) }); n != 0 {
				t.Errorf("%s, %+v: %v allocations a frame", name, o, n)
			}
		}
	}
}
