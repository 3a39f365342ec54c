// Package pass is the signed 15-second pass that issuer, kiosk and registry
// share: its text form, its signature, and the bundle of keys it is verified
// with. FORMAT.md beside this file is the specification.
//
// Trust is a type. Parse turns a text into an Unverified, which says nothing
// to anybody; only (*Unverified).Verify yields a *Pass. An issuer makes texts
// with Issue; a registry re-reads stored passes with ParseBytes.
//
// No decision in this package reads a clock: now is an argument.
package pass

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// Magic opens every pass's text; one version character follows it.
	Magic = "MJ"
	// Version is the format's version character. A reader that meets a higher
	// one asks for an update of the reader instead of refusing the visitor.
	Version = '1'
	// Lifetime is exp − iat of every pass.
	Lifetime = 15 * time.Second
	// Skew is the usual tolerance between phone's and reader's clocks.
	Skew = 2 * time.Second
	// MaxSize is the largest size of a pass without attestation, in bytes.
	MaxSize = 116
	// MaxText is the largest number of characters a text can have: a pass and
	// an attestation with four doses.
	MaxText = len(Magic) + 1 + (MaxSize+maxAttestation)/2*3 + (MaxSize+maxAttestation)%2*2
	// IssuerMax is the largest length of an issuer's id, in characters.
	IssuerMax = 3
)

// ID is a pass's random 16-byte cti (RFC 8392, section 3.1.7).
type ID [16]byte

// claims is the CWT claims set (RFC 8392) of a pass.
type claims struct {
	Issuer   string `cbor:"1,keyasint"`
	Expires  int64  `cbor:"4,keyasint"` // Unix seconds
	IssuedAt int64  `cbor:"6,keyasint"` // Unix seconds
	ID       []byte `cbor:"7,keyasint"` // 16 bytes
}

// Unverified is a text of the right shape. Nothing it says can be read before
// it is verified.
type Unverified struct {
	pass        *cose.Message
	attestation *cose.Message // nil where there is none
}

// Pass is a verified pass.
type Pass struct {
	raw      []byte
	issuer   string
	id       ID
	issuedAt time.Time
	mode     Mode
	unsure   bool
	health   *Health
}

// Parse reads the text of a QR code. Errors are *Error with one of the reasons
// of the text; the text itself is never part of them.
func Parse(text string) (*Unverified, error) {
	if len(text) < len(Magic) || text[:len(Magic)] != Magic {
		return nil, refuse(ReasonNotPass, nil)
	}
	if len(text) == len(Magic) {
		return nil, refuse(ReasonTruncated, nil)
	}
	switch v := text[len(Magic)]; {
	case v > Version && v <= 'Z' && (v <= '9' || v >= 'A'):
		return nil, refuse(ReasonVersion, nil)
	case v != Version:
		return nil, refuse(ReasonFormat, nil)
	}
	if len(text) > MaxText {
		return nil, refuse(ReasonOversized, nil)
	}
	data, err := base45.AppendDecoded(make([]byte, 0, len(text)), text[len(Magic)+1:])
	switch {
	case errors.Is(err, base45.ErrLength):
		return nil, refuse(ReasonTruncated, err)
	case err != nil:
		return nil, refuse(ReasonFormat, err)
	}
	return parse(data)
}

// ParseBytes reads a stored pass, the bytes that (*Pass).Bytes returned. An
// attestation behind it is refused: none may be stored.
func ParseBytes(data []byte) (*Unverified, error) {
	u, err := parse(data)
	if err == nil && u.attestation != nil {
		return nil, refuse(ReasonOversized, errors.New("a stored pass carries more than the pass"))
	}
	return u, err
}

func parse(data []byte) (*Unverified, error) {
	m, rest, err := cose.Decode(data)
	if err != nil {
		return nil, shape(err)
	}
	if len(m.Header.Kid) != cose.KidSize || m.Header.Type != "" {
		return nil, refuse(ReasonFormat, cose.ErrHeader)
	}
	if len(m.Raw) > MaxSize {
		return nil, refuse(ReasonOversized, fmt.Errorf("the pass has %d bytes, want at most %d", len(m.Raw), MaxSize))
	}
	u := &Unverified{pass: m}
	if len(rest) == 0 {
		return u, nil
	}
	a, rest, err := cose.Decode(rest)
	if err != nil {
		return nil, shape(err)
	}
	if len(rest) > 0 {
		return nil, refuse(ReasonNonCanonical, fmt.Errorf("%d bytes behind the attestation", len(rest)))
	}
	if len(a.Raw) > maxAttestation {
		return nil, refuse(ReasonOversized, fmt.Errorf("the attestation has %d bytes, want at most %d", len(a.Raw), maxAttestation))
	}
	if len(a.Protected) != 0 {
		return nil, refuse(ReasonFormat, cose.ErrHeader)
	}
	u.attestation = a
	return u, nil
}

// shape turns an error of package cose into a refusal.
func shape(err error) *Error {
	switch {
	case errors.Is(err, cose.ErrTruncated):
		return refuse(ReasonTruncated, err)
	case errors.Is(err, cose.ErrNonCanonical):
		return refuse(ReasonNonCanonical, err)
	default:
		return refuse(ReasonFormat, err)
	}
}

// Clock says how far the reader's clock can be relied on (DESIGN, law 8).
type Clock uint8

const (
	ClockWrong  Clock = iota // below a time this device has already seen: refuse
	ClockUnsure              // nobody has confirmed it since the start
	ClockSure                // NTP, a battery clock, or signed registry time
)

func (c Clock) String() string {
	return [...]string{"wrong", "unsure", "sure"}[min(c, ClockSure)]
}

// Conditions are what a verification depends on besides time and bundle.
type Conditions struct {
	Skew        time.Duration // tolerance towards the phone's clock, usually Skew
	Facility    string        // kind of facility, chooses the policy in the bundle
	Clock       Clock
	AdmitUnsure bool // admit, and flag, while the clock is unsure
}

// Verify checks the pass as it was received, at the reader's time now, with
// the keys and policy of b (nil: none yet). The signature comes first: nothing
// a text claims is believed before. Errors are *Error.
func (u *Unverified) Verify(now time.Time, b *Bundle, c Conditions) (*Pass, error) {
	if b == nil || !now.Before(b.Expires()) {
		return nil, refuse(ReasonBundle, nil)
	}
	mode := b.Mode(c.Facility, now)
	if mode == ModeOff {
		return nil, refuse(ReasonPolicyOff, nil)
	}
	owner, key, err := u.signer(b)
	if err != nil {
		return nil, err
	}
	var cl claims
	if err := cose.Unmarshal(u.pass.Payload, &cl); err != nil {
		return nil, shape(err)
	}
	if len(cl.ID) != len(ID{}) || len(cl.Issuer) == 0 || len(cl.Issuer) > IssuerMax || cl.IssuedAt < 0 || cl.IssuedAt > maxUnix {
		return nil, refuse(ReasonFormat, nil)
	}
	if cl.Issuer != owner.ID {
		return nil, refuse(ReasonIssuer, nil)
	}
	if cl.Expires-cl.IssuedAt != int64(Lifetime/time.Second) {
		return nil, refuse(ReasonLifetime, nil)
	}
	issued := time.Unix(cl.IssuedAt, 0).UTC()
	if since := revokedAt(owner, key); !since.IsZero() && !issued.Before(since) {
		return nil, &Error{Reason: ReasonRevoked, Since: since}
	}
	if cl.IssuedAt < key.NotBefore || cl.IssuedAt >= key.NotAfter {
		return nil, refuse(ReasonUnknownKey, errors.New("the key was not in use at that time"))
	}
	if c.Clock == ClockWrong || (c.Clock == ClockUnsure && !c.AdmitUnsure) {
		return nil, refuse(ReasonClock, nil)
	}
	if early := issued.Add(-c.Skew).Sub(now); early > 0 {
		return nil, &Error{Reason: ReasonNotYetValid, By: issued.Sub(now)}
	}
	expires := issued.Add(Lifetime)
	if late := now.Sub(expires.Add(c.Skew)); late >= 0 {
		return nil, &Error{Reason: ReasonExpired, By: now.Sub(expires)}
	}
	health, err := u.openAttestation(key)
	if err != nil {
		return nil, err
	}
	return &Pass{
		raw: u.pass.Raw, issuer: cl.Issuer, id: ID(cl.ID), issuedAt: issued,
		mode: mode, unsure: c.Clock == ClockUnsure, health: health,
	}, nil
}

// maxUnix keeps times in the four-byte form the size limit counts on (2106).
const maxUnix = 1<<32 - 1 - int64(Lifetime/time.Second)

// signer finds the key that signed the pass among all that bear its kid.
func (u *Unverified) signer(b *Bundle) (*Issuer, *Key, error) {
	known := false
	for i := range b.contents.Issuers {
		owner := &b.contents.Issuers[i]
		for j := range owner.Keys {
			key := &owner.Keys[j]
			if string(key.Kid) != string(u.pass.Header.Kid) || key.Alg != u.pass.Header.Alg {
				continue
			}
			known = true
			if u.pass.Verify(ed25519.PublicKey(key.Public), nil) {
				return owner, key, nil
			}
		}
	}
	if !known {
		return nil, nil, refuse(ReasonUnknownKey, nil)
	}
	return nil, nil, refuse(ReasonSignature, nil)
}

// revokedAt is the earlier of the issuer's and the key's revocation, zero for none.
func revokedAt(i *Issuer, k *Key) time.Time {
	at := i.RevokedAt
	if at == 0 || (k.RevokedAt != 0 && k.RevokedAt < at) {
		at = k.RevokedAt
	}
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

// Bytes are the signed pass alone, without the attestation: what a journal
// keeps and a registry verifies again. Callers must not change them.
func (p *Pass) Bytes() []byte { return p.raw }

// Issuer is the issuer's id, 1 to 3 characters.
func (p *Pass) Issuer() string { return p.issuer }

// ID is the pass's random id; together with Issuer it is used once.
func (p *Pass) ID() ID { return p.id }

// IssuedAt is when the phone's side made the pass, in whole seconds.
func (p *Pass) IssuedAt() time.Time { return p.issuedAt }

// Expires is IssuedAt plus Lifetime.
func (p *Pass) Expires() time.Time { return p.issuedAt.Add(Lifetime) }

// Mode is the facility's policy at the time of the scan: ModeRecord or ModeVerifyOnly.
func (p *Pass) Mode() Mode { return p.mode }

// ClockUnsure says that policy admitted the pass although nobody vouched for
// the reader's clock; the visit is flagged.
func (p *Pass) ClockUnsure() bool { return p.unsure }

// Health is the vaccination shown beside the pass, nil for none. It is for the
// staff's field only and is never written anywhere (DESIGN, law 5).
func (p *Pass) Health() *Health { return p.health }

// String and LogValue say nothing about the pass, so that no careless log line
// can.
func (p *Pass) String() string       { return "pass" }
func (p *Pass) GoString() string     { return "pass" }
func (p *Pass) LogValue() slog.Value { return slog.StringValue("pass") }

// Issue makes the text of a new pass: the issuer's side. id must be random.
// health may be nil. iat is now, cut to the second.
func Issue(key ed25519.PrivateKey, issuer string, id ID, now time.Time, health *Health) (string, error) {
	if err := CheckIssuer(issuer); err != nil {
		return "", err
	}
	iat := now.Unix()
	if iat < 0 || iat > maxUnix {
		return "", fmt.Errorf("the time %s cannot stand in a pass: set the issuer's clock", now.UTC().Format(time.RFC3339))
	}
	payload, err := cose.Marshal(claims{Issuer: issuer, IssuedAt: iat, Expires: iat + int64(Lifetime/time.Second), ID: id[:]})
	if err != nil {
		return "", fmt.Errorf("encode the claims: %w", err)
	}
	kid := cose.KidOf(key.Public().(ed25519.PublicKey))
	data, err := cose.Sign(key, cose.Header{Alg: cose.AlgEdDSA, Kid: kid[:]}, nil, payload)
	if err != nil {
		return "", fmt.Errorf("sign the pass: %w", err)
	}
	if health != nil {
		a, err := health.attest(key, data)
		if err != nil {
			return "", err
		}
		data = append(data, a...)
	}
	return Text(data), nil
}

// Text is the text form of the signed bytes of a pass, with or without an
// attestation behind it.
func Text(data []byte) string {
	text := make([]byte, 0, len(Magic)+1+base45.EncodedLen(len(data)))
	text = append(append(text, Magic...), Version)
	return string(base45.Append(text, data))
}

// CheckIssuer says whether id can name an issuer: 1 to 3 lower-case letters or digits.
func CheckIssuer(id string) error {
	if len(id) == 0 || len(id) > IssuerMax {
		return fmt.Errorf("issuer id %q must have 1 to %d characters", id, IssuerMax)
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return fmt.Errorf("issuer id %q may hold only a–z and 0–9", id)
		}
	}
	return nil
}

// String is the id in hexadecimal. It identifies a phone's visit: keep it out
// of logs.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
