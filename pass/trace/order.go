package trace

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/munjigi/munjigi/pass/cose"
)

// Place is what issuers never see: the facility, and why it is asked about.
type Place struct {
	Salt     []byte `cbor:"1,keyasint"` // 32 random bytes
	Facility string `cbor:"2,keyasint"` // the registry's id of it, 1 to 100 bytes
	Reason   string `cbor:"3,keyasint"` // 1 to 500 bytes
}

type placePreimage struct {
	_        struct{} `cbor:",toarray"`
	Context  string
	Salt     []byte
	Facility string
	Reason   string
}

// commitment is the salted SHA-256 that stands for the place in an order. The
// 32 random bytes make it useless to try all facilities there are.
func (p Place) commitment() ([]byte, error) {
	raw, err := cose.Marshal(placePreimage{Context: "munjigi trace place 1", Salt: p.Salt, Facility: p.Facility, Reason: p.Reason})
	sum := sha256.Sum256(raw)
	return sum[:], err
}

func (p Place) check() error {
	if len(p.Salt) != 32 || !printable(p.Facility, 100) || !printable(p.Reason, 500) {
		return fmt.Errorf("%w: a place has 32 bytes of salt, a facility of 1 to 100 bytes and a reason of 1 to 500, without control characters", ErrContent)
	}
	return nil
}

// Draft is an order as an officer writes it.
type Draft struct {
	Case     string // the case's number, 1 to 64 bytes; issuers see it, so that it must not tell the place
	From, To time.Time
	Facility string
	Reason   string
}

// order is what the first officer signs and issuers see.
type order struct {
	Case    string `cbor:"1,keyasint"`
	Officer string `cbor:"2,keyasint"`
	At      int64  `cbor:"3,keyasint"` // Unix milliseconds
	From    int64  `cbor:"4,keyasint"` // Unix seconds
	To      int64  `cbor:"5,keyasint"` // Unix seconds, not in the window any more
	Place   []byte `cbor:"6,keyasint"` // Place's commitment
}

// Order is what one officer has asked and signed for.
type Order struct {
	Case     string
	Officer  string // id of who asked
	At       time.Time
	From, To time.Time // the window: scans from From up to, not including, To
	place    []byte
	raw      []byte
}

// Raw is the signed order as received.
func (o *Order) Raw() []byte { return o.raw }

// Digest names the order.
func (o *Order) Digest() Digest { return DigestOf(o.raw) }

// Expires is when the order can no longer be approved.
func (o *Order) Expires() time.Time { return o.At.Add(ApproveWithin) }

// Holds says whether p is the place the officer signed for.
func (o *Order) Holds(p Place) error {
	sum, err := p.commitment()
	if err != nil || p.check() != nil || subtle.ConstantTimeCompare(sum, o.place) != 1 {
		return ErrPlace
	}
	return nil
}

// Ask signs an order. Errors: those of what the draft may not hold.
func (i *Identity) Ask(d Draft, now time.Time) (raw []byte, p Place, err error) {
	p = Place{Salt: make([]byte, 32), Facility: d.Facility, Reason: d.Reason}
	rand.Read(p.Salt) // never fails
	if err := p.check(); err != nil {
		return nil, Place{}, err
	}
	sum, err := p.commitment()
	if err != nil {
		return nil, Place{}, err
	}
	o := order{Case: d.Case, Officer: i.id, At: now.UnixMilli(), From: d.From.Unix(), To: d.To.Unix(), Place: sum}
	if err := o.check(); err != nil {
		return nil, Place{}, err
	}
	raw, err = cose.SignTyped(i.signKey, typeOrder, o)
	return raw, p, err
}

func (o *order) check() error {
	if !printable(o.Case, 64) || len(o.Place) != sha256.Size {
		return fmt.Errorf("%w: a case number has 1 to 64 bytes without control characters", ErrContent)
	}
	// A window that is not over would have people watched who have yet to come.
	if o.From < 0 || o.From >= o.To || o.To > maxMillis/1000 || o.To-o.From > int64(MaxWindow/time.Second) || o.At > maxMillis || o.To*1000 > o.At {
		return ErrWindow
	}
	return nil
}

const maxMillis = 1 << 48 // the year 10889

// OpenOrder verifies an order by an officer in force. An order that is too old
// to be approved is opened all the same: see OpenWarrant.
func (r *Roster) OpenOrder(raw []byte, now time.Time) (*Order, error) {
	if err := r.current(now); err != nil {
		return nil, err
	}
	var o order
	p, err := openBy(raw, typeOrder, r.contents.Officers, &o)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	at := time.UnixMilli(o.At).UTC()
	if err := judge(p, o.Officer, at, now); err != nil {
		return nil, err
	}
	return &Order{
		Case: o.Case, Officer: o.Officer, At: at, From: time.Unix(o.From, 0).UTC(), To: time.Unix(o.To, 0).UTC(),
		place: o.Place, raw: append([]byte(nil), raw...),
	}, nil
}

// judge says whether p is the named party, in force when it wrote and now.
func judge(p Party, id string, at, now time.Time) error {
	switch {
	case p.ID != id || !p.inForce(at, now):
		return fmt.Errorf("%w: %q", ErrParty, id)
	case at.After(now.Add(Skew)):
		return ErrFuture
	}
	return nil
}

// approval is what the second officer signs and issuers see.
type approval struct {
	Order   []byte `cbor:"1,keyasint"` // SHA-256 of the signed order
	Officer string `cbor:"2,keyasint"`
	At      int64  `cbor:"3,keyasint"` // Unix milliseconds
}

// Warrant is an order that two officers have signed: the only thing that opens
// pass ids. Nobody else can make one.
type Warrant struct {
	*Order
	Approver   string
	ApprovedAt time.Time
	approval   []byte
}

// Approval is the second officer's signed word as received.
func (w *Warrant) Approval() []byte { return w.approval }

// Until is when nobody may answer any more: AnswerWithin after the approval, and
// not past the day on which the last of what was asked about is destroyed.
func (w *Warrant) Until() time.Time {
	until, gone := w.ApprovedAt.Add(AnswerWithin), w.To.Add(Retention)
	if gone.Before(until) {
		return gone
	}
	return until
}

// Approve signs the second officer's approval of an order that OpenOrder
// returned, after that officer has read it and its place.
func (i *Identity) Approve(o *Order, p Place, now time.Time) ([]byte, error) {
	if err := o.Holds(p); err != nil {
		return nil, err
	}
	if o.Officer == i.id {
		return nil, ErrTwoPersons
	}
	if !now.Before(o.Expires()) {
		return nil, ErrExpired
	}
	d := o.Digest()
	return cose.SignTyped(i.signKey, typeApproval, approval{Order: d[:], Officer: i.id, At: now.UnixMilli()})
}

// OpenWarrant verifies an order and its approval: two different officers, both
// in force, the second within ApproveWithin of the first, for this very order.
// Whether it may still be answered is judged by OpenGroup.
func (r *Roster) OpenWarrant(rawOrder, rawApproval []byte, now time.Time) (*Warrant, error) {
	o, err := r.OpenOrder(rawOrder, now)
	if err != nil {
		return nil, err
	}
	var a approval
	p, err := openBy(rawApproval, typeApproval, r.contents.Officers, &a)
	if err != nil {
		return nil, err
	}
	if a.At < 0 || a.At > maxMillis {
		return nil, ErrContent
	}
	at := time.UnixMilli(a.At).UTC()
	if err := judge(p, a.Officer, at, now); err != nil {
		return nil, err
	}
	d := o.Digest()
	switch {
	case string(a.Order) != string(d[:]):
		return nil, ErrSubject
	case a.Officer == o.Officer:
		return nil, ErrTwoPersons
	case at.Before(o.At.Add(-Skew)) || !at.Before(o.Expires()):
		return nil, ErrExpired
	}
	return &Warrant{Order: o, Approver: a.Officer, ApprovedAt: at, approval: append([]byte(nil), rawApproval...)}, nil
}

// Signers says which two officers signed an order and its approval, whenever it
// was and whether or not they are still in force: for an auditor who looks back.
func (r *Roster) Signers(rawOrder, rawApproval []byte) (asked, approved string, err error) {
	var o order
	p, err := openBy(rawOrder, typeOrder, r.contents.Officers, &o)
	if err != nil {
		return "", "", err
	}
	var a approval
	q, err := openBy(rawApproval, typeApproval, r.contents.Officers, &a)
	if err != nil {
		return "", "", err
	}
	d := DigestOf(rawOrder)
	switch {
	case string(a.Order) != string(d[:]):
		return "", "", ErrSubject
	case p.ID != o.Officer || q.ID != a.Officer:
		return "", "", ErrParty
	case p.ID == q.ID:
		return "", "", ErrTwoPersons
	}
	return p.ID, q.ID, nil
}

// printable says whether text has 1 to most bytes of UTF-8 that a terminal
// shows and does not obey.
func printable(text string, most int) bool {
	if text == "" || len(text) > most || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
