package cose

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/veraison/go-cose"
)

func testKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi cose test"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// TestAgainstGoCose lets an independent library verify what we sign and sign
// what we verify.
func TestAgainstGoCose(t *testing.T) {
	priv := testKey()
	pub := priv.Public().(ed25519.PublicKey)
	kid := KidOf(pub)
	aad := []byte("external")
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]Header{"full": {Alg: AlgEdDSA, Kid: kid[:]}, "typed": {Alg: AlgEdDSA, Kid: kid[:], Type: "text/x"}, "empty": {}} {
		ours, err := Sign(priv, h, aad, []byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		var theirs cose.UntaggedSign1Message
		if err := theirs.UnmarshalCBOR(ours); err != nil {
			t.Fatalf("%s: go-cose does not read it: %v", name, err)
		}
		if err := theirs.Verify(aad, verifier); err != nil {
			t.Errorf("%s: go-cose does not verify it: %v", name, err)
		}
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, priv)
	if err != nil {
		t.Fatal(err)
	}
	theirs := cose.UntaggedSign1Message{Headers: cose.Headers{Protected: cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA, cose.HeaderLabelKeyID: kid[:]}}, Payload: []byte("payload")}
	if err := theirs.Sign(nil, aad, signer); err != nil {
		t.Fatal(err)
	}
	raw, err := theirs.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	m, rest, err := Decode(raw)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	if !m.Verify(pub, aad) || m.Verify(pub, nil) || m.Verify(pub[:31], aad) {
		t.Error("what go-cose signed is not verified as it should be")
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := Sign(testKey(), Header{Alg: AlgEdDSA, Kid: []byte{1, 2, 3, 4}}, nil, []byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":             {nil, ErrTruncated},
		"half":                {good[:len(good)/2], ErrTruncated},
		"a number":            {[]byte{0x01}, ErrMalformed},
		"three items":         {append([]byte{0x83}, good[1:]...), ErrMalformed},
		"unprotected header":  {bytes.Replace(good, []byte{0xa0}, []byte{0xa1, 0x01, 0x26}, 1), ErrMalformed},
		"unprotected array":   {bytes.Replace(good, []byte{0xa0}, []byte{0x80}, 1), ErrMalformed},
		"indefinite array":    {append(append([]byte{0x9f}, good[1:]...), 0xff), ErrNonCanonical},
		"tagged":              {append([]byte{0xd2}, good...), ErrMalformed},
		"long array head":     {append([]byte{0x98, 0x04}, good[1:]...), ErrNonCanonical},
		"alg of another kind": {bytes.Replace(good, []byte{0x01, 0x27}, []byte{0x01, 0x26}, 1), ErrHeader},
		"alg twice":           {bytes.Replace(good, []byte{0x49, 0xa2, 0x01, 0x27, 0x04, 0x44, 1, 2, 3, 4}, []byte{0x45, 0xa2, 0x01, 0x27, 0x01, 0x27}, 1), ErrNonCanonical},
	} {
		if _, _, err := Decode(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Sign(testKey(), Header{}, nil, nil); !errors.Is(err, ErrHeader) {
		t.Errorf("signed without any alg: %v", err)
	}
}

func TestTyped(t *testing.T) {
	priv := testKey()
	pub := priv.Public().(ed25519.PublicKey)
	type thing struct {
		N int `cbor:"1,keyasint"`
	}
	raw, err := SignTyped(priv, "thing", thing{5})
	if err != nil {
		t.Fatal(err)
	}
	var got thing
	if err := OpenTyped(raw, "thing", []ed25519.PublicKey{make([]byte, 32), pub}, &got); err != nil || got.N != 5 {
		t.Errorf("%v %v", got, err)
	}
	if err := OpenTyped(raw, "other", []ed25519.PublicKey{pub}, &got); !errors.Is(err, ErrHeader) {
		t.Errorf("another type: %v", err)
	}
	if err := OpenTyped(raw, "thing", nil, &got); !errors.Is(err, ErrSignature) {
		t.Errorf("no key: %v", err)
	}
	if err := OpenTyped(append(raw, 0), "thing", []ed25519.PublicKey{pub}, &got); !errors.Is(err, ErrNonCanonical) {
		t.Errorf("a byte behind: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := Sign(testKey(), Header{Alg: AlgEdDSA, Kid: []byte{1, 2, 3, 4}}, nil, []byte("p"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x84, 0x40, 0xa0, 0x40, 0x40})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, rest, err := Decode(data)
		if err == nil && len(m.Raw)+len(rest) != len(data) {
			t.Fatal("bytes were lost")
		}
	})
}
