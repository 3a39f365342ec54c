// Package symbol draws the text of a pass as a QR symbol: one place for the
// error-correction level, so that every phone shows the same size.
package symbol

import (
	"fmt"
	"strconv"
	"strings"

	"rsc.io/qr"
)

// Level is the error-correction level of every pass; FORMAT.md, section 6,
// gives the measurements it was chosen by.
const Level = qr.M

// Quiet is the width of the quiet zone in modules (ISO/IEC 18004, 9.1).
const Quiet = 4

// Encode returns the symbol of a pass's text, in alphanumeric mode.
func Encode(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, Level)
	if err != nil {
		return nil, fmt.Errorf("draw the pass as a qr symbol: %w", err)
	}
	return code, nil
}

// Version is the symbol's QR version, from its side in modules.
func Version(c *qr.Code) int { return (c.Size - 17) / 4 }

// SVG returns the symbol as an SVG picture one unit a module, quiet zone
// included, black on white, that scales to its container. label is read aloud
// by screen readers.
func SVG(c *qr.Code, label string) string {
	var b strings.Builder
	b.Grow(16 << 10)
	side := c.Size + 2*Quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img" aria-label="%s"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`,
		side, side, escape.Replace(label), side, side)
	for y := range c.Size {
		for x := 0; x < c.Size; {
			if !c.Black(x, y) {
				x++
				continue
			}
			start := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			// Written by hand: an issuer draws thousands of these a second.
			n := strconv.Itoa(x - start)
			for _, part := range [...]string{"M", strconv.Itoa(start + Quiet), " ", strconv.Itoa(y + Quiet), "h", n, "v1h-", n, "z"} {
				b.WriteString(part)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
