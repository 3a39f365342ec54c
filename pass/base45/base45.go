// Package base45 is the strict form of RFC 9285: exactly one text for every
// byte string, so that a pass cannot be written in two ways.
//
// Peers accept trailing garbage, overflowing triplets or lower case; each of
// those has let a damaged or doctored code through somewhere.
package base45

import "errors"

// Alphabet is the 45-character set of RFC 9285, table 1, which is also the
// alphanumeric mode of ISO/IEC 18004 (7.4.4), in the same order.
const Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

var (
	// ErrLength is returned for a text whose length is 1 modulo 3: no byte
	// string encodes to it, so characters are missing.
	ErrLength = errors.New("base45 text has an impossible length")
	// ErrCharacter is returned for a character outside Alphabet.
	ErrCharacter = errors.New("base45 text has a character outside the alphabet")
	// ErrOverflow is returned for a group that stands for more than its bytes
	// can hold (above 65535 for three characters, above 255 for two).
	ErrOverflow = errors.New("base45 text has a group that overflows")
)

// values maps a byte to its value in Alphabet, or 0xFF.
var values = func() (v [256]byte) {
	for i := range v {
		v[i] = 0xFF
	}
	for i := range len(Alphabet) {
		v[Alphabet[i]] = byte(i)
	}
	return v
}()

// EncodedLen is the number of characters for n bytes (RFC 9285, section 4).
func EncodedLen(n int) int { return n/2*3 + n%2*2 }

// Append appends the base45 text of src to dst.
func Append(dst, src []byte) []byte {
	for len(src) >= 2 {
		n := int(src[0])<<8 | int(src[1])
		dst = append(dst, Alphabet[n%45], Alphabet[n/45%45], Alphabet[n/2025])
		src = src[2:]
	}
	if len(src) == 1 {
		n := int(src[0])
		dst = append(dst, Alphabet[n%45], Alphabet[n/45])
	}
	return dst
}

// AppendDecoded appends the bytes that text stands for to dst. On an error
// (ErrLength, ErrCharacter, ErrOverflow) dst is returned unchanged.
func AppendDecoded(dst []byte, text string) ([]byte, error) {
	if len(text)%3 == 1 {
		return dst, ErrLength
	}
	start := len(dst)
	for len(text) >= 3 {
		a, b, c := values[text[0]], values[text[1]], values[text[2]]
		if a|b|c == 0xFF {
			return dst[:start], ErrCharacter
		}
		n := int(a) + 45*int(b) + 2025*int(c)
		if n > 0xFFFF {
			return dst[:start], ErrOverflow
		}
		dst = append(dst, byte(n>>8), byte(n))
		text = text[3:]
	}
	if len(text) == 2 {
		a, b := values[text[0]], values[text[1]]
		if a|b == 0xFF {
			return dst[:start], ErrCharacter
		}
		n := int(a) + 45*int(b)
		if n > 0xFF {
			return dst[:start], ErrOverflow
		}
		dst = append(dst, byte(n))
	}
	return dst, nil
}
