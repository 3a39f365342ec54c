// Package cose is the small, strict part of COSE (RFC 9052) that Munjigi
// signs everything with: an untagged COSE_Sign1 with Ed25519 (EdDSA, RFC 9053
// section 2.2), an empty unprotected header and deterministic CBOR.
//
// Decode yields a message that says nothing yet; Verify checks the signature
// over the protected header and payload bytes as they were received, never
// over a re-encoding. veraison/go-cose and an npm stack are the independent
// witnesses in the tests of package pass.
package cose

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
)

// AlgEdDSA is the one algorithm in use (IANA COSE Algorithms, RFC 9053 table 2).
const AlgEdDSA = -8

// KidSize is the length of every key id, in bytes.
const KidSize = 4

// Kid is a key id. It is a hint, not an identity: two keys may share one, and
// every key that bears it is tried.
type Kid [KidSize]byte

// KidOf derives the key id of a public key: the first four bytes of its SHA-256.
func KidOf(key ed25519.PublicKey) Kid {
	sum := sha256.Sum256(key)
	return Kid(sum[:KidSize])
}

// ErrHeader is returned for a header that is not the one this format prescribes.
var ErrHeader = errors.New("cose header is not the expected one")

// Header is the protected header of a message.
type Header struct {
	Alg int    `cbor:"1,keyasint,omitempty"`
	Kid []byte `cbor:"4,keyasint,omitempty"`
	// Type tells kinds of messages apart that one party signs (RFC 9596).
	Type string `cbor:"16,keyasint,omitempty"`
}

// Message is a decoded COSE_Sign1 whose signature nobody has checked yet.
type Message struct {
	Raw       []byte // the whole message as received
	Protected []byte // content of the protected header's byte string as received
	Header    Header // the same, decoded; zero where Protected is empty
	Payload   []byte
	Signature []byte // 64 bytes
}

type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Payload     []byte
	Signature   []byte
}

type sigStructure struct {
	_           struct{} `cbor:",toarray"`
	Context     string
	Protected   []byte
	ExternalAAD []byte
	Payload     []byte
}

// toBeSigned builds the Sig_structure of RFC 9052, section 4.4.
func toBeSigned(protected, externalAAD, payload []byte) ([]byte, error) {
	if externalAAD == nil {
		externalAAD = []byte{}
	}
	return Marshal(sigStructure{Context: "Signature1", Protected: protected, ExternalAAD: externalAAD, Payload: payload})
}

// Sign returns the COSE_Sign1 of payload. A zero Header is written as the empty
// byte string (RFC 9052, section 3), which is allowed only together with
// externalAAD that authenticates the algorithm (section 3.1, "alg").
func Sign(key ed25519.PrivateKey, h Header, externalAAD, payload []byte) ([]byte, error) {
	protected := []byte{}
	if h.Alg != 0 {
		var err error
		if protected, err = Marshal(h); err != nil {
			return nil, fmt.Errorf("encode the protected header: %w", err)
		}
	} else if len(externalAAD) == 0 {
		return nil, fmt.Errorf("%w: no alg, neither in the header nor in external data", ErrHeader)
	}
	tbs, err := toBeSigned(protected, externalAAD, payload)
	if err != nil {
		return nil, fmt.Errorf("encode what is signed: %w", err)
	}
	return Marshal(sign1{Protected: protected, Payload: payload, Signature: ed25519.Sign(key, tbs)})
}

// Decode reads the first COSE_Sign1 of a CBOR sequence and returns the bytes
// behind it. Errors: ErrTruncated, ErrNonCanonical, ErrMalformed, ErrHeader.
// The message shares memory with data.
func Decode(data []byte) (m *Message, rest []byte, err error) {
	var s sign1
	if rest, err = UnmarshalFirst(data, &s); err != nil {
		return nil, nil, err
	}
	m = &Message{Raw: data[:len(data)-len(rest)], Protected: s.Protected, Payload: s.Payload, Signature: s.Signature}
	if len(s.Signature) != ed25519.SignatureSize {
		return nil, nil, fmt.Errorf("%w: the signature has %d bytes, want %d", ErrMalformed, len(s.Signature), ed25519.SignatureSize)
	}
	if len(s.Protected) == 0 {
		return m, rest, nil
	}
	if err := Unmarshal(s.Protected, &m.Header); err != nil {
		return nil, nil, fmt.Errorf("protected header: %w", err)
	}
	if m.Header.Alg != AlgEdDSA {
		return nil, nil, fmt.Errorf("%w: alg is %d, want %d (EdDSA)", ErrHeader, m.Header.Alg, AlgEdDSA)
	}
	return m, rest, nil
}

// Verify says whether key signed the message together with externalAAD.
func (m *Message) Verify(key ed25519.PublicKey, externalAAD []byte) bool {
	if len(key) != ed25519.PublicKeySize || (len(m.Protected) == 0 && len(externalAAD) == 0) {
		return false
	}
	tbs, err := toBeSigned(m.Protected, externalAAD, m.Payload)
	return err == nil && ed25519.Verify(key, tbs, m.Signature)
}

// SignTyped signs v, encoded deterministically, as a message of the given type
// with the key's own id: the form of bundles and receipts.
func SignTyped(key ed25519.PrivateKey, typ string, v any) ([]byte, error) {
	payload, err := Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a %s: %w", typ, err)
	}
	kid := KidOf(key.Public().(ed25519.PublicKey))
	return Sign(key, Header{Alg: AlgEdDSA, Kid: kid[:], Type: typ}, nil, payload)
}

// ErrSignature is returned where no key given signed the message.
var ErrSignature = errors.New("the signature is not by a trusted key")

// OpenTyped decodes data as one message of the given type, checks that one of
// keys signed it and only then decodes its payload into v. Errors: those of
// Decode, and ErrSignature.
func OpenTyped(data []byte, typ string, keys []ed25519.PublicKey, v any) error {
	m, rest, err := Decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", typ, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s: %w: %d bytes behind it", typ, ErrNonCanonical, len(rest))
	}
	if m.Header.Type != typ {
		return fmt.Errorf("%w: type is %q, want %q", ErrHeader, m.Header.Type, typ)
	}
	for _, k := range keys {
		if m.Verify(k, nil) {
			if err := Unmarshal(m.Payload, v); err != nil {
				return fmt.Errorf("%s: %w", typ, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%s: %w", typ, ErrSignature)
}
