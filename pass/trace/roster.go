package trace

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// RosterLife is the longest time a roster may be used after it was issued.
	RosterLife = 90 * 24 * time.Hour
	// MaxRoster is the largest size of a roster, in bytes.
	MaxRoster = 128 << 10
)

// Contents is what the authority signs: who takes part in investigations.
type Contents struct {
	Number     uint64  `cbor:"1,keyasint"` // from 1, only grows
	Issued     int64   `cbor:"2,keyasint"` // Unix seconds
	Expires    int64   `cbor:"3,keyasint"` // Unix seconds, at most RosterLife later
	Officers   []Party `cbor:"4,keyasint"`
	Issuers    []Party `cbor:"5,keyasint"`
	Registries []Party `cbor:"6,keyasint"` // a registry signs with its receipt key
}

// Roster is a verified list. Its parties' ids and keys are each there once.
type Roster struct {
	contents Contents
	raw      []byte
}

// SignRoster signs c with the authority's key after the checks OpenRoster makes.
func SignRoster(authority ed25519.PrivateKey, c Contents) ([]byte, error) {
	for _, l := range []*[]Party{&c.Officers, &c.Issuers, &c.Registries} {
		if *l == nil {
			*l = []Party{}
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	raw, err := cose.SignTyped(authority, typeRoster, c)
	if err == nil && len(raw) > MaxRoster {
		return nil, fmt.Errorf("the roster has %d bytes, want at most %d: take out who ended long ago", len(raw), MaxRoster)
	}
	return raw, err
}

// OpenRoster verifies a roster with the authority's pinned public key. It does
// not judge its age: every opening of a message does.
func OpenRoster(raw []byte, authority ed25519.PublicKey) (*Roster, error) {
	if len(raw) > MaxRoster {
		return nil, fmt.Errorf("%w: it has %d bytes, want at most %d", ErrAuthority, len(raw), MaxRoster)
	}
	r := &Roster{raw: slices.Clone(raw)}
	if err := cose.OpenTyped(r.raw, typeRoster, []ed25519.PublicKey{authority}, &r.contents); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	if err := r.contents.check(); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Contents) check() error {
	switch {
	case c.Officers == nil || c.Issuers == nil || c.Registries == nil:
		return errors.New("roster holds null where a list must stand")
	case c.Number == 0:
		return errors.New("roster number must be at least 1")
	case c.Expires <= c.Issued || c.Expires-c.Issued > int64(RosterLife/time.Second):
		return fmt.Errorf("roster must live between a second and %d days", RosterLife/(24*time.Hour))
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, p := range slices.Concat(c.Officers, c.Issuers, c.Registries) {
		if err := p.check(); err != nil {
			return err
		}
		if ids[p.ID] || keys[string(p.Sign)] || keys[string(p.Seal)] {
			return fmt.Errorf("%q, or one of its keys, stands twice in the roster", p.ID)
		}
		ids[p.ID], keys[string(p.Sign)], keys[string(p.Seal)] = true, true, true
	}
	for _, p := range c.Issuers {
		if err := pass.CheckIssuer(p.ID); err != nil {
			return err
		}
	}
	return nil
}

// Raw is the signed roster as it was received.
func (r *Roster) Raw() []byte { return r.raw }

// Number grows with every roster; a party takes only a higher one.
func (r *Roster) Number() uint64 { return r.contents.Number }

// Expires is when the roster may no longer be used.
func (r *Roster) Expires() time.Time { return time.Unix(r.contents.Expires, 0).UTC() }

// Contents is a copy of what the roster says.
func (r *Roster) Contents() Contents {
	c := r.contents
	c.Officers, c.Issuers, c.Registries = slices.Clone(c.Officers), slices.Clone(c.Issuers), slices.Clone(c.Registries)
	return c
}

// Issuer finds the issuer to whom a group may be sealed at the time now.
func (r *Roster) Issuer(id string, now time.Time) (Party, error) {
	if err := r.current(now); err != nil {
		return Party{}, err
	}
	return find(r.contents.Issuers, id, now)
}

// Officer finds the officer to whom a letter may be sealed at the time now.
func (r *Roster) Officer(id string, now time.Time) (Party, error) {
	if err := r.current(now); err != nil {
		return Party{}, err
	}
	return find(r.contents.Officers, id, now)
}

// Registry finds the registry to whom a request may be sealed at the time now:
// of several, as while a receipt key is being replaced, the one entered last.
func (r *Roster) Registry(now time.Time) (Party, error) {
	if err := r.current(now); err != nil {
		return Party{}, err
	}
	for _, p := range slices.Backward(r.contents.Registries) {
		if p.inForce(now, now) {
			return p, nil
		}
	}
	return Party{}, fmt.Errorf("%w: no registry", ErrParty)
}

// RegistryOf finds the id under which a registry's receipt key is listed.
func (r *Roster) RegistryOf(key ed25519.PublicKey) (id string, ok bool) {
	for _, p := range r.contents.Registries {
		if key.Equal(ed25519.PublicKey(p.Sign)) {
			return p.ID, true
		}
	}
	return "", false
}

func find(list []Party, id string, now time.Time) (Party, error) {
	for _, p := range list {
		if p.ID == id && p.inForce(now, now) {
			return p, nil
		}
	}
	return Party{}, fmt.Errorf("%w: %q", ErrParty, id)
}

// current judges the roster's age.
func (r *Roster) current(now time.Time) error {
	if r == nil || !now.Before(r.Expires()) || now.Add(Skew).Before(time.Unix(r.contents.Issued, 0)) {
		return ErrAuthority
	}
	return nil
}

// openBy opens a typed message by one of list and says by whom. v is written
// to only behind a good signature.
func openBy(raw []byte, typ string, list []Party, v any) (Party, error) {
	m, _, err := cose.Decode(raw)
	if err != nil {
		return Party{}, fmt.Errorf("%s: %w", typ, err)
	}
	for _, p := range list {
		if kid := cose.KidOf(p.Sign); string(kid[:]) != string(m.Header.Kid) {
			continue
		}
		err := cose.OpenTyped(raw, typ, []ed25519.PublicKey{p.Sign}, v)
		if !errors.Is(err, cose.ErrSignature) {
			return p, err
		}
	}
	return Party{}, fmt.Errorf("%s: %w", typ, ErrParty)
}
