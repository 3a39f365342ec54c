package picture

import (
	"bytes"
	"encoding/binary"
	"image/png"
	mrand "math/rand/v2"
	"os"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	seen := map[rune]int{}
	for range 2000 {
		code := New()
		if len(code) != Length {
			t.Fatal(code)
		}
		for _, r := range code {
			seen[r]++
		}
	}
	for r := '0'; r <= '9'; r++ {
		if seen[r] < 1000 || seen[r] > 1400 { // 1200 ± 6 standard deviations
			t.Errorf("%c stands %d times in 12,000 digits", r, seen[r])
		}
	}
}

func TestPNG(t *testing.T) {
	a, err := paint("027948", mrand.New(mrand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(a))
	if err != nil || m.Bounds().Dx() != Width || m.Bounds().Dy() != Height {
		t.Fatal(m.Bounds(), err)
	}
	if path := os.Getenv("PICTURE_OUT"); path != "" { // to look at one
		if err := os.WriteFile(path, a, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := PNG("027948")
	if err != nil || bytes.Equal(a, b) {
		t.Error("a code is drawn the same way twice", err)
	}
	if len(b) > 20<<10 {
		t.Errorf("%d bytes", len(b))
	}
}

func TestWAV(t *testing.T) {
	w, err := WAV("1234567890")
	if err != nil || !strings.HasPrefix(string(w), "RIFF") || int(binary.LittleEndian.Uint32(w[40:])) != len(w)-44 {
		t.Fatal(err, len(w))
	}
	if seconds := (len(w) - 44) / rate; seconds < 5 || seconds > 15 {
		t.Errorf("%d s", seconds)
	}
	if _, err := WAV("12a"); err == nil {
		t.Error("a letter is read aloud")
	}
}
