package screens

import (
	"image"
	"testing"
)

func TestStreamsComeIn(t *testing.T) {
	streams, err := Streams(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(streams) != 3*len(classes) {
		t.Fatalf("%d streams, want 3 of each of %d classes", len(streams), len(classes))
	}
	for _, s := range streams {
		if len(s.Frames) != StreamFrames || s.Frames[0].InView(0) || !s.Frames[s.InView].InView(0) {
			t.Errorf("%s: %d frames, in view at once %v, in view at frame %d %v",
				s.Class, len(s.Frames), s.Frames[0].InView(0), s.InView, s.Frames[s.InView].InView(0))
		}
		for n, c := range s.Frames {
			if n < s.InView && c.InView(0) {
				t.Errorf("%s: frame %d shows the code before frame %d", s.Class, n, s.InView)
			}
			if c.Text != s.Frames[0].Text || c.Number != uint64(n) {
				t.Errorf("%s: frame %d is numbered %d, same text %v", s.Class, n, c.Number, c.Text == s.Frames[0].Text)
			}
		}
	}
}

// TestBlanksAreBlank looks at sizes only: that nothing is read in them is for the readers to show.
func TestBlanksAreBlank(t *testing.T) {
	kinds := map[string]int{}
	for _, b := range Blanks(1, 2) {
		kinds[b.Kind]++
		if kinds[b.Kind] > 1 {
			continue
		}
		g := new(image.Gray)
		b.Draw(g)
		lo, hi := uint8(255), uint8(0)
		for _, v := range g.Pix {
			lo, hi = min(lo, v), max(hi, v)
		}
		if len(g.Pix) != g.Rect.Dx()*g.Rect.Dy() || lo == hi {
			t.Errorf("%s: %v, %d bytes, all from %d to %d", b.Kind, g.Rect, len(g.Pix), lo, hi)
		}
	}
	if len(kinds) != 11 {
		t.Errorf("%d kinds, want 11: %v", len(kinds), kinds)
	}
}
