// Package guide prints the poster and the leaflet of the guide page as PDF
// (ISO 32000-1): one A4 sheet each, the words as outlines (see make), with a QR
// code that leads to this issuer's own pages.
package guide

import (
	"bytes"
	"compress/zlib"
	_ "embed"
	"fmt"

	"github.com/munjigi/munjigi/pass/symbol"
)

var (
	//go:embed poster.txt
	poster []byte
	//go:embed leaflet.txt
	leaflet []byte
)

// An A4 sheet in points.
const (
	width  = 595
	height = 842
)

// Poster is for the door: link is what its QR code says.
func Poster(link string) ([]byte, error) { return sheet(poster, link, 157.5, 264, 280) }

// Leaflet is for the hand.
func Leaflet(link string) ([]byte, error) { return sheet(leaflet, link, 70, 590, 200) }

// sheet adds the QR code at x, y, side points wide with its quiet zone.
func sheet(words []byte, link string, x, y, side float64) ([]byte, error) {
	code, err := symbol.Encode(link)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	fmt.Fprintf(&content, "1 0 0 -1 0 %d cm\n", height) // from the upper left corner
	content.Write(words)
	unit := side / float64(code.Size+2*symbol.Quiet)
	fmt.Fprintf(&content, "1 g %.3f %.3f %.3f %.3f re f\n0 g\n", x, y, side, side)
	for row := range code.Size {
		for col := 0; col < code.Size; {
			start := col
			for col < code.Size && code.Black(col, row) {
				col++
			}
			if col > start {
				fmt.Fprintf(&content, "%.3f %.3f %.3f %.3f re\n", x+float64(start+symbol.Quiet)*unit, y+float64(row+symbol.Quiet)*unit, float64(col-start)*unit, unit)
			} else {
				col++
			}
		}
	}
	content.WriteString("f\n")
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(content.Bytes()); err != nil {
		return nil, fmt.Errorf("print a sheet: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("print a sheet: %w", err)
	}
	return file(packed.Bytes()), nil
}

// file is a PDF of one page with one compressed content stream (7.5).
func file(content []byte) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	var at []int
	object := func(format string, args ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(at))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	object("<< /Type /Catalog /Pages 2 0 R /Lang (ko) >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << >> /Contents 4 0 R >>", width, height)
	object("<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream", len(content), content)
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}
