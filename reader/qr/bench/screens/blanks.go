package screens

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Blank is a picture without a code. Empty 720 and 480 are rooms as a camera
// sees them; the other kinds are the worst that can be held before a reader.
type Blank struct {
	Kind string
	Draw func(dst *image.Gray)
}

// Blanks gives n rooms of each size and the nasty kinds.
func Blanks(seed uint64, n int) (out []Blank) {
	for i := range n {
		s := seed<<16 | uint64(i)
		out = append(out, Blank{"empty 1280×720", func(g *image.Gray) { emptyRoom(g, s, Width, Height) }})
	}
	for i := range n {
		s := seed<<16 | uint64(i)
		out = append(out, Blank{"empty 640×480", func(g *image.Gray) { emptyRoom(g, s, 640, 480) }})
	}
	width, height := Width, Height
	each := func(kind string, f func(g *image.Gray, rng *rand.Rand)) {
		s, w, h := seed<<16|uint64(len(out)), width, height
		out = append(out, Blank{kind, func(g *image.Gray) {
			reset(g, w, h)
			f(g, rand.New(rand.NewPCG(s, 0x626c616e6b)))
		}})
	}
	for _, sigma := range []float64{5, 20, 60} {
		each("noise", func(g *image.Gray, rng *rand.Rand) {
			paint(g, func(x, y float64) float64 { return 128 + sigma*rng.NormFloat64() })
		})
	}
	each("noise", func(g *image.Gray, rng *rand.Rand) {
		paint(g, func(x, y float64) float64 { return 255 * float64(rng.IntN(2)) })
	})
	for _, side := range []float64{1, 2, 3, 5, 9, 20, 60} {
		for _, degrees := range []float64{0, 27} {
			each("chessboard", func(g *image.Gray, _ *rand.Rand) {
				turned(g, degrees, func(u, v float64) bool { return (int(math.Floor(u/side))+int(math.Floor(v/side)))%2 == 0 })
			})
		}
	}
	for _, scale := range []int{1, 2, 3} {
		each("page of text", func(g *image.Gray, rng *rand.Rand) { page(g, rng, scale) })
	}
	// 1:1:3:1:1 along every row, and finder patterns by the hundred to the eleven thousand.
	for _, unit := range []float64{1, 2, 4} {
		each("finder stripes", func(g *image.Gray, _ *rand.Rand) {
			turned(g, 0, func(u, _ float64) bool { return ring(math.Mod(u/unit, 8.5)) })
		})
	}
	for _, unit := range []float64{1, 2, 3, 5} {
		for _, degrees := range []float64{0, 33} {
			each("finder blobs", func(g *image.Gray, _ *rand.Rand) {
				turned(g, degrees, func(u, v float64) bool { return blob(wrap(u/unit, 9), wrap(v/unit, 9)) })
			})
		}
	}
	for _, unit := range []float64{2, 3, 5} {
		for _, degrees := range []float64{0, 21} {
			each("codes of noise", func(g *image.Gray, rng *rand.Rand) { noiseCodes(g, rng, unit, degrees) })
		}
	}
	for _, unit := range []float64{3, 5, 9} {
		for _, degrees := range []float64{0, 15, 45} {
			each("halftone", func(g *image.Gray, _ *rand.Rand) {
				turned(g, degrees, func(u, v float64) bool { // dots that grow from left to right
					a, b := wrap(u/unit, 2)-1, wrap(v/unit, 2)-1
					return a*a+b*b < 0.2+math.Abs(u)/float64(Width)
				})
			})
			each("concentric squares", func(g *image.Gray, _ *rand.Rand) {
				turned(g, degrees, func(u, v float64) bool {
					a, b := wrap(u/unit, 41)-20.5, wrap(v/unit, 41)-20.5
					return int(max(math.Abs(a), math.Abs(b))+0.5)%2 == 0
				})
			})
		}
	}
	for _, fine := range []float64{400, 1500, 6000} {
		each("moiré", func(g *image.Gray, _ *rand.Rand) { // a zone plate beats with the pixels
			turned(g, 0, func(u, v float64) bool {
				u, v = u-Width/2, v-Height/2
				return math.Sin((u*u+v*v)/fine) > 0
			})
		})
	}
	width, height = 1920, 1080
	each("noise", func(g *image.Gray, rng *rand.Rand) {
		paint(g, func(x, y float64) float64 { return 128 + 60*rng.NormFloat64() })
	})
	for _, unit := range []float64{2, 3, 5} {
		each("finder blobs", func(g *image.Gray, _ *rand.Rand) {
			turned(g, 33, func(u, v float64) bool { return blob(wrap(u/unit, 9), wrap(v/unit, 9)) })
		})
		each("codes of noise", func(g *image.Gray, rng *rand.Rand) { noiseCodes(g, rng, unit, 21) })
		each("chessboard", func(g *image.Gray, _ *rand.Rand) {
			turned(g, 27, func(u, v float64) bool {
				return (int(math.Floor(u/unit/2))+int(math.Floor(v/unit/2)))%2 == 0
			})
		})
	}
	return out
}

// emptyRoom is a room with things of sharp outline in it: shelves, notices, frames.
func emptyRoom(g *image.Gray, seed uint64, w, h int) {
	reset(g, w, h)
	rng := rand.New(rand.NewPCG(seed, 0x726f6f6d))
	light := room(rng, w, h)
	for range 25 {
		x0, y0 := rng.IntN(w), rng.IntN(h)
		x1, y1 := min(w, x0+4+rng.IntN(w/5)), min(h, y0+4+rng.IntN(h/5))
		add := float32(-30 + 80*rng.Float64())
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				light[y*w+x] = max(5, light[y*w+x]+add)
			}
		}
	}
	blur(light, w, h, 0.8)
	sense(g, light, &Case{Seed: seed, Conditions: Conditions{Gamma: 1, Noise: 3}}, rng)
}

func paint(g *image.Gray, f func(x, y float64) float64) {
	for y := range g.Rect.Dy() {
		for x := range g.Rect.Dx() {
			g.Pix[y*g.Stride+x] = uint8(max(0, min(255, f(float64(x)+0.5, float64(y)+0.5))))
		}
	}
}

// turned paints dark where f says so, in coordinates turned by degrees; 2×2 samples when they are.
func turned(g *image.Gray, degrees float64, f func(u, v float64) bool) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	paint(g, func(x, y float64) float64 {
		luma := 0.0
		for k := range 4 {
			sx, sy := x+float64(k%2)/2-0.25, y+float64(k/2)/2-0.25
			if !f(sx*cos+sy*sin, sy*cos-sx*sin) {
				luma += 55
			}
		}
		return 20 + luma
	})
}

func wrap(v, n float64) float64 { return v - n*math.Floor(v/n) }

// ring is one axis of a finder pattern: 1:1:3:1:1 (ISO/IEC 18004, 6.3.3).
func ring(u float64) bool { return u >= 0 && u < 7 && (u < 1 || u >= 2 && u < 5 || u >= 6) }

func blob(u, v float64) bool {
	d := max(math.Abs(u-3.5), math.Abs(v-3.5))
	return d < 1.5 || d >= 2.5 && d < 3.5
}

// noiseCodes fills the picture with symbols whose finder, timing and alignment
// patterns are sound and whose data are noise: all of a reader's work for nothing.
func noiseCodes(g *image.Gray, rng *rand.Rand, unit, degrees float64) {
	code, err := encode("MJ1", 10, 0)
	if err != nil {
		return // "MJ1" fits into any version
	}
	n := code.n
	for i := range code.dark {
		if x, y := i%n, i/n; x > 8 && y > 8 || (x > 8 && x < n-11 && y != 6) || (y > 8 && y < n-11 && x != 6) {
			if !alignment(x, y) {
				code.dark[i] = rng.IntN(2) == 0
			}
		}
	}
	side := float64(n + 8)
	turned(g, degrees, func(u, v float64) bool {
		x, y := int(wrap(u/unit, side)), int(wrap(v/unit, side))
		return x < n && y < n && code.dark[y*n+x]
	})
}

// alignment says whether a module of version 10 is of an alignment pattern (ISO/IEC 18004, Annex E).
func alignment(x, y int) bool {
	near := func(v int) bool {
		for _, c := range []int{6, 28, 50} {
			if v >= c-2 && v <= c+2 {
				return true
			}
		}
		return false
	}
	return near(x) && near(y)
}

// page sets a page of words in a font of 7×13 pixels, enlarged by scale.
func page(g *image.Gray, rng *rand.Rand, scale int) {
	small := image.NewGray(image.Rect(0, 0, Width/scale, Height/scale))
	draw.Draw(small, small.Rect, image.NewUniform(color.Gray{Y: 225}), image.Point{}, draw.Src)
	d := font.Drawer{Dst: small, Src: image.NewUniform(color.Gray{Y: 25}), Face: basicfont.Face7x13}
	for y := 12; y < small.Rect.Dy(); y += 13 {
		d.Dot = fixed.P(4, y)
		for d.Dot.X.Ceil() < small.Rect.Dx()-70 {
			word := make([]byte, 1+rng.IntN(9))
			for i := range word {
				word[i] = byte('!' + rng.IntN('~'-'!'))
			}
			d.DrawString(string(word) + " ")
		}
	}
	paint(g, func(x, y float64) float64 {
		return float64(small.GrayAt(min(small.Rect.Dx()-1, int(x)/scale), min(small.Rect.Dy()-1, int(y)/scale)).Y)
	})
}
