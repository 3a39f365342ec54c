package qr

import (
	"errors"
	"image"
	"testing"
)

func TestContentBits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bits  string
		want  string
		plain bool
		bad   bool
	}{
		{name: "empty", plain: true},
		{name: "terminator only", bits: "0000", plain: true},
		{name: "byte A", bits: "0100 00000001 01000001 0000", want: "A", plain: true},
		{name: "no terminator", bits: "0001 0000000001 0111", want: "7", plain: true},
		{name: "kanji 点 (ISO/IEC 18004, 7.4.6)", bits: "1000 00000001 0110110011111 0000", want: "\x93\x5f"},
		{name: "ECI 26, byte A", bits: "0111 00011010 0100 00000001 01000001 0000", want: "A"},
		{name: "ECI of two bytes", bits: "0111 10000001 00011010 0000"},
		{name: "structured append", bits: "0011 0001 0010 10101010 0001 0000000010 0000111 0000", want: "07", plain: true},
		{name: "count beyond the end", bits: "0100 11111111 01000001 0000", bad: true},
		{name: "alphanumeric pair above 44,44", bits: "0010 000000010 11111111111 0000", bad: true},
		{name: "unknown mode", bits: "1111 00000000", bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var data []byte
			n := 0
			for _, c := range tt.bits {
				if c == ' ' {
					continue
				}
				if n%8 == 0 {
					data = append(data, 0)
				}
				data[n/8] |= byte(c-'0') << (7 - n%8)
				n++
			}
			got, plain, err := content(nil, data, 1)
			if (err != nil) != tt.bad || string(got) != tt.want || (!tt.bad && plain != tt.plain) {
				t.Errorf("%q, plain %v, error %v; want %q, plain %v", got, plain, err, tt.want, tt.plain)
			}
		})
	}
}

func FuzzContent(f *testing.F) {
	f.Add([]byte{0x40, 0x14, 0x10}, 1)
	f.Add([]byte{0x70, 0x1a, 0x80, 0x10}, 27)
	f.Fuzz(func(t *testing.T, data []byte, version int) {
		out, _, _ := content(nil, data, version)
		if len(out) > 3*len(data) {
			t.Errorf("%d bytes out of %d", len(out), len(data))
		}
	})
}

func TestGuardTurnsPanicIntoError(t *testing.T) {
	f := func() (err error) {
		defer guard(&err)
		var none []int
		_ = none[image.Pt(3, 4).X]
		return errors.New("not reached")
	}
	err := f()
	if err == nil || err.Error() == "not reached" {
		t.Errorf("error %v", err)
	}
}
