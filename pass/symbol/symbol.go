// Package symbol draws the text of a pass as a QR symbol: one place for the
// error-correction level, so that every phone shows the same size.
package symbol

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"rsc.io/qr"
	"rsc.io/qr/coding"
)

// Level is the error-correction level of every pass; FORMAT.md, section 6,
// gives the measurements it was chosen by.
const Level = qr.M

// Quiet is the width of the quiet zone in modules (ISO/IEC 18004, 9.1).
const Quiet = 4

// Encode returns the symbol of a pass's text, in alphanumeric mode; of another
// text, such as a link, in byte mode. The mask is 0, as qr.Encode has it.
func Encode(text string) (*qr.Code, error) {
	var data coding.Encoding = coding.Alpha(text)
	if data.Check() != nil {
		data = coding.String(text)
	}
	level := coding.Level(Level)
	for v := coding.Version(coding.MinVersion); v <= coding.MaxVersion; v++ {
		if data.Bits(v) > v.DataBytes(level)*8 {
			continue
		}
		plan, err := plans[v]()
		if err != nil {
			return nil, fmt.Errorf("plan a qr symbol: %w", err)
		}
		code, err := plan.Encode(data)
		if err != nil {
			return nil, fmt.Errorf("draw the pass as a qr symbol: %w", err)
		}
		return &qr.Code{Bitmap: code.Bitmap, Size: code.Size, Stride: code.Stride, Scale: 8}, nil
	}
	return nil, errors.New("draw the pass as a qr symbol: the text is too long for one")
}

// plans lays out each version once: where its bits go depends on nothing else,
// and to find out takes longer than to draw a symbol.
var plans = func() (all [coding.MaxVersion + 1]func() (*coding.Plan, error)) {
	for v := range all {
		all[v] = sync.OnceValues(func() (*coding.Plan, error) { return coding.NewPlan(coding.Version(v), coding.Level(Level), 0) })
	}
	return all
}()

// Version is the symbol's QR version, from its side in modules.
func Version(c *qr.Code) int { return (c.Size - 17) / 4 }

// SVG returns the symbol as an SVG picture one unit a module, quiet zone
// included, black on white, that scales to its container. label is read aloud
// by screen readers.
func SVG(c *qr.Code, label string) string {
	side := c.Size + 2*Quiet
	b := make([]byte, 0, 6<<10)
	b = fmt.Appendf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img" aria-label="%s"><path fill="#fff" d="M0 0h%dv%dH0z"/><path stroke="#000" d="`,
		side, side, escape.Replace(label), side, side)
	// A row is a line one module thick with gaps in it: half the bytes of
	// rectangles, and the same pixels. An issuer writes thousands a second.
	for y := range c.Size {
		b = fmt.Appendf(b, "M%d %d.5", Quiet, y+Quiet)
		end := 0 // of the run before
		for x := 0; x < c.Size; {
			if !c.Black(x, y) {
				x++
				continue
			}
			if x > end {
				b = append(strconv.AppendInt(append(b, 'm'), int64(x-end), 10), " 0"...)
			}
			start := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			b = strconv.AppendInt(append(b, 'h'), int64(x-start), 10)
			end = x
		}
	}
	return string(append(b, `"/></svg>`...))
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
