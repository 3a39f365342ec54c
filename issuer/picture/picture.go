// Package picture makes the picture code (보안문자) of an identity form: six
// digits as a picture for people, and read aloud for those who cannot see it.
//
// It slows simple scripts down and does no more: what stops guessing are the
// limits on messages, tries and addresses.
package picture

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	mrand "math/rand/v2"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Length is how many digits a code has.
const Length = 6

// New is a random code.
func New() string {
	raw := make([]byte, Length)
	for i := range raw {
		for { // no digit more likely than another
			rand.Read(raw[i : i+1]) // never fails
			if raw[i] < 250 {
				break
			}
		}
		raw[i] = '0' + raw[i]%10
	}
	return string(raw)
}

// The picture's size in pixels: shown at half of it, sharp on a phone.
const (
	Width  = 480
	Height = 140
)

// PNG draws a code. Each call draws it differently.
func PNG(code string) ([]byte, error) {
	var seed [32]byte
	rand.Read(seed[:]) // never fails
	return paint(code, mrand.New(mrand.NewChaCha8(seed)))
}

func paint(code string, r *mrand.Rand) ([]byte, error) {
	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("draw the picture code: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 84, DPI: 72})
	if err != nil {
		return nil, fmt.Errorf("draw the picture code: %w", err)
	}
	defer face.Close()
	flat := image.NewAlpha(image.Rect(0, 0, Width, Height))
	cell := Width / (len(code) + 1)
	for i, digit := range code {
		d := font.Drawer{Dst: flat, Src: image.Opaque, Face: face}
		d.Dot = fixed.P(cell/2+i*cell+r.IntN(14), 98+r.IntN(22)-11)
		d.DrawString(string(digit))
	}
	// The sheet is bent by two waves, then crossed by lines of the same ink.
	out := image.NewGray(flat.Rect)
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	px, py := r.Float64()*6, r.Float64()*6
	for y := range Height {
		for x := range Width {
			sx := x + int(7*math.Sin(float64(y)/17+px))
			sy := y + int(8*math.Sin(float64(x)/41+py))
			if (image.Point{X: sx, Y: sy}).In(flat.Rect) {
				if a := flat.AlphaAt(sx, sy).A; a > 0 {
					out.SetGray(x, y, color.Gray{Y: 255 - uint8(int(a)*215/255)})
				}
			}
		}
	}
	for range 4 {
		a, b := r.Float64()*Height, r.Float64()*Height
		bend, phase := 6+r.Float64()*14, r.Float64()*6
		for x := range Width {
			y := int(a + (b-a)*float64(x)/Width + bend*math.Sin(float64(x)/60+phase))
			for w := range 3 {
				out.SetGray(x, y+w, color.Gray{Y: 60})
			}
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		return nil, fmt.Errorf("draw the picture code: %w", err)
	}
	return buf.Bytes(), nil
}

//go:embed digits/*.raw
var spoken embed.FS

const rate = 8000 // samples a second, one byte each

// WAV reads a code aloud in Korean, digit by digit with a pause behind each.
func WAV(code string) ([]byte, error) {
	pause := bytes.Repeat([]byte{128}, rate*45/100)
	sound := bytes.Repeat([]byte{128}, rate/2)
	for _, digit := range code {
		raw, err := spoken.ReadFile("digits/" + string(digit) + ".raw")
		if err != nil {
			return nil, fmt.Errorf("read the picture code aloud: %w", err)
		}
		sound = append(append(sound, raw...), pause...)
	}
	// RIFF/WAVE, PCM, 8 bit, one channel.
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+len(sound)))...)
	b = append(b, "WAVEfmt "...)
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate), uint16(1), uint16(8)} {
		b, _ = binary.Append(b, binary.LittleEndian, v) // fixed sizes: no error
	}
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sound)))
	return append(b, sound...), nil
}
