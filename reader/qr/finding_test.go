package qr

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// squeezed is g at three fifths of its height, as a screen that leans back by 53°.
func squeezed(g *image.Gray) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Rect.Dx(), g.Rect.Dy()*3/5))
	for y := range out.Rect.Dy() {
		for x := range g.Rect.Dx() {
			from, share := y*5/3, y*5%3
			a, b := int(g.Pix[from*g.Stride+x]), int(g.Pix[(from+1)*g.Stride+x])
			out.Pix[y*out.Stride+x] = uint8((a*(3-share) + b*share) / 3)
		}
	}
	return out
}

// TestFindings: what is wrong with a picture is told.
func TestFindings(t *testing.T) {
	flat := func(l uint8) *image.Gray {
		g := image.NewGray(image.Rect(0, 0, 320, 240))
		for i := range g.Pix {
			g.Pix[i] = l
		}
		return g
	}
	c := encoded(t, 10, 1, "this is the code of a pass, which is not to be read")
	show := func(pitch float64, change func(u, v int, l float64) float64, blurX, blurY float64, x0 float64) *image.Gray {
		g := image.NewGray(image.Rect(0, 0, 480, 360))
		sum := func(x, y float64) float64 {
			u, v := int(math.Floor((x-x0)/pitch)), int(math.Floor((y-30)/pitch))
			l := 210.0
			if c.Black(u, v) {
				l = 40
			}
			return change(u, v, l)
		}
		for y := range 360 {
			for x := range 480 {
				s := 0.0
				for k := range 25 {
					s += sum(float64(x)+0.1+0.2*float64(k%5)+blurX*(float64(k%5)-2), float64(y)+0.1+0.2*float64(k/5)+blurY*(float64(k/5)-2))
				}
				g.Pix[y*g.Stride+x] = uint8(s / 25)
			}
		}
		return g
	}
	rng := rand.New(rand.NewPCG(2, 2))
	broken := make([]bool, 57*57)
	for i := range broken {
		broken[i] = rng.IntN(3) == 0 && i%57 > 9 && i/57 > 9
	}
	spoil := func(u, v int, l float64) float64 { // unreadable whatever the optics
		if u >= 0 && v >= 0 && u < 57 && v < 57 && broken[v*57+u] {
			return 250 - l
		}
		return l
	}
	text := func(u, v int, l float64) float64 { // below the code, as on a phone
		switch {
		case u < 0 || u >= 57 || v < 60 || v >= 130 || v%4 > 1:
			return spoil(u, v, l)
		case broken[v/4*57+u]:
			return 40
		}
		return l
	}
	for _, tt := range []struct {
		name string
		g    *image.Gray
		want Problem
		x, y float32 // where the symbol, or what is seen of it, has its middle, pixels; 0: nowhere
	}{
		{"a dark room", flat(9), TooDark, 0, 0},
		{"a lamp", flat(252), TooBright, 0, 0},
		{"a wall", flat(120), NoCode, 0, 0},
		{"read", show(5, func(_, _ int, l float64) float64 { return l }, 0, 0, 60), None, 202.5, 172.5},
		{"spoiled", show(5, spoil, 0, 0, 60), Unclear, 202.5, 172.5},
		{"far away", show(1.7, spoil, 0, 0, 60), TooSmall, 108.4, 78.4},
		{"reflection", show(5, func(u, v int, l float64) float64 {
			if u > 14 && u < 42 && v > 14 && v < 42 {
				return 255
			}
			return spoil(u, v, l)
		}, 0, 0, 60), Glare, 202.5, 172.5},
		{"moving", show(5, spoil, 1.45, 0, 60), Moving, 202.5, 172.5},
		{"cut off", show(5, spoil, 0, 0, 204), TooLarge, 346.5, 172.5},
		{"half cut off", show(5, spoil, 0, 0, 230), TooLarge, 355, 171},
		{"but for a corner cut off", show(7, spoil, 0, 0, -100), TooLarge, 149.5, 195},
		{"a phone far away", show(0.9, text, 0, 0, 60), TooSmall, 85.7, 88.5},
		{"out of focus", show(5, spoil, 1.4, 1.4, 60), OutOfFocus, 202.5, 172.5},
		{"tilted", squeezed(show(5, spoil, 0, 0, 60)), Tilted, 202.5, 103.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := New(Options{Thorough: true, Budget: time.Minute})
			if _, err := d.Decode(tt.g); err != nil {
				t.Fatal(err)
			}
			f := d.Finding()
			if f.Problem != tt.want {
				t.Errorf("%v %.2f, want %v", f.Problem, f.Measure, tt.want)
			}
			w, h := float32(tt.g.Rect.Dx()), float32(tt.g.Rect.Dy())
			x, y := f.X*w-tt.x, f.Y*h-tt.y
			if reach := float32(10); f.Located != (tt.x > 0) || f.Located && (max(x, -x) > reach || max(y, -y) > reach) {
				t.Errorf("seen at %.0f, %.0f: %v, want %.0f, %.0f", f.X*w, f.Y*h, f.Located, tt.x, tt.y)
			}
		})
	}
}
