package qr_test

import (
	"image"
	"testing"

	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/reader/qr"
	gen "rsc.io/qr"
)

// frames are what a 720p camera sees of a phone that is held, or of an empty room.
func frames(b *testing.B, held bool) []*image.Gray {
	b.Helper()
	code, err := gen.Encode("MJ1:THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789 THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789 THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 01234567", gen.M)
	if err != nil {
		b.Fatal(err)
	}
	p := virtual.New(virtual.Options{Seed: 1, Unpaced: true})
	if held {
		p.Present(code)
	}
	var out []*image.Gray
	for i := range 50 {
		g := new(image.Gray)
		if err := p.Grab(b.Context(), g); err != nil {
			b.Fatal(err)
		}
		if i >= 30 {
			out = append(out, g)
		}
	}
	return out
}

func bench(b *testing.B, pictures []*image.Gray, o qr.Options) {
	d := qr.New(o)
	read, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		s, err := d.Decode(pictures[n%len(pictures)])
		if err != nil {
			b.Fatal(err)
		}
		read += len(s)
		n++
	}
	b.ReportMetric(100*float64(read)/float64(n), "%read")
}

func BenchmarkHit720p(b *testing.B)   { bench(b, frames(b, true), qr.Options{}) }
func BenchmarkEmpty720p(b *testing.B) { bench(b, frames(b, false), qr.Options{}) }
func BenchmarkEmpty720pDarkOnLight(b *testing.B) {
	bench(b, frames(b, false), qr.Options{DarkOnLight: true})
}
