package guide

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestSheets reads what was printed back: one A4 page whose cross-references
// point at its objects and whose content unpacks.
func TestSheets(t *testing.T) {
	for name, print := range map[string]func(string) ([]byte, error){"poster": Poster, "leaflet": Leaflet} {
		pdf, err := print("https://qr.example.kr/")
		if err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("GUIDE_OUT"); dir != "" { // to look at them
			if err := os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for n, m := range regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllSubmatch(pdf, -1) {
			at, _ := strconv.Atoi(string(m[1]))
			if want := strconv.Itoa(n+1) + " 0 obj"; !bytes.HasPrefix(pdf[at:], []byte(want)) {
				t.Errorf("%s: object %d is not where the table says", name, n+1)
			}
		}
		m := regexp.MustCompile(`startxref\n(\d+)\n`).FindSubmatch(pdf)
		if at, _ := strconv.Atoi(string(m[1])); !bytes.HasPrefix(pdf[at:], []byte("xref")) {
			t.Errorf("%s: the table is not where the end says", name)
		}
		start := bytes.Index(pdf, []byte("stream\n")) + len("stream\n")
		z, err := zlib.NewReader(bytes.NewReader(pdf[start:]))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil || len(content) < 100_000 {
			t.Errorf("%s: %d bytes of content: %v", name, len(content), err)
		}
		if other, _ := print("https://elsewhere.example.kr/"); bytes.Equal(other, pdf) {
			t.Errorf("%s: another link has the same code", name)
		}
		if len(pdf) > 300<<10 {
			t.Errorf("%s: %d bytes", name, len(pdf))
		}
	}
}
