package base45

import (
	"bytes"
	"errors"
	"testing"
)

func TestRFC9285Examples(t *testing.T) {
	for _, c := range []struct{ plain, text string }{
		{"", ""},
		{"AB", "BB8"},
		{"Hello!!", "%69 VD92EX0"},
		{"base-45", "UJCLQE7W581"},
		{"ietf!", "QED8WEX0"},
		{"\xff\xff", "FGW"},
		{"\xff", "U5"},
	} {
		if got := string(Append(nil, []byte(c.plain))); got != c.text {
			t.Errorf("Append(%q) = %q, want %q", c.plain, got, c.text)
		}
		got, err := AppendDecoded(nil, c.text)
		if err != nil || string(got) != c.plain {
			t.Errorf("AppendDecoded(%q) = %q, %v, want %q", c.text, got, err, c.plain)
		}
		if n := EncodedLen(len(c.plain)); n != len(c.text) {
			t.Errorf("EncodedLen(%d) = %d, want %d", len(c.plain), n, len(c.text))
		}
	}
}

func TestStrict(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"A", ErrLength},
		{"BB8A", ErrLength},
		{"BB8 \n", ErrCharacter},
		{"bb8", ErrCharacter},
		{"BB\x00", ErrCharacter},
		{"인", ErrCharacter},
		{"GGW", ErrOverflow}, // RFC 9285, section 6: 65536
		{":::", ErrOverflow},
		{"V5", ErrOverflow}, // 256
		{"::", ErrOverflow},
	} {
		got, err := AppendDecoded([]byte("kept"), c.text)
		if !errors.Is(err, c.want) || string(got) != "kept" {
			t.Errorf("AppendDecoded(%q) = %q, %v, want %v", c.text, got, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "BB8", "%69 VD92EX0", "GGW", "::", "A", "U5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := AppendDecoded(nil, text)
		if err != nil {
			return
		}
		if again := Append(nil, b); !bytes.Equal(again, []byte(text)) {
			t.Fatalf("%q and %q stand for the same bytes", text, again)
		}
	})
}
