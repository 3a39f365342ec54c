package machine

import (
	"errors"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/munjigi/munjigi/display"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

func TestExplain(t *testing.T) {
	m := Explain("kiosk.toml", errors.New(`/boot/munjigi/kiosk.toml:7: unknown key "camera.sorce", did you mean "source"?`))
	for _, want := range []string{"munjigi/kiosk.toml", "7번째 줄"} {
		if !strings.Contains(m.Do[0], want) {
			t.Errorf("%q lacks %q", m.Do[0], want)
		}
	}
	if m := Explain("device.toml", errors.New("device.toml: wifi.ssid is empty")); strings.Contains(m.Do[1], "line") {
		t.Errorf("a line that nobody named: %q", m.Do[1])
	}
}

// TestDraw holds the picture to a golden one.
func TestDraw(t *testing.T) {
	_, err := load(t, "[wifi]\nsid = \"cafe\"\n")
	text := err.Error()
	m := Explain("device.toml", errors.New("/boot/munjigi/"+text[strings.LastIndex(text, "device.toml:"):]))
	got := image.NewRGBA(image.Rect(0, 0, 1024, 600))
	if err := Draw(got, m, display.Font()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "mistake.png")
	if *update {
		f, err := os.Create(golden)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, got); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 600 {
		for x := range 1024 {
			r, g, b, _ := want.At(x, y).RGBA()
			c := got.RGBAAt(x, y)
			if uint32(c.R) != r>>8 || uint32(c.G) != g>>8 || uint32(c.B) != b>>8 {
				t.Fatalf("the picture differs from %s at %d,%d: look at it and run go test -update", golden, x, y)
			}
		}
	}
}

func TestDrawTooSmall(t *testing.T) {
	if err := Draw(image.NewRGBA(image.Rect(0, 0, 64, 32)), Explain("a", errors.New("b")), display.Font()); err == nil {
		t.Error("words on 64 by 32")
	}
}
