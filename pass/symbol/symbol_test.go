package symbol

import (
	"encoding/xml"
	"regexp"
	"strconv"
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
	// Every module of the drawing is the symbol's.
	black := map[[2]int]bool{}
	for _, row := range regexp.MustCompile(`M4 ([0-9]+)\.5([^M"]*)`).FindAllStringSubmatch(svg, -1) {
		x, y := 0, number(t, row[1])-Quiet
		for _, move := range regexp.MustCompile(`(m|h)([0-9]+)`).FindAllStringSubmatch(row[2], -1) {
			for range number(t, move[2]) {
				black[[2]int{x, y}] = move[1] == "h"
				x++
			}
		}
	}
	for y := range c.Size {
		for x := range c.Size {
			if black[[2]int{x, y}] != c.Black(x, y) {
				t.Fatalf("the module at %d, %d is drawn wrongly", x, y)
			}
		}
	}
	if any.ViewBox != "0 0 29 29" || any.Label != `"출입" & <QR>` {
		t.Errorf("%+v", any)
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
