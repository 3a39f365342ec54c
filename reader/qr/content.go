package qr

import "errors"

var errContent = errors.New("qr content is malformed")

// content collects the segments' bytes out of a symbol's corrected data
// codewords (ISO/IEC 18004, 7.4). plain is false when a character set is
// declared (ECI), or kanji, hanzi or FNC1 gives the bytes a meaning of its own.
// The bytes are appended to out.
func content(out, codewords []byte, version int) (_ []byte, plain bool, err error) {
	b := bitReader{data: codewords}
	plain = true
	for b.left() >= 4 {
		switch mode := b.take(4); mode {
		case 0: // terminator
			return out, plain, b.err
		case 1:
			out = b.numeric(out, b.take(countBits(version, 10, 12, 14)))
		case 2:
			out = b.alphanumeric(out, b.take(countBits(version, 9, 11, 13)))
		case 4:
			for n := b.take(countBits(version, 8, 16, 16)); n > 0 && b.err == nil; n-- {
				out = append(out, byte(b.take(8)))
			}
		case 8:
			plain = false
			for n := b.take(countBits(version, 8, 10, 12)); n > 0 && b.err == nil; n-- {
				// 13 bits are a Shift JIS pair in 0x8140…0x9FFC or 0xE040…0xEBBF, packed by 0xC0 to a row.
				v := b.take(13)
				pair := v/0xC0<<8 | v%0xC0
				if pair < 0x1F00 {
					pair += 0x8140
				} else {
					pair += 0xC140
				}
				out = append(out, byte(pair>>8), byte(pair))
			}
		case 3: // structured append: position and parity
			b.take(16)
		case 5: // FNC1, first position
			plain = false
		case 9: // FNC1, second position: an application indicator follows, which gozxing does not read either
			plain = false
		case 7: // ECI: 1 to 3 bytes, as their first bits say
			plain = false
			switch first := b.take(8); {
			case first>>7 == 0:
			case first>>6 == 2:
				b.take(8)
			default:
				b.take(16)
			}
		default: // 13 is hanzi (GB/T 18284), which ISO/IEC 18004 does not have
			return nil, false, errContent
		}
		if b.err != nil {
			return nil, false, b.err
		}
	}
	return out, plain, b.err
}

// countBits is the length of the character count: versions 1–9, 10–26, 27–40 (Table 3).
func countBits(version, a, b, c int) int {
	switch {
	case version < 10:
		return a
	case version < 27:
		return b
	}
	return c
}

// bitReader reads big-endian bit groups; after the end it reads zeros and keeps err.
type bitReader struct {
	data []byte
	at   int // bits
	err  error
}

func (b *bitReader) left() int { return 8*len(b.data) - b.at }

func (b *bitReader) take(n int) int {
	if n > b.left() {
		b.err = errContent
		return 0
	}
	v := 0
	for ; n > 0; n-- {
		v = v<<1 | int(b.data[b.at>>3]>>(7-b.at&7)&1)
		b.at++
	}
	return v
}

func (b *bitReader) numeric(out []byte, n int) []byte {
	for n > 0 && b.err == nil {
		digits := min(n, 3)
		v := b.take(1 + 3*digits) // 3 digits in 10 bits, 2 in 7, 1 in 4
		for div := [...]int{1, 1, 10, 100}[digits]; div > 0; div /= 10 {
			out = append(out, '0'+byte(v/div%10))
		}
		n -= digits
	}
	return out
}

const alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

func (b *bitReader) alphanumeric(out []byte, n int) []byte {
	for ; n > 1 && b.err == nil; n -= 2 {
		v := b.take(11)
		if v >= 45*45 {
			b.err = errContent
			return out
		}
		out = append(out, alphanumerics[v/45], alphanumerics[v%45])
	}
	if n == 1 {
		v := b.take(6)
		if v >= 45 {
			b.err = errContent
			return out
		}
		out = append(out, alphanumerics[v])
	}
	return out
}
