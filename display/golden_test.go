package display

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// foreignFont is where Debian keeps the font that the shipped languages name.
const foreignFont = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"

// TestGolden keeps every scene and hint in every layout and language as a
// picture. Korean and English at 1024×600 are kept in full, one file each. The
// other layouts are contact sheets, all pictures of one layout and pair of
// languages on one: at a half of the size for what is built in, at a quarter for
// the others. A sheet is looked at in one go, and every letter that moves by a
// pixel still changes it, at a fifth of the bytes.
func TestGolden(t *testing.T) {
	for _, l := range layouts {
		for _, langs := range [][]string{{"ko", "en"}, {"ko", "zh"}, {"ko", "ja"}, {"ko", "vi"}} {
			name := l.String() + "-" + strings.Join(langs, "-")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				shrink := 2
				if langs[1] != "en" {
					shrink = 4
					if _, err := os.Stat(foreignFont); err != nil {
						t.Skipf("%v: install fonts-noto-cjk", err)
					}
				}
				p := l.painter(t, langs...)
				img := l.picture()
				var tiles []*image.RGBA
				for _, v := range scenery() {
					for _, v := range v.turns(p) {
						p.Draw(img, v.State)
						if l == layouts[1] && shrink == 2 {
							golden(t, filepath.Join("testdata", v.name+".png"), img)
							continue
						}
						tiles = append(tiles, shrunk(img, shrink))
					}
				}
				if tiles != nil {
					golden(t, filepath.Join("testdata", name+".png"), sheet(tiles))
				}
			})
		}
	}
}

// TestGoldenSmall keeps what panels show that are not a visitor's screen.
func TestGoldenSmall(t *testing.T) {
	bits := func(img *image.RGBA) *image.RGBA { // as an OLED shows it
		out := image.NewRGBA(img.Rect)
		for i := 0; i < len(img.Pix); i += 4 {
			v := uint8(0)
			if img.Pix[i] > 128 {
				v = 255
			}
			out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = v, v, v, 255
		}
		return out
	}
	for _, lang := range []string{"ko", "en"} {
		p, err := NewPainter(Options{Langs: []string{lang}})
		if err != nil {
			t.Fatal(err)
		}
		var tiles []*image.RGBA
		for _, v := range scenery() {
			img := image.NewRGBA(image.Rect(0, 0, 128, 64))
			p.Draw(img, v.State)
			tiles = append(tiles, bits(img))
		}
		golden(t, filepath.Join("testdata", "oled-"+lang+".png"), sheet(tiles))
	}
	var tiles []*image.RGBA
	for _, size := range []image.Point{{128, 64}, {320, 240}, {480, 320}} {
		p, err := NewPainter(Options{})
		if err != nil {
			t.Fatal(err)
		}
		p.staffOnly = true
		for _, s := range []*Staff{nil, {Complete: true, TwoWeeksOn: true, Doses: 3}, {Doses: 1}} {
			img := image.NewRGBA(image.Rect(0, 0, 480, 320))
			draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{0x80, 0x80, 0x80, 255}), image.Point{}, draw.Src)
			small := image.NewRGBA(image.Rectangle{Max: size})
			p.Draw(small, State{Scene: Accepted, Staff: s})
			draw.Draw(img, small.Rect, small, image.Point{}, draw.Src)
			tiles = append(tiles, img)
		}
	}
	golden(t, filepath.Join("testdata", "staff.png"), sheet(tiles))
}

// shrunk is a picture of an nth of the size; each pixel is the mean of n×n.
func shrunk(img *image.RGBA, n int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, img.Rect.Dx()/n, img.Rect.Dy()/n))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var sum [4]int
			for j := range n {
				for i := range n {
					for c, v := range img.Pix[img.PixOffset(x*n+i, y*n+j):][:4] {
						sum[c] += int(v)
					}
				}
			}
			for c, v := range sum {
				out.Pix[out.PixOffset(x, y)+c] = uint8(v / (n * n))
			}
		}
	}
	return out
}

// sheet puts tiles of one size side by side, about as wide as high.
func sheet(tiles []*image.RGBA) *image.RGBA {
	const gap = 4
	size := tiles[0].Rect.Size().Add(image.Pt(gap, gap))
	columns := 1
	for columns*size.X < (len(tiles)+columns-1)/columns*size.Y {
		columns++
	}
	rows := (len(tiles) + columns - 1) / columns
	out := image.NewRGBA(image.Rect(0, 0, columns*size.X-gap, rows*size.Y-gap))
	draw.Draw(out, out.Rect, image.NewUniform(color.RGBA{0x80, 0x80, 0x80, 255}), image.Point{}, draw.Src)
	for i, tile := range tiles {
		at := image.Pt(i%columns*size.X, i/columns*size.Y)
		draw.Draw(out, tile.Rect.Add(at), tile, image.Point{}, draw.Src)
	}
	return out
}

func golden(t *testing.T, file string, img *image.RGBA) {
	t.Helper()
	if *update {
		var buf bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestCompression}
		if err := enc.Encode(&buf, small(img)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatalf("%v (make it with: go test ./display -update)", err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != img.Rect {
		t.Fatalf("%s: size is %v, want %v", file, img.Rect, want.Bounds())
	}
	have := image.NewRGBA(img.Rect)
	draw.Draw(have, have.Rect, want, image.Point{}, draw.Src)
	for i, v := range have.Pix {
		if abs(int(v)-int(img.Pix[i])) > 9 { // half a step of the golden file, and one
			x, y := i/4%img.Rect.Dx(), i/4/img.Rect.Dx()
			t.Fatalf("%s: pixel %d,%d is %v, want %v", file, x, y, img.At(x, y), have.At(x, y))
		}
	}
}

// small rounds the colours to 4 bits a channel: the edges of the letters then
// cost little in a file, and another machine's floating point may round them
// otherwise by one.
func small(img *image.RGBA) image.Image {
	out := image.NewPaletted(img.Rect, nil)
	index := map[color.RGBA]uint8{}
	round := func(v uint8) uint8 { return uint8((int(v) + 8) / 17 * 17) }
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.RGBAAt(x, y)
			c = color.RGBA{round(c.R), round(c.G), round(c.B), 255}
			n, ok := index[c]
			if !ok {
				if len(index) == 256 {
					return coarse(img, round)
				}
				n = uint8(len(index))
				index[c] = n
				out.Palette = append(out.Palette, c)
			}
			out.SetColorIndex(x, y, n)
		}
	}
	return out
}

// coarse is the same with more than 256 colours.
func coarse(img *image.RGBA, round func(uint8) uint8) image.Image {
	out := image.NewRGBA(img.Rect)
	for i, v := range img.Pix {
		out.Pix[i] = round(v)
	}
	return out
}
