package qr

import (
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// text is the content as text: the bytes themselves where they are UTF-8 with
// no other character set declared, which is nearly always; else gozxing's
// reading of the segments, with its tables of character sets and its guess.
// bytes of an earlier symbol that are the same are not copied again.
func (d *Decoder) text(raw, content []byte, plain bool, version int) (bytes []byte, text string) {
	if s := &d.last; string(s.Bytes) == string(content) && s.Version == version && d.lastPlain == plain && s.Bytes != nil {
		return s.Bytes, s.Text
	}
	bytes = append(make([]byte, 0, len(content)), content...)
	if plain && utf8.Valid(bytes) {
		text = string(bytes)
	} else if t, err := other(raw, version); err == nil {
		text = t
	} else {
		text = string(bytes)
	}
	d.last, d.lastPlain = Symbol{Bytes: bytes, Text: text, Version: version}, plain
	return bytes, text
}

func other(raw []byte, version int) (text string, err error) {
	defer guard(&err)
	v, err := decoder.Version_GetVersionForNumber(version)
	if err != nil {
		return "", err
	}
	r, err := decoder.DecodedBitStreamParser_Decode(raw, v, decoder.ErrorCorrectionLevel_M, nil)
	if err != nil {
		return "", err
	}
	return r.GetText(), nil
}
