package pass

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// BundleLife is how long a bundle may be used after it was issued.
	BundleLife = 90 * 24 * time.Hour
	// KeyLead is how long before its first signature a key stands in the
	// bundle, and how long after its last one it stays.
	KeyLead = 35 * 24 * time.Hour
	// MaxBundle is the largest size of a bundle, in bytes: about a thousand keys.
	MaxBundle = 128 << 10

	bundleType = "application/munjigi-bundle+cbor"
)

// Mode is what a kind of facility does with a pass.
type Mode uint8

const (
	ModeRecord     Mode = iota // verify, keep the visit
	ModeVerifyOnly             // verify, keep nothing but the used mark
	ModeOff                    // no check-in
)

func (m Mode) String() string {
	return [...]string{"record", "verify-only", "off"}[min(m, ModeOff)]
}

// Key is an issuer's public key with its time of use.
type Key struct {
	Kid       []byte `cbor:"1,keyasint"` // 4 bytes, cose.KidOf(Public)
	Alg       int    `cbor:"2,keyasint"` // cose.AlgEdDSA
	Public    []byte `cbor:"3,keyasint"` // 32 bytes
	NotBefore int64  `cbor:"4,keyasint"` // first iat it may sign, Unix seconds
	NotAfter  int64  `cbor:"5,keyasint"` // first iat it may not sign any more
	RevokedAt int64  `cbor:"6,keyasint,omitempty"`
}

// Issuer is a party that may make passes.
type Issuer struct {
	ID        string `cbor:"1,keyasint"` // 1 to 3 characters, see CheckIssuer
	Keys      []Key  `cbor:"2,keyasint"`
	RevokedAt int64  `cbor:"3,keyasint,omitempty"` // passes made since then are refused
}

// Policy is the mode of a kind of facility and when it took effect.
type Policy struct {
	Mode  Mode  `cbor:"1,keyasint"`
	Since int64 `cbor:"2,keyasint"` // Unix seconds; before it the mode is ModeRecord
}

// Contents is what a bundle says: the plain data a root key signs.
type Contents struct {
	Number   uint64            `cbor:"1,keyasint"` // only grows
	Issued   int64             `cbor:"2,keyasint"` // Unix seconds
	Expires  int64             `cbor:"3,keyasint"` // Unix seconds
	Issuers  []Issuer          `cbor:"4,keyasint"`
	Policies map[string]Policy `cbor:"5,keyasint"` // by kind of facility
	Receipts [][]byte          `cbor:"6,keyasint"` // the registry's receipt keys, 32 bytes each
}

// Bundle is a verified trust bundle.
type Bundle struct {
	contents Contents
	raw      []byte
}

// NewKey describes an issuer's key that signs from notBefore up to notAfter.
func NewKey(public ed25519.PublicKey, notBefore, notAfter time.Time) Key {
	kid := cose.KidOf(public)
	return Key{Kid: kid[:], Alg: cose.AlgEdDSA, Public: public, NotBefore: notBefore.Unix(), NotAfter: notAfter.Unix()}
}

// SignBundle signs c with the root key, after the checks OpenBundle makes.
func SignBundle(root ed25519.PrivateKey, c Contents) ([]byte, error) {
	if c.Issuers == nil {
		c.Issuers = []Issuer{}
	}
	if c.Policies == nil {
		c.Policies = map[string]Policy{}
	}
	if c.Receipts == nil {
		c.Receipts = [][]byte{}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return cose.SignTyped(root, bundleType, c)
}

// OpenBundle verifies a bundle with the pinned root key. It does not judge its
// age: Verify does, at the time of a scan. Errors say what is wrong with it.
func OpenBundle(raw []byte, root ed25519.PublicKey) (*Bundle, error) {
	if len(raw) > MaxBundle {
		return nil, fmt.Errorf("trust bundle has %d bytes, want at most %d", len(raw), MaxBundle)
	}
	b := &Bundle{raw: append([]byte(nil), raw...)}
	if err := cose.OpenTyped(b.raw, bundleType, []ed25519.PublicKey{root}, &b.contents); err != nil {
		return nil, fmt.Errorf("open the trust bundle: %w", err)
	}
	if err := b.contents.check(); err != nil {
		return nil, fmt.Errorf("open the trust bundle: %w", err)
	}
	return b, nil
}

func (c *Contents) check() error {
	switch {
	case c.Issuers == nil || c.Policies == nil || c.Receipts == nil:
		return errors.New("bundle holds null where a list or map must stand")
	case c.Number == 0:
		return errors.New("bundle number must be at least 1")
	case c.Expires <= c.Issued:
		return errors.New("bundle expires before it is issued")
	case c.Expires-c.Issued > int64(BundleLife/time.Second):
		return fmt.Errorf("bundle lives longer than %d days", BundleLife/(24*time.Hour))
	}
	seen := make(map[string]bool, len(c.Issuers))
	for _, i := range c.Issuers {
		if err := CheckIssuer(i.ID); err != nil {
			return err
		}
		if seen[i.ID] {
			return fmt.Errorf("issuer %q stands twice in the bundle", i.ID)
		}
		seen[i.ID] = true
		if i.Keys == nil {
			return fmt.Errorf("issuer %q has null for its keys", i.ID)
		}
		for _, k := range i.Keys {
			if err := k.check(); err != nil {
				return fmt.Errorf("issuer %q: %w", i.ID, err)
			}
		}
	}
	for kind, p := range c.Policies {
		if p.Mode > ModeOff {
			return fmt.Errorf("policy for %q has the unknown mode %d", kind, p.Mode)
		}
	}
	for _, k := range c.Receipts {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("a receipt key has %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
	}
	return nil
}

func (k *Key) check() error {
	if k.Alg != cose.AlgEdDSA {
		return fmt.Errorf("key with alg %d, want %d (EdDSA)", k.Alg, cose.AlgEdDSA)
	}
	if len(k.Public) != ed25519.PublicKeySize {
		return fmt.Errorf("key with %d bytes, want %d", len(k.Public), ed25519.PublicKeySize)
	}
	if kid := cose.KidOf(k.Public); string(kid[:]) != string(k.Kid) {
		return errors.New("key id is not the first four bytes of the key's SHA-256")
	}
	if k.NotAfter <= k.NotBefore {
		return errors.New("key ends before it begins")
	}
	return nil
}

// Raw is the signed bundle as it was received, to be kept on disk.
func (b *Bundle) Raw() []byte { return b.raw }

// Number grows with every bundle.
func (b *Bundle) Number() uint64 { return b.contents.Number }

// Issued is when the registry's operator signed the bundle.
func (b *Bundle) Issued() time.Time { return time.Unix(b.contents.Issued, 0).UTC() }

// Expires is when the bundle may no longer be used.
func (b *Bundle) Expires() time.Time { return time.Unix(b.contents.Expires, 0).UTC() }

// Mode is the policy for a kind of facility at the time at; a kind the bundle
// does not name records.
func (b *Bundle) Mode(kind string, at time.Time) Mode {
	p, ok := b.contents.Policies[kind]
	if !ok || at.Unix() < p.Since {
		return ModeRecord
	}
	return p.Mode
}

// Policies are what the bundle says of kinds of facility, by kind: a copy.
func (b *Bundle) Policies() map[string]Policy { return maps.Clone(b.contents.Policies) }

// ReceiptKeys are the keys a registry's receipt may be signed with.
func (b *Bundle) ReceiptKeys() []ed25519.PublicKey {
	keys := make([]ed25519.PublicKey, len(b.contents.Receipts))
	for i, k := range b.contents.Receipts {
		keys[i] = k
	}
	return keys
}

// Issuers counts the issuers, for status pages.
func (b *Bundle) Issuers() int { return len(b.contents.Issuers) }
