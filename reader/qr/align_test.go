package qr

import (
	"image"
	"math/rand/v2"
	"testing"
	"time"
)

// TestAlign: a symbol run together by motion and noisy, located by most of a module beside where it lies, is found by its bits.
func TestAlign(t *testing.T) {
	const pitch, quiet = 3, 8
	c := encoded(t, 10, 1, "where exactly is it")
	n := c.Size
	side := (n + 2*quiet) * pitch
	p := plane{make([]byte, side*side), side, side, side}
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range p.pix {
		x, y, sum := i%side-quiet*pitch, i/side-quiet*pitch, 0
		for d := -3; d <= 3; d++ { // 2⅓ modules
			if u, v := x+d, y; u >= 0 && v >= 0 && c.Black(u/pitch, v/pitch) {
				sum++
			}
		}
		p.pix[i] = uint8(170 - 90*sum/7 + int(5*rng.NormFloat64()))
	}
	truth := homography{pitch, 0, quiet * pitch, 0, pitch, quiet * pitch, 0, 0, 1}
	// 0.7 modules off in the middle, and a degree turned.
	g := grid{side: n, homography: homography{pitch, 0.05, quiet*pitch + 0.7, -0.05, pitch, quiet*pitch + 3.5, 0, 0, 1}}
	off := func() (worst float32) {
		s := float32(n)
		for _, c := range [4][2]float32{{0, 0}, {s, 0}, {0, s}, {s, s}} {
			x, y := g.at(c[0], c[1])
			u, v := truth.at(c[0], c[1])
			worst = max(worst, sqrt32((x-u)*(x-u)+(y-v)*(y-v))/pitch)
		}
		return worst
	}
	var m modules
	l := newLayout(10)
	v := view{&p, 1, 0}
	before := off()
	for range 2 * rounds { // two frames
		m.sample(&g, &v, never)
		m.lighten()
		copy(m.soft, softOf(c))
		m.guess(l)
		if !m.align(&g, l, never) {
			t.Fatal("not aligned")
		}
	}
	t.Logf("%.2f modules off before, %.2f after", before, off())
	if before < 1 || off() > 0.2 {
		t.Errorf("%.2f modules off before, %.2f after", before, off())
	}
	there := g.homography
	if m.align(&g, l, func() bool { return true }) || g.homography != there {
		t.Error("moved although it was late")
	}
}

// TestHiddenFinder: where a finder pattern other than the corner's is wholly under a reflection, the others and the alignment patterns tell enough.
func TestHiddenFinder(t *testing.T) {
	const pitch, quiet = 4, 12
	c := encoded(t, 10, 1, "two of three are enough")
	side := (c.Size + 2*quiet) * pitch
	for name, at := range map[string][2]int{"top right": {c.Size - 9, 0}, "bottom left": {0, c.Size - 9}} {
		g := image.NewGray(image.Rect(0, 0, side, side))
		for i := range g.Pix {
			x, y := i%side/pitch-quiet, i/side/pitch-quiet
			g.Pix[i] = 200
			if x >= 0 && y >= 0 && c.Black(x, y) {
				g.Pix[i] = 60
			}
			if x >= at[0]-1 && x <= at[0]+9 && y >= at[1]-1 && y <= at[1]+9 {
				g.Pix[i] = 235
			}
		}
		for _, o := range []Options{{Now: new(halted).now}, {Now: new(halted).now, Stream: true}} {
			if got, err := New(o).Decode(g); err != nil || len(got) != 1 || got[0].Version != 10 {
				t.Errorf("%s: %d symbols, error %v", name, len(got), err)
			}
		}
	}
}

// halted is a clock that never runs.
type halted struct{}

func (*halted) now() time.Time { return time.Unix(1000, 0) }
