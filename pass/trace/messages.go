package trace

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

// Call is an officer's signed right to one request without a body of its own.
type call struct {
	Method  string `cbor:"1,keyasint"`
	Path    string `cbor:"2,keyasint"`
	Officer string `cbor:"3,keyasint"`
	At      int64  `cbor:"4,keyasint"` // Unix milliseconds
	Nonce   []byte `cbor:"5,keyasint"` // 16 random bytes: the answer is bound to this call
}

// Call signs a call of method on path.
func (i *Identity) Call(method, path string, now time.Time) ([]byte, error) {
	c := call{Method: method, Path: path, Officer: i.id, At: now.UnixMilli(), Nonce: make([]byte, 16)}
	rand.Read(c.Nonce) // never fails
	return cose.SignTyped(i.signKey, typeCall, c)
}

// OpenCall verifies a call and says which officer made it. It is good for Skew.
func (r *Roster) OpenCall(raw []byte, method, path string, now time.Time) (Party, error) {
	if err := r.current(now); err != nil {
		return Party{}, err
	}
	var c call
	p, err := openBy(raw, typeCall, r.contents.Officers, &c)
	if err != nil {
		return Party{}, err
	}
	if c.Method != method || c.Path != path {
		return Party{}, ErrSubject
	}
	if len(c.Nonce) != 16 || c.At < 0 || c.At > maxMillis {
		return Party{}, ErrContent
	}
	at := time.UnixMilli(c.At)
	if now.Sub(at) > Skew {
		return Party{}, ErrStale
	}
	return p, judge(p, c.Officer, at, now)
}

type request struct {
	Order []byte `cbor:"1,keyasint"`
	Place Place  `cbor:"2,keyasint"`
}

// SealRequest seals an order and its place to the registry.
func (i *Identity) SealRequest(registry Party, order []byte, p Place, now time.Time) ([]byte, error) {
	return i.seal(typeRequest, registry, DigestOf(order), now, request{Order: order, Place: p})
}

// OpenRequest opens a request at the registry i. The order is verified and new:
// it can still be approved; the place is the one it commits to.
func (r *Roster) OpenRequest(i *Identity, raw []byte, now time.Time) (*Order, Place, error) {
	var q request
	e, err := r.open(raw, typeRequest, r.contents.Officers, i, Digest{}, now, &q)
	if err != nil {
		return nil, Place{}, err
	}
	o, err := r.OpenOrder(q.Order, now)
	switch {
	case err != nil:
		return nil, Place{}, err
	case e.From != o.Officer || e.about != o.Digest():
		return nil, Place{}, ErrSubject
	case !now.Before(o.Expires()):
		return nil, Place{}, ErrExpired
	}
	return o, q.Place, o.Holds(q.Place)
}

// State is where an inquiry stands.
type State string

// The states in their order; an inquiry that is not approved or answered in
// time is closed.
const (
	StateAsked    State = "asked"    // waits for the second officer
	StateApproved State = "approved" // two officers have signed
	StateGrouped  State = "grouped"  // pass ids are sealed to their issuers
	StateAnswered State = "answered" // every issuer has answered
	StateClosed   State = "closed"
)

// Entry is an inquiry as officers see it in a listing.
type Entry struct {
	Order    []byte `cbor:"1,keyasint"`
	Place    Place  `cbor:"2,keyasint"`
	State    State  `cbor:"3,keyasint"`
	Approval []byte `cbor:"4,keyasint,omitempty"`
	Groups   int    `cbor:"5,keyasint,omitempty"`
	Answers  int    `cbor:"6,keyasint,omitempty"`
}

// MaxListing is the largest number of inquiries in a listing.
const MaxListing = 200

type listing struct {
	Entries []Entry `cbor:"1,keyasint"`
}

// SealListing seals inquiries to the officer who made the call.
func (i *Identity) SealListing(officer Party, call []byte, entries []Entry, now time.Time) ([]byte, error) {
	if entries == nil {
		entries = []Entry{}
	}
	return i.seal(typeListing, officer, DigestOf(call), now, listing{entries})
}

// OpenListing opens the registry's answer to call. What an entry's order says
// is believed only after OpenOrder and Holds.
func (r *Roster) OpenListing(i *Identity, raw, call []byte, now time.Time) ([]Entry, error) {
	var l listing
	if _, err := r.open(raw, typeListing, r.contents.Registries, i, DigestOf(call), now, &l); err != nil {
		return nil, err
	}
	if len(l.Entries) > MaxListing {
		return nil, ErrContent
	}
	return l.Entries, nil
}

type group struct {
	Order    []byte `cbor:"1,keyasint"`
	Approval []byte `cbor:"2,keyasint"`
	Passes   []byte `cbor:"3,keyasint"` // pass ids of 16 bytes, ascending, each once
}

// SealGroup seals the pass ids of one issuer, in any order and each once, to it.
// It sorts ids: their order must not tell the order of the visits.
func (i *Identity) SealGroup(issuer Party, w *Warrant, ids []pass.ID, now time.Time) ([]byte, error) {
	if len(ids) == 0 || len(ids) > MaxPasses {
		return nil, fmt.Errorf("%w: a group has 1 to %d pass ids, got %d", ErrContent, MaxPasses, len(ids))
	}
	slices.SortFunc(ids, func(a, b pass.ID) int { return bytes.Compare(a[:], b[:]) })
	g := group{Order: w.raw, Approval: w.approval, Passes: make([]byte, 0, idSize*len(ids))}
	for _, id := range ids {
		g.Passes = append(g.Passes, id[:]...)
	}
	return i.seal(typeGroup, issuer, w.Digest(), now, g)
}

// Group is a verified question to one issuer. Who issued it, and that two
// officers signed for it, has been checked; where it was is not in it.
type Group struct {
	*Warrant
	Digest Digest    // of the sealed group
	Passes []pass.ID // ascending
}

// OpenGroup opens a group at the issuer i.
func (r *Roster) OpenGroup(i *Identity, raw []byte, now time.Time) (*Group, error) {
	var g group
	e, err := r.open(raw, typeGroup, r.contents.Registries, i, Digest{}, now, &g)
	if err != nil {
		return nil, err
	}
	w, err := r.OpenWarrant(g.Order, g.Approval, now)
	switch {
	case err != nil:
		return nil, err
	case e.about != w.Digest():
		return nil, ErrSubject
	case !now.Before(w.Until()):
		return nil, ErrExpired
	case len(g.Passes) == 0 || len(g.Passes)%idSize != 0 || len(g.Passes) > MaxPasses*idSize:
		return nil, fmt.Errorf("%w: a group has 1 to %d whole pass ids", ErrContent, MaxPasses)
	}
	out := &Group{Warrant: w, Digest: DigestOf(raw)}
	for id := range slices.Chunk(g.Passes, idSize) {
		if n := len(out.Passes); n > 0 && bytes.Compare(out.Passes[n-1][:], id) >= 0 {
			return nil, fmt.Errorf("%w: pass ids are ascending, each once", ErrContent)
		}
		out.Passes = append(out.Passes, pass.ID(id))
	}
	return out, nil
}

// Person is who a pass was made for.
type Person struct {
	Name  string `cbor:"1,keyasint"` // 1 to 100 bytes
	Phone string `cbor:"2,keyasint"` // 1 to 32 bytes
	// A child's guardian.
	Guardian      string `cbor:"3,keyasint,omitempty"`
	GuardianPhone string `cbor:"4,keyasint,omitempty"`
}

// String keeps people out of logs.
func (Person) String() string { return "person" }

// GoString keeps people out of logs.
func (Person) GoString() string { return "person" }

func (p *Person) check() error {
	for _, f := range []struct {
		text  string
		most  int
		empty bool
	}{{p.Name, 100, false}, {p.Phone, 32, false}, {p.Guardian, 100, true}, {p.GuardianPhone, 32, true}} {
		if !printable(f.text, f.most) && (f.text != "" || !f.empty) {
			return fmt.Errorf("%w: a person has a name of 1 to 100 bytes and a phone of 1 to 32, without control characters", ErrContent)
		}
	}
	return nil
}

type answer struct {
	People []*Person `cbor:"1,keyasint"` // by the group's passes; null for one who cannot be named
}

// SealAnswer seals who was behind g's passes, in their order, to the officer
// who asked. nil stands for one that cannot be named any more.
func (r *Roster) SealAnswer(i *Identity, g *Group, people []*Person, now time.Time) ([]byte, error) {
	if len(people) != len(g.Passes) {
		return nil, fmt.Errorf("%w: %d people for %d passes", ErrContent, len(people), len(g.Passes))
	}
	for _, p := range people {
		if p == nil {
			continue
		}
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	officer, err := r.Officer(g.Officer, now)
	if err != nil {
		return nil, err
	}
	return i.seal(typeAnswer, officer, g.Digest, now, answer{people})
}

// CheckAnswer verifies, without opening it, that raw is an issuer's answer to a
// group: what a registry asks before it keeps one. The group's issuer and the
// officer who asked are the caller's to compare.
func (r *Roster) CheckAnswer(raw []byte, now time.Time) (issuer, officer string, group Digest, err error) {
	e, err := r.openEnvelope(raw, typeAnswer, r.contents.Issuers, now)
	if err != nil {
		return "", "", Digest{}, err
	}
	return e.From, e.To, e.about, nil
}

// OpenAnswer opens an issuer's answer to the group of sheet, at the officer i
// who asked. It has one entry for each of the sheet's positions.
func (r *Roster) OpenAnswer(i *Identity, raw []byte, s *Sheet, now time.Time) ([]*Person, error) {
	var a answer
	e, err := r.open(raw, typeAnswer, r.contents.Issuers, i, s.Group, now, &a)
	switch {
	case err != nil:
		return nil, err
	case e.From != s.Issuer:
		return nil, ErrParty
	case len(a.People) != len(s.Seen):
		return nil, fmt.Errorf("%w: %d people for %d passes", ErrContent, len(a.People), len(s.Seen))
	}
	for _, p := range a.People {
		if p == nil {
			continue
		}
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	return a.People, nil
}
