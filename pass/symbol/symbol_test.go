package symbol

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rsc.io/qr"
)

// TestEncode holds that a symbol is the library's own, bit by bit, whatever the
// size and the mode.
func TestEncode(t *testing.T) {
	for _, text := range []string{"MJ1A", strings.Repeat("A", 178), strings.Repeat("Z9", 400), "https://example.kr/app/pass?number=123456", strings.Repeat("가", 300)} {
		want, err := qr.Encode(text, Level)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second is drawn by the plan of the first
			got, err := Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%.20s: %s", text, diff)
			}
		}
	}
	if _, err := Encode(strings.Repeat("A", 4000)); err == nil {
		t.Error("a text that is too long is drawn")
	}
}

func BenchmarkSymbol(b *testing.B) {
	text := strings.Repeat("A", 178)
	for b.Loop() {
		c, err := Encode(text)
		if err != nil {
			b.Fatal(err)
		}
		SVG(c, "QR")
	}
}

// TestVersions holds the promise of FORMAT.md, section 6: 7-M for a plain
// pass, 10-M with four doses.
func TestVersions(t *testing.T) {
	for n, want := range map[int]int{177: 7, 178: 7, 311: 10} {
		c, err := Encode(strings.Repeat("A", n))
		if err != nil {
			t.Fatal(err)
		}
		if v := Version(c); v != want {
			t.Errorf("%d characters: version %d, want %d", n, v, want)
		}
	}
}

func TestSVG(t *testing.T) {
	c, err := Encode("MJ1A")
	if err != nil {
		t.Fatal(err)
	}
	svg := SVG(c, `"출입" & <QR>`)
	var any struct {
		ViewBox string `xml:"viewBox,attr"`
		Label   string `xml:"aria-label,attr"`
	}
	if err := xml.Unmarshal([]byte(svg), &any); err != nil {
		t.Fatal(err)
	}
	if any.ViewBox != "0 0 29 29" || any.Label != `"출입" & <QR>` {
		t.Errorf("%+v", any)
	}
}
