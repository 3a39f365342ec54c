package wire

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/munjigi/munjigi/pass/base45"
)

func base45Of(raw []byte) string { return string(base45.Append(nil, raw)) }

// FuzzParseCode holds that a code has one spelling, and that nobody but the
// registry's key makes one that verifies.
func FuzzParseCode(f *testing.F) {
	good, err := SignCode(testKey("receipt"), code())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(CodeMagic)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseCode(text)
		if err != nil {
			return
		}
		if string(base45.Append([]byte(CodeMagic), u.message.Raw)) != text {
			t.Fatal("a code has two spellings")
		}
		if _, err := u.Verify([]ed25519.PublicKey{public("receipt")}); err == nil && text != good {
			t.Fatal("a code nobody signed verifies")
		}
	})
}

func FuzzDecodeEnrol(f *testing.F) {
	e, err := NewEnrol(code(), csr(f, "kiosk"), "v1", 7)
	if err != nil {
		f.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := DecodeEnrol(body)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, body) {
			t.Fatalf("an enrolment has two spellings: %v", err)
		}
		ParseRequest(e.CSR)
		e.Knows(code().Secret)
	})
}

func FuzzDecodeHeartbeat(f *testing.F) {
	body, err := heartbeat().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := DecodeHeartbeat(body)
		if err != nil {
			return
		}
		if again, err := h.Encode(); err != nil || !bytes.Equal(again, body) {
			t.Fatalf("a heartbeat has two spellings: %v", err)
		}
	})
}

// FuzzAnswers holds that no answer but the signed one opens.
func FuzzAnswers(f *testing.F) {
	keys := []ed25519.PublicKey{public("receipt")}
	nonce := [NonceSize]byte{1}
	now, err := SignTime(testKey("receipt"), nonce, t0)
	if err != nil {
		f.Fatal(err)
	}
	cert, ca := certify(f, "ca", "kiosk")
	enrolment, err := SignEnrolment(testKey("receipt"), []byte("request"), Enrolment{Kiosk: "k", Facility: "f", Certificate: cert, CA: ca, Name: "n"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(now)
	f.Add(enrolment)
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := OpenTime(answer, keys, nonce); err == nil && !bytes.Equal(answer, now) {
			t.Fatal("a time nobody signed was taken")
		}
		if _, err := OpenEnrolment(answer, keys, []byte("request"), public("kiosk")); err == nil && !bytes.Equal(answer, enrolment) {
			t.Fatal("an enrolment nobody signed was taken")
		}
		ParseProblem(answer)
	})
}
