package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"

	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// TestServedReadersRead shows each reader that is built in one clear phone.
func TestServedReadersRead(t *testing.T) {
	cases, err := screens.Sweeps(1)
	if err != nil {
		t.Fatal(err)
	}
	c, g := cases[0], new(image.Gray) // 6 pixels a module
	c.Render(g)
	for name := range served {
		t.Run(name, func(t *testing.T) {
			in := binary.LittleEndian.AppendUint32(nil, screens.Width)
			in = binary.LittleEndian.AppendUint32(in, screens.Height)
			in = binary.LittleEndian.AppendUint32(in, uint32(alone))
			var out bytes.Buffer
			if err := serve(name, bytes.NewReader(append(in, g.Pix...)), &out); err != nil {
				t.Fatal(err)
			}
			a, err := readAnswer(&out)
			if err != nil {
				t.Fatal(err)
			}
			if o := (truth{c.Text}).judge(a.symbols); !o.read || o.wrong {
				t.Errorf("read %q, want %q", a.symbols, c.Text)
			}
			if a.cpu <= 0 {
				t.Errorf("the decode call took %s", a.cpu)
			}
		})
	}
	if !bound(g, c) {
		t.Error("the true geometry does not lead to the text")
	}
}

func TestQuarterTurns(t *testing.T) {
	src := &image.Gray{Pix: []uint8{1, 2, 3, 4, 5, 6}, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
	for turn, want := range [][]uint8{{1, 2, 3, 4, 5, 6}, {4, 1, 5, 2, 6, 3}, {6, 5, 4, 3, 2, 1}, {3, 6, 2, 5, 1, 4}} {
		dst := new(image.Gray)
		quarter(dst, src, turn)
		if !bytes.Equal(dst.Pix, want) {
			t.Errorf("turned %d times: %v, want %v", turn, dst.Pix, want)
		}
	}
}
