package qr

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	gen "rsc.io/qr"
	"rsc.io/qr/coding"
)

func encoded(t testing.TB, version, level int, text string) *gen.Code {
	t.Helper()
	plan, err := coding.NewPlan(coding.Version(version), coding.Level(level), coding.Mask(version%8))
	if err != nil {
		t.Fatal(err)
	}
	c, err := plan.Encode(coding.String(text))
	if err != nil {
		t.Fatal(err)
	}
	return &gen.Code{Bitmap: c.Bitmap, Size: c.Size, Stride: c.Stride, Scale: 1}
}

func softOf(c *gen.Code) []float32 {
	soft := make([]float32, c.Size*c.Size)
	for i := range soft {
		soft[i] = -1
		if c.Black(i%c.Size, i/c.Size) {
			soft[i] = 1
		}
	}
	return soft
}

// TestLayout reads each version and level of an independent encoder out of
// its bare modules: function patterns, formats, versions, order, interleaving.
func TestLayout(t *testing.T) {
	var words codewords
	for version := 1; version <= 40; version++ {
		l := newLayout(version)
		for level := range 4 {
			text := strings.Repeat("a", coding.Version(version).DataBytes(coding.Level(level))-3)
			c := encoded(t, version, level, text)
			soft := softOf(c)
			for i, f := range l.fixed {
				if f != 0 && float32(f) != soft[i] {
					t.Fatalf("version %d: module %d,%d is %v, not %v", version, i%c.Size, i/c.Size, soft[i], f)
				}
			}
			f := readFormats(soft, c.Size)[0]
			if f.level != level || f.mask != version%8 || f.score < 0.99 {
				t.Fatalf("version %d level %d: format %+v", version, level, f)
			}
			if version >= 7 {
				if v := readVersion(soft, c.Size); v != version {
					t.Fatalf("version %d was read as %d", version, v)
				}
			}
			r, ok := words.read(soft, l, f, 0)
			if !ok || r.wrong != 0 {
				t.Fatalf("version %d level %d: ok %v, %d wrong", version, level, ok, r.wrong)
			}
			got, _, err := content(nil, r.data, version)
			if err != nil || string(got) != text {
				t.Fatalf("version %d level %d: %q, %v", version, level, got, err)
			}
		}
	}
}

func TestFormatSurvivesDamage(t *testing.T) {
	c := encoded(t, 8, 2, "damaged")
	rng := rand.New(rand.NewPCG(1, 1))
	at := formatModules(c.Size)
	for range 200 {
		soft := softOf(c)
		for _, copied := range [2]int{0, 15} { // three wrong bits in each copy
			for _, i := range rng.Perm(15)[:3] {
				p := at[copied+i]
				soft[p[1]*c.Size+p[0]] *= -1
			}
		}
		for _, i := range rng.Perm(18)[:3] {
			soft[i/3+(c.Size-11+i%3)*c.Size] *= -1
		}
		if f := readFormats(soft, c.Size)[0]; f.level != 2 || f.mask != 0 {
			t.Fatalf("format %+v", f)
		}
		if v := readVersion(soft, c.Size); v != 8 {
			t.Fatalf("version %d", v)
		}
	}
}

func noisePlane(seed uint64, w, h int) plane {
	rng := rand.New(rand.NewPCG(seed, 9))
	p := plane{make([]byte, w*h), w, h, w}
	for i := range p.pix {
		p.pix[i] = byte(rng.Uint32())
	}
	return p
}

// TestWordTricks holds what is done eight pixels at a time to what pixel by pixel gives, on odd sizes too.
func TestWordTricks(t *testing.T) {
	for _, size := range [][2]int{{64, 48}, {65, 49}, {71, 66}, {128, 21}, {23, 90}} {
		w, h := size[0], size[1]
		t.Run(fmt.Sprintf("%d×%d", w, h), func(t *testing.T) {
			p := noisePlane(1, w, h)
			var marks thresholds
			var half plane
			marks.measure(&p, &half)
			pixel := func(x, y int) int { return int(p.pix[y*p.stride+x]) }
			mean4 := func(x, y int) int { return (pixel(x, y) + pixel(x+1, y) + pixel(x, y+1) + pixel(x+1, y+1)) / 4 }
			for y := range half.h {
				for x := range half.w {
					if got, want := int(half.pix[y*half.stride+x]), mean4(2*x, 2*y); got != want {
						t.Fatalf("half %d,%d is %d, want %d", x, y, got, want)
					}
				}
			}
			for by := range marks.h {
				for bx := range marks.w {
					x0, y0 := min(8*bx, w-8), min(8*by, h-8)
					sum, lo, hi := 0, 255, 0
					for y := y0; y < y0+8; y++ {
						for x := x0; x < x0+8; x++ {
							sum += pixel(x, y)
						}
					}
					for y := y0; y < y0+8; y += 2 {
						for x := x0; x < x0+8; x += 2 {
							lo, hi = min(lo, mean4(x, y)), max(hi, mean4(x, y))
						}
					}
					i := by*marks.w + bx
					if int(marks.sum[i]) != sum || int(marks.lo[i]) != lo || int(marks.hi[i]) != hi {
						t.Fatalf("block %d,%d: %d %d…%d, want %d %d…%d", bx, by, marks.sum[i], marks.lo[i], marks.hi[i], sum, lo, hi)
					}
				}
			}
			marks.set(1, 0)
			at := make([]int32, w+2)
			for y := range h {
				var want []int32
				dark := false
				for x := range w {
					if now := pixel(x, y) < int(marks.t[min(y/8, marks.h-1)*marks.w+min(x/8, marks.w-1)]); now != dark {
						want, dark = append(want, int32(x)), now
					}
				}
				want = append(want, int32(w))
				if got := marks.edges(&p, y, at); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("row %d: edges %v, want %v", y, got, want)
				}
			}
			var soft plane
			smooth(&soft, &p, nil)
			for y := range h {
				for x := range w {
					sum := 0
					for dy := -1; dy <= 1; dy++ {
						for dx := -1; dx <= 1; dx++ {
							sum += (2 - max(dx, -dx)) * (2 - max(dy, -dy)) * pixel(max(0, min(w-1, x+dx)), max(0, min(h-1, y+dy)))
						}
					}
					if got := int(soft.pix[y*w+x]); got*16-sum > 24 || sum-got*16 > 24 {
						t.Fatalf("smooth %d,%d is %d, want %.1f", x, y, got, float64(sum)/16)
					}
				}
			}
		})
	}
}

func TestFinderRuns(t *testing.T) {
	for _, tt := range []struct {
		runs [5]int32
		want bool
	}{
		{[5]int32{4, 4, 12, 4, 4}, true},
		{[5]int32{1, 1, 3, 1, 1}, true},
		{[5]int32{2, 1, 4, 2, 1}, true},
		{[5]int32{6, 2, 14, 2, 6}, true}, // ink spread: bars wide, spaces narrow
		{[5]int32{3, 5, 10, 5, 3}, true}, // a shining screen
		{[5]int32{4, 4, 4, 4, 4}, false},
		{[5]int32{12, 4, 12, 4, 12}, false},
		{[5]int32{4, 4, 12, 4, 20}, false},
		{[5]int32{1, 8, 12, 1, 4}, false},
	} {
		at := []int32{10}
		for _, r := range tt.runs {
			at = append(at, at[len(at)-1]+r)
		}
		if _, ok := finderRuns(at); ok != tt.want {
			t.Errorf("runs %v: %v, want %v", tt.runs, ok, tt.want)
		}
	}
}

// TestHomography: what is fitted through four points or more gives them back,
// and what three finder patterns and their pitches give is the truth they come from.
func TestHomography(t *testing.T) {
	truth := homography{5, -1.2, 200, 1.1, 4.6, 90, 0.0011, -0.0007, 1}
	const side = 45
	var m []match
	for _, p := range [6][2]float32{{3.5, 3.5}, {41.5, 3.5}, {3.5, 41.5}, {38.5, 38.5}, {22.5, 38.5}, {38.5, 22.5}} {
		x, y := truth.at(p[0], p[1])
		m = append(m, match{p[0], p[1], x, y, 1})
	}
	for n := 4; n <= 6; n++ {
		h, ok := fit(m[:n], side)
		if !ok {
			t.Fatalf("no fit through %d", n)
		}
		near(t, &truth, &h, side, 0.01)
	}
	// The pitch along a line at one end over that at the other, from the truth's derivative.
	along := func(u, v float32, down bool) float32 {
		ux, uy, vx, vy := truth.step(u, v)
		if down {
			ux, uy = vx, vy
		}
		return sqrt32(ux*ux + uy*uy)
	}
	k1 := sqrt32(along(3.5, 3.5, false)/along(41.5, 3.5, false)) - 1
	k2 := sqrt32(along(3.5, 3.5, true)/along(3.5, 41.5, true)) - 1
	h := fromThree([2]float32{m[0].x, m[0].y}, [2]float32{m[1].x, m[1].y}, [2]float32{m[2].x, m[2].y}, k1, k2, side)
	near(t, &truth, &h, side, 0.05)
	g := grid{homography: h, side: side}
	g.resize(side + 4)
	for _, p := range [3][2]float32{{3.5, 3.5}, {side + 0.5, 3.5}, {3.5, side + 0.5}} {
		x, y := g.at(p[0], p[1])
		if d := nearest(m[:3], x, y); d > 0.05 {
			t.Errorf("resized, the finder pattern at %v is off by %v pixels", p, d)
		}
	}
}

func nearest(m []match, x, y float32) float32 {
	best := float32(math.Inf(1))
	for _, p := range m {
		best = min(best, sqrt32((p.x-x)*(p.x-x)+(p.y-y)*(p.y-y)))
	}
	return best
}

func near(t *testing.T, a, b *homography, side int, within float64) {
	t.Helper()
	for v := 0; v <= side; v += 9 {
		for u := 0; u <= side; u += 9 {
			x1, y1 := a.at(float32(u), float32(v))
			x2, y2 := b.at(float32(u), float32(v))
			if d := math.Hypot(float64(x1-x2), float64(y1-y2)); d > within {
				t.Fatalf("module %d,%d is off by %.3f pixels", u, v, d)
			}
		}
	}
}

// TestEqualise: modules blurred along a motion of two modules are told apart again.
func TestEqualise(t *testing.T) {
	c := encoded(t, 10, 1, "which way did the hand move?")
	n := c.Size
	soft := softOf(c)
	rng := rand.New(rand.NewPCG(7, 7))
	m := modules{side: n, raw: make([]float32, n*n), mean: make([]float32, n*n), dev: make([]float32, n*n), soft: make([]float32, n*n), flip: make([]float32, n*n)}
	for i := range m.raw {
		sum := float32(0)
		for d, w := range [5]float32{0.05, 0.2, 0.5, 0.2, 0.05} {
			v := float32(-1)
			if x := i%n + d - 2; x >= 0 && x < n {
				v = soft[i+d-2]
			}
			sum += w * v
		}
		m.raw[i] = 120 - 60*sum + 3*float32(rng.NormFloat64())
	}
	m.level()
	count := func() (wrong int) {
		for i, s := range m.soft {
			if s > 0 != (soft[i] > 0) {
				wrong++
			}
		}
		return wrong
	}
	m.decide(0)
	before := count()
	m.equalise(newLayout(10), 2, false, never)
	if after := count(); after > n*n/100 || before < n*n/40 {
		t.Errorf("%d of %d modules wrong before, %d after", before, n*n, after)
	}
}

func TestRank(t *testing.T) {
	at := func(x, y, m float32) finder {
		return finder{shape: shape{x: x, y: y, ux: m, vy: m, score: 0.9}, size: 7 * m, quality: 0.9, contrast: 100, fresh: true}
	}
	truth := []finder{at(100, 100, 4), at(300, 100, 4), at(100, 300, 4)}
	finders := append([]finder{at(200, 200, 4), at(400, 140, 7), at(90, 180, 4), at(333, 281, 2)}, truth...)
	got := rank(finders, make([]triple, 0, maxTriples), never)
	if len(got) == 0 || got[0].a != 4 || got[0].b != 5 || got[0].c != 6 {
		t.Errorf("triples %v, want 4 5 6 first", got)
	}
}

// TestDown: a picture with rows and columns exchanged is searched as the picture itself.
func TestDown(t *testing.T) {
	p := noisePlane(4, 83, 47)
	var q plane
	transpose(&q, &p)
	for y := range p.h {
		for x := range p.w {
			if q.pix[x*q.stride+y] != p.pix[y*p.stride+x] {
				t.Fatalf("pixel %d,%d is not where it should be", x, y)
			}
		}
	}
	s := shape{x: 40, y: 20, ux: 3, uy: 1, vx: -1, vy: 2.5}
	r := s.turned()
	if a, b := finderPattern.correlate(&p, &s), finderPattern.correlate(&q, &r); a-b > 1e-3 || b-a > 1e-3 {
		t.Errorf("a shape agrees by %v, turned over by %v", a, b)
	}
	if r.ux*r.vy-r.uy*r.vx <= 0 {
		t.Error("turned over, the sides turn anticlockwise")
	}
}

// TestAccountsAddUp: of two frames, each run together by another motion and noisy, the account of both tells more.
func TestAccountsAddUp(t *testing.T) {
	c := encoded(t, 10, 1, "once to the side and once down")
	n := c.Size
	soft, l := softOf(c), newLayout(10)
	rng := rand.New(rand.NewPCG(9, 9))
	var m modules
	frame := func(dx, dy int) {
		m = modules{side: n, raw: make([]float32, n*n), mean: make([]float32, n*n), dev: make([]float32, n*n), soft: make([]float32, n*n), bits: m.bits, own: m.own}
		for i := range m.raw {
			sum := float32(0)
			for k, w := range [4]float32{0.3, 0.3, 0.3, 0.1} {
				v := float32(-1)
				if x, y := i%n+(k-1)*dx, i/n+(k-1)*dy; x >= 0 && x < n && y >= 0 && y < n {
					v = soft[y*n+x]
				}
				sum += w * v
			}
			m.raw[i] = 120 - 60*sum + 12*float32(rng.NormFloat64())
		}
		m.level()
		m.lighten()
	}
	count := func() (wrong int) {
		for i, s := range m.soft {
			if s > 0 != (soft[i] > 0) {
				wrong++
			}
		}
		return wrong
	}
	frame(1, 0)
	m.equalise(l, 2, false, never)
	one := count()
	frame(0, 1)
	m.equalise(l, 2, false, never)
	other := count()
	m.own.fade(n*n, 0)
	for range 2 {
		frame(1, 0)
		m.learn(&m.own, l, 2, false, never)
		m.conclude(&m.own, l, never)
		frame(0, 1)
		m.learn(&m.own, l, 2, false, never)
		m.conclude(&m.own, l, never)
	}
	t.Logf("%d and %d of %d modules wrong alone, %d together", one, other, n*n, count())
	if both := count(); both*4 > min(one, other) || min(one, other) < n*n/50 {
		t.Errorf("%d and %d of %d modules wrong alone, %d together", one, other, n*n, both)
	}
}
