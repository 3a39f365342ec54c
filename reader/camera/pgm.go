package camera

import (
	"errors"
	"fmt"
	"image"
)

// decodePGM reads one portable graymap of 8 bits a sample, raw (P5) or plain
// (P2), as the netpbm project's pgm(5) has it. It is strict: one picture, no
// bytes missing and none left over (white space after the plain kind apart).
func decodePGM(data []byte, dst *image.Gray) error {
	if len(data) < 2 || data[0] != 'P' || (data[1] != '5' && data[1] != '2') {
		return errors.New("not a PGM file (P5 or P2)")
	}
	p := pgmReader{data: data, at: 2}
	w, h, top := p.number(), p.number(), p.number()
	switch {
	case p.err != nil:
		return p.err
	case top < 1 || top > 255:
		return fmt.Errorf("PGM maximum is %d, use 1 to 255", top)
	}
	if err := checkSize(w, h); err != nil {
		return err
	}
	n := w * h
	if data[1] == '5' {
		if p.at == len(data) || !isSpace(data[p.at]) {
			return errors.New("PGM header does not end in white space")
		}
		p.at++
		if got := len(data) - p.at; got != n {
			return fmt.Errorf("PGM has %d bytes of picture, want %d", got, n)
		}
		resize(dst, w, h)
		copy(dst.Pix, data[p.at:])
	} else {
		if len(data)-p.at < 2*n { // each sample takes a space and a digit
			return errors.New("PGM is cut off")
		}
		resize(dst, w, h)
		for i := range dst.Pix {
			v := p.number()
			if v > top {
				return fmt.Errorf("PGM sample %d is above the maximum", v)
			}
			dst.Pix[i] = uint8(v)
		}
		p.space()
		if p.err == nil && p.at != len(data) {
			return errors.New("PGM has bytes left over")
		}
		if p.err != nil {
			return p.err
		}
	}
	if top != 255 {
		for i, v := range dst.Pix {
			if int(v) > top {
				return fmt.Errorf("PGM sample %d is above the maximum %d", v, top)
			}
			dst.Pix[i] = uint8((int(v)*255 + top/2) / top)
		}
	}
	return nil
}

type pgmReader struct {
	data []byte
	at   int
	err  error
}

func isSpace(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }

// space skips white space and comments, and reports whether there was any.
func (p *pgmReader) space() bool {
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case isSpace(c):
			p.at++
		case c == '#':
			for p.at < len(p.data) && p.data[p.at] != '\n' && p.data[p.at] != '\r' {
				p.at++
			}
		default:
			return p.at > start
		}
	}
	return p.at > start
}

// number reads white space and a decimal number of at most 5 digits.
func (p *pgmReader) number() int {
	if p.err != nil {
		return 0
	}
	spaced, start, v := p.space(), p.at, 0
	for p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9' && p.at-start < 6 {
		v = v*10 + int(p.data[p.at]-'0')
		p.at++
	}
	if digits := p.at - start; !spaced || digits < 1 || digits > 5 {
		p.err = fmt.Errorf("PGM has no number at byte %d", start)
	}
	return v
}
