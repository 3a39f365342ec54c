package virtual

import (
	"math"

	"rsc.io/qr"
)

// The phone and the hand, in millimetres. x runs right and y down from the
// code's centre, which lies above the phone's own centre.
const (
	texelsPerMM = 6
	levels      = 3 // each half as fine as the one before

	texLeft, texTop     = -60, -74
	texWidth, texHeight = 120, 216 // so that the wrist reaches out of most frames

	bodyX, bodyY, bodyW, bodyH, bodyR = -36, -66, 72, 150, 9
	paneX, paneY, paneW, paneH, paneR = -33.5, -63, 67, 144, 6.5

	quiet = 4 // modules of quiet zone (ISO/IEC 18004, 6.3.8)
)

// A Screen is the phone with one code on it, ready to be seen from anywhere.
// It is not changed after NewScreen.
type Screen struct {
	mip  [levels]texture
	side float64 // of the code with its quiet zone, mm
}

// texture holds luma (already multiplied by its coverage) in bits 0…7 and
// coverage in bits 16…23 of each texel: two channels that one 32-bit
// multiplication blends at once.
type texture struct {
	w, h int
	pix  []uint32
}

// texel packs a luma that is already multiplied by its coverage.
func texel(luma, cover float64) uint32 {
	c := math.Round(math.Max(0, math.Min(1, cover)) * 255)
	l := math.Round(math.Max(0, math.Min(c, luma)))
	return uint32(l) | uint32(c)<<16
}

// NewScreen draws code on the phone.
func (s *Scene) NewScreen(code *qr.Code) *Screen {
	l := s.look
	out := &Screen{side: l.CodeWidth}
	t := texture{w: s.blank.w, h: s.blank.h, pix: append([]uint32(nil), s.blank.pix...)}
	light, dark := texel(float64(l.White), 1), texel(float64(l.Black), 1)
	if l.Inverted {
		light, dark = dark, light
	}
	half := l.CodeWidth / 2
	x0, x1 := texelAt(-half, texLeft), texelAt(half, texLeft)
	y0, y1 := texelAt(-half, texTop), texelAt(half, texTop)
	perTexel := float64(code.Size+2*quiet) / float64(x1-x0)
	// A screen has whole pixels: 3×3 samples a texel stand for its finer ones.
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			n := uint32(0)
			for sy := 0; sy < 3; sy++ {
				my := int((float64(y-y0)+(float64(sy)+0.5)/3)*perTexel) - quiet
				for sx := 0; sx < 3; sx++ {
					mx := int((float64(x-x0)+(float64(sx)+0.5)/3)*perTexel) - quiet
					if code.Black(mx, my) {
						n++
					}
				}
			}
			t.pix[y*t.w+x] = (dark&0xff*n+light&0xff*(9-n)+4)/9 | 255<<16
		}
	}
	out.mip[0] = t
	for i := 1; i < levels; i++ {
		out.mip[i] = out.mip[i-1].half()
	}
	return out
}

func texelAt(mm float64, origin int) int {
	return int(math.Round((mm - float64(origin)) * texelsPerMM))
}

// half averages 2×2 texels into one.
func (t texture) half() texture {
	o := texture{w: t.w / 2, h: t.h / 2}
	o.pix = make([]uint32, o.w*o.h)
	for y := 0; y < o.h; y++ {
		a, b := t.pix[2*y*t.w:], t.pix[(2*y+1)*t.w:]
		for x := 0; x < o.w; x++ {
			sum := a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1] // 10 bits a channel, no carry between them
			o.pix[y*o.w+x] = (sum + 0x00020002) >> 2 & 0x00ff00ff
		}
	}
	return o
}

// blankPhone draws everything but the code: the wrist, the phone's body, the
// page on its screen, and the fingers around it.
func blankPhone(l Look) texture {
	t := texture{w: texWidth * texelsPerMM, h: texHeight * texelsPerMM}
	t.pix = make([]uint32, t.w*t.h)
	white, black := float64(l.White), float64(l.Black)
	if l.Inverted {
		white, black = black, white
	}
	gray := func(share float64) float64 { return black + share*(white-black) }
	for y := 0; y < t.h; y++ {
		for x := 0; x < t.w; x++ {
			px := texLeft + (float64(x)+0.5)/texelsPerMM
			py := texTop + (float64(y)+0.5)/texelsPerMM
			luma, cover := 0.0, 0.0
			over := func(l, c float64) {
				luma, cover = luma+(l-luma)*c, cover+(1-cover)*c
			}
			pane := roundRect(px, py, paneX, paneY, paneW, paneH, paneR)
			if pane > -1 { // else all of this is hidden
				// Palm and wrist behind the phone, darker towards their edges.
				if d := capsule(px, py, 2, 52, -2, 150, 37); d < 1 {
					over(shade(92, d, 37), edge(d))
				}
				if d := roundRect(px, py, bodyX, bodyY, bodyW, bodyH, bodyR); d < 1 {
					over(34+26*math.Exp(-d*d/0.8), edge(d)) // a dark frame that catches a little light at its rim
				}
			}
			if pane < 1 {
				over(pageAt(px, py, gray), edge(pane))
				over(12, edge(math.Hypot(px, py-paneY-4)-1.7)) // the camera's hole
			}
			if math.Abs(px) > fingersFrom {
				for _, f := range fingers {
					if d := capsule(px, py, f[0], f[1], f[2], f[3], f[4]); d < 1.5 {
						over(60, 0.5*edge(d-0.7)) // the shadow under it
						over(shade(118, d, f[4]), edge(d))
					}
				}
			}
			t.pix[y*t.w+x] = texel(luma, cover)
		}
	}
	return t
}

// fingers as x0, y0, x1, y1, radius: four around the right edge, the thumb around the left.
var fingers = [...][5]float64{
	{42, 17, 35.5, 13, 6.5},
	{43, 33, 34.5, 29, 6.8},
	{42, 49, 35, 46, 6.6},
	{41, 64, 36, 62, 5.8},
	{-36, 78, -33.5, 40, 8},
}

// fingersFrom is how near to the middle a finger with its shadow comes.
const fingersFrom = 24

// pageAt is the luma of the page around the code: a head bar, lines of text, a countdown bar.
func pageAt(x, y float64, gray func(float64) float64) float64 {
	bar := func(x0, y0, x1, y1 float64) bool { return x >= x0 && x < x1 && y >= y0 && y < y1 }
	// Lines of text: words as runs of strokes, too small to be read.
	text := func(x0, x1, y0, h float64) bool {
		if !bar(x0, y0, x1, y0+h) {
			return false
		}
		word := math.Mod(x-x0, 9.3)
		return word < 7.6 && math.Mod(word, 1.15) < 0.72 && math.Mod(y-y0+0.3, h*0.55) < h*0.36
	}
	switch {
	case bar(-40, -63, 40, -57): // status line
		if text(-28, -18, -61, 1.8) || text(21, 28, -61, 1.8) {
			return gray(0.35)
		}
		return gray(0.93)
	case bar(-40, -57, 40, -44): // head bar
		if text(-14, 15, -52.5, 4) {
			return gray(0.95)
		}
		return gray(0.38)
	case bar(-24, 35.5, 24, 37.2): // countdown
		if x < 7 {
			return gray(0.45)
		}
		return gray(0.86)
	case text(-17, 18, 41, 4.2), text(-24, 25, 50, 2.4), text(-21, 20, 55, 2.4):
		return gray(0.22)
	case roundRect(x, y, -24, 64, 48, 9, 3) < 0: // button
		if text(-9, 10, 67, 3) {
			return gray(0.97)
		}
		return gray(0.55)
	}
	return gray(1)
}

// Signed distances in mm, negative inside.

func roundRect(x, y, x0, y0, w, h, r float64) float64 {
	dx := math.Abs(x-x0-w/2) - w/2 + r
	dy := math.Abs(y-y0-h/2) - h/2 + r
	return math.Hypot(math.Max(dx, 0), math.Max(dy, 0)) + math.Min(math.Max(dx, dy), 0) - r
}

func capsule(x, y, x0, y0, x1, y1, r float64) float64 {
	dx, dy := x1-x0, y1-y0
	t := ((x-x0)*dx + (y-y0)*dy) / (dx*dx + dy*dy)
	t = math.Max(0, math.Min(1, t))
	return math.Hypot(x-x0-t*dx, y-y0-t*dy) - r
}

// edge turns a distance into coverage, one texel wide.
func edge(d float64) float64 { return math.Max(0, math.Min(1, 0.5-d*texelsPerMM)) }

// shade rounds a limb of radius r: full luma on its axis, half of it at the rim.
func shade(luma, d, r float64) float64 {
	in := math.Max(0, math.Min(1, -d/r))
	return luma * (0.5 + 0.5*math.Sqrt(1-(1-in)*(1-in)))
}
