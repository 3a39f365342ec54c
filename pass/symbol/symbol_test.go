package symbol

import (
	"encoding/xml"
	"strings"
	"testing"
)

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
