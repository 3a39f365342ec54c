package main

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// bound is no reader, but a measure of the pictures: told where a code lies, it
// takes the gray value at each module's centre, subtracts the local mean,
// sharpens a little, and decodes. A reader of single frames that reads as much
// has found every code and laid its grid without a fault.
func bound(g *image.Gray, c *screens.Case) bool {
	n := c.Modules()
	gray := make([]float64, n*n)
	for v := range n {
		for u := range n {
			gray[v*n+u] = bilinear(g, c, float64(u)+0.5, float64(v)+0.5)
		}
	}
	at := func(u, v int) float64 { return gray[max(0, min(n-1, v))*n+max(0, min(n-1, u))] }
	const reach = 4 // modules around that the local mean is taken of
	for _, strength := range []float64{0, 0.5, 1} {
		bits, err := gozxing.NewSquareBitMatrix(n)
		if err != nil {
			return false
		}
		for v := range n {
			for u := range n {
				sum, count := 0.0, 0.0
				for y := max(0, v-reach); y <= min(n-1, v+reach); y++ {
					for x := max(0, u-reach); x <= min(n-1, u+reach); x++ {
						sum, count = sum+gray[y*n+x], count+1
					}
				}
				sharp := at(u, v) + strength*(at(u, v)-(at(u-1, v)+at(u+1, v)+at(u, v-1)+at(u, v+1))/4)
				if sharp < sum/count {
					bits.Set(u, v)
				}
			}
		}
		if r, err := decoder.NewDecoder().Decode(bits, nil); err == nil && r.GetText() == c.Text {
			return true
		}
	}
	return false
}

func bilinear(g *image.Gray, c *screens.Case, u, v float64) float64 {
	x, y := c.Project(u, v)
	x, y = max(0, min(float64(g.Rect.Dx()-2), x-0.5)), max(0, min(float64(g.Rect.Dy()-2), y-0.5))
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	p := g.Pix[j*g.Stride+i:]
	q := p[g.Stride:]
	return (float64(p[0])*(1-fx)+float64(p[1])*fx)*(1-fy) + (float64(q[0])*(1-fx)+float64(q[1])*fx)*fy
}
