package trace

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

// The one suite of RFC 9180 in use: base mode, DHKEM(X25519, HKDF-SHA256),
// HKDF-SHA256, AES-256-GCM.
func kem() hpke.KEM   { return hpke.DHKEM(ecdh.X25519()) }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }

// sealKeyInfo separates the key that receives from all else made of a seed.
const sealKeyInfo = "munjigi trace seal 1"

// Identity is a party's private side: it signs, and opens what is sealed to it.
type Identity struct {
	id      string
	signKey ed25519.PrivateKey
	sealKey hpke.PrivateKey
}

// NewIdentity is the identity of a key file's Ed25519 key. The key that
// receives is derived from its seed (TRACE.md, section 2), so that one file is
// all there is to guard.
func NewIdentity(id string, key ed25519.PrivateKey) (*Identity, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("an identity needs an Ed25519 private key, got %d bytes", len(key))
	}
	ikm, err := hkdf.Key(sha256.New, key.Seed(), nil, sealKeyInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key that receives: %w", err)
	}
	seal, err := kem().DeriveKeyPair(ikm)
	if err != nil {
		return nil, fmt.Errorf("derive the key that receives: %w", err)
	}
	return &Identity{id: id, signKey: key, sealKey: seal}, nil
}

// ID is the name the roster knows this party by.
func (i *Identity) ID() string { return i.id }

// String keeps keys out of logs.
func (i *Identity) String() string { return "identity " + i.id }

// GoString keeps keys out of logs.
func (i *Identity) GoString() string { return i.String() }

// Party is the public side, without times and address.
func (i *Identity) Party() Party {
	return Party{ID: i.id, Sign: i.signKey.Public().(ed25519.PublicKey), Seal: i.sealKey.PublicKey().Bytes()}
}

// Party is one that takes part in investigations, as the roster lists it.
type Party struct {
	ID        string `cbor:"1,keyasint"` // officers: 1 to 32 of a–z 0–9 . -; issuers: the id in their passes
	Sign      []byte `cbor:"2,keyasint"` // Ed25519, 32 bytes
	Seal      []byte `cbor:"3,keyasint"` // X25519, 32 bytes
	NotBefore int64  `cbor:"4,keyasint"` // first Unix second in force
	NotAfter  int64  `cbor:"5,keyasint"` // first Unix second not in force any more
	RevokedAt int64  `cbor:"6,keyasint,omitempty"`
	Address   string `cbor:"7,keyasint,omitempty"` // issuers: URL that groups are brought to; may be empty
}

// inForce says whether a message that the party made at the time at may be
// believed at the time now. Who is revoked is not believed at all: its key may
// be in other hands, which could write any time.
func (p Party) inForce(at, now time.Time) bool {
	return at.Unix() >= p.NotBefore && at.Unix() < p.NotAfter && (p.RevokedAt == 0 || now.Unix() < p.RevokedAt)
}

func (p Party) check() error {
	if err := checkID(p.ID); err != nil {
		return err
	}
	if len(p.Sign) != ed25519.PublicKeySize || len(p.Seal) != 32 {
		return fmt.Errorf("%w: %s has a key that is not 32 bytes long", ErrContent, p.ID)
	}
	if p.NotAfter <= p.NotBefore || p.RevokedAt < 0 {
		return fmt.Errorf("%w: %s ends before it begins", ErrContent, p.ID)
	}
	return checkAddress(p.Address)
}

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,31}$`)

func checkID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%w: a party's id has 1 to 32 of a–z 0–9 . -", ErrContent)
	}
	return nil
}

// checkAddress takes https, and http on the machine itself.
func checkAddress(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || len(address) > 200 || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: an address is an https URL of at most 200 bytes", ErrContent)
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return fmt.Errorf("%w: an address is an https URL of at most 200 bytes", ErrContent)
	}
	return nil
}

type card struct {
	ID      string `cbor:"1,keyasint"`
	Sign    []byte `cbor:"2,keyasint"`
	Seal    []byte `cbor:"3,keyasint"`
	Address string `cbor:"4,keyasint,omitempty"`
}

// cardPrefix opens the text of a card, version 1.
const cardPrefix = "MJC1."

// Card is the public side as one word of text, signed by itself, to be handed
// to the authority. address is where an issuer is reached, else empty.
func (i *Identity) Card(address string) (string, error) {
	if err := checkAddress(address); err != nil {
		return "", err
	}
	p := i.Party()
	raw, err := cose.SignTyped(i.signKey, typeCard, card{ID: p.ID, Sign: p.Sign, Seal: p.Seal, Address: address})
	if err != nil {
		return "", err
	}
	return cardPrefix + base64.RawURLEncoding.EncodeToString(raw), nil
}

// ParseCard reads a card, which proves that its maker holds the key. Whose key
// it is must be made sure of by other means: compare Fingerprint by telephone.
func ParseCard(text string) (Party, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), cardPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(raw) > MaxRequest {
		return Party{}, errors.New("this is no card: want one word that begins with " + cardPrefix[:4])
	}
	m, _, err := cose.Decode(raw)
	if err != nil {
		return Party{}, fmt.Errorf("read the card: %w", err)
	}
	var c card
	if err := cose.Unmarshal(m.Payload, &c); err != nil {
		return Party{}, fmt.Errorf("read the card: %w", err)
	}
	if err := cose.OpenTyped(raw, typeCard, []ed25519.PublicKey{c.Sign}, &c); err != nil {
		return Party{}, fmt.Errorf("read the card: %w", err)
	}
	p := Party{ID: c.ID, Sign: c.Sign, Seal: c.Seal, NotAfter: 1, Address: c.Address}
	if err := p.check(); err != nil {
		return Party{}, fmt.Errorf("read the card: %w", err)
	}
	p.NotAfter = 0
	return p, nil
}

// Fingerprint is read aloud when a card is handed over: 80 bits of SHA-256
// over both keys, as five groups of four hexadecimal digits.
func (p Party) Fingerprint() string {
	sum := sha256.Sum256(append(append([]byte{}, p.Sign...), p.Seal...))
	return fmt.Sprintf("%x %x %x %x %x", sum[0:2], sum[2:4], sum[4:6], sum[6:8], sum[8:10])
}
