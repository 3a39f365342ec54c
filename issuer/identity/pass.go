package identity

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

// RequestLife is how long a request waits in the PASS app.
const RequestLife = 3 * time.Minute

// MaxRequests is how many requests wait for one number: nobody's phone is to be
// flooded until its owner approves to have peace.
const MaxRequests = 3

// Request is one 「본인확인 요청」 in the PASS app.
type Request struct {
	ID     []byte    `json:"-"`
	Asker  string    `json:"asker"`
	Claim  Claim     `json:"claim"` // empty: taken up by QR or number
	At     time.Time `json:"at"`
	State  string    `json:"state,omitempty"` // "": open; approved, refused, mismatch
	Result Identity  `json:"result"`
}

// Pass asks for an approval in the PASS app: pushed to the number of the
// claim, or, where the claim is empty, taken up there by QR or number.
type Pass struct {
	Docs        Documents
	Accounts    *Accounts
	Subscribers Subscribers
}

const requests = "pass-request"

// Begin implements Method. Whether the number has the app is not said.
func (p *Pass) Begin(ctx context.Context, now time.Time, asker string, c Claim) (*Attempt, error) {
	a := &Attempt{Method: "pass", Asker: asker, Claim: c, Request: make([]byte, 16), Until: now.Add(RequestLife)}
	rand.Read(a.Request) // never fails
	var tag []byte
	if c == (Claim{}) {
		for { // a number that no open request has
			a.Number = number(6)
			tag = p.Docs.Keys().Tag("pass-number", a.Number)
			taken, err := p.Docs.Tagged(ctx, requests, tag, now)
			if err != nil {
				return nil, err
			}
			if len(taken) == 0 {
				break
			}
		}
	} else if err := a.Claim.basics(); err != nil {
		return nil, err
	} else {
		tag = p.Docs.Keys().Tag("pass-phone", a.Claim.Phone)
		waiting, err := p.Docs.Tagged(ctx, requests, tag, now)
		if err != nil {
			return nil, err
		}
		if len(waiting) >= MaxRequests {
			return nil, ErrLimit
		}
	}
	data, err := json.Marshal(Request{Asker: asker, Claim: a.Claim, At: now})
	if err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	return a, p.Docs.Change(ctx, requests, a.Request, now, func(d *store.Document) error {
		d.Data, d.Tag, d.Expires = data, tag, a.Until
		return nil
	})
}

// Check implements Method; answer is not used.
func (p *Pass) Check(ctx context.Context, now time.Time, a *Attempt, _ string) (Identity, error) {
	var r Request
	ok, err := p.Docs.Document(ctx, requests, a.Request, now, &r)
	switch {
	case err != nil:
		return Identity{}, err
	case !ok:
		return Identity{}, ErrExpired
	case r.State == "":
		return Identity{}, ErrPending
	}
	result := ErrMismatch
	switch r.State {
	case "approved":
		if result = p.Subscribers.Confirm(ctx, r.Result); errors.Is(result, ErrAway) {
			return Identity{}, result // the approval waits until the carrier answers
		}
	case "refused":
		result = ErrRefused
	}
	// It is answered: nobody else may take the answer.
	if err := p.Docs.Change(ctx, requests, a.Request, now, func(d *store.Document) error { d.Data = nil; return nil }); err != nil {
		return Identity{}, err
	}
	return r.Result, result
}

// Requests are those that wait for an account's number.
func (p *Pass) Requests(ctx context.Context, now time.Time, v Account) ([]Request, error) {
	ids, err := p.Docs.Tagged(ctx, requests, p.Docs.Keys().Tag("pass-phone", v.Identity.Phone), now)
	if err != nil {
		return nil, err
	}
	var all []Request
	for _, id := range ids {
		r, err := p.request(ctx, now, id)
		if err == nil && r.State == "" {
			all = append(all, r)
		}
	}
	return all, nil
}

// Numbered finds the request that shows number; ErrWrong where none does.
func (p *Pass) Numbered(ctx context.Context, now time.Time, number string) (Request, error) {
	ids, err := p.Docs.Tagged(ctx, requests, p.Docs.Keys().Tag("pass-number", number), now)
	if err != nil {
		return Request{}, err
	}
	if len(ids) != 1 {
		return Request{}, ErrWrong
	}
	return p.request(ctx, now, ids[0])
}

func (p *Pass) request(ctx context.Context, now time.Time, id []byte) (Request, error) {
	var r Request
	ok, err := p.Docs.Document(ctx, requests, id, now, &r)
	if err == nil && !ok {
		err = ErrExpired
	}
	r.ID = id
	return r, err
}

// Answer approves or refuses a request in the app. Only the number it was
// pushed to may; a form that does not fit the account is a mismatch.
func (p *Pass) Answer(ctx context.Context, now time.Time, v Account, id []byte, approve bool) error {
	return p.Docs.Change(ctx, requests, id, now, func(d *store.Document) error {
		var r Request
		if d.Data == nil {
			return ErrExpired
		}
		if err := json.Unmarshal(d.Data, &r); err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		pushed := r.Claim != (Claim{})
		switch {
		case r.State != "" || pushed && r.Claim.Phone != v.Identity.Phone:
			return ErrExpired
		case !approve:
			r.State = "refused"
		case pushed && (r.Claim.Name != v.Identity.Name || r.Claim.Carrier != v.Identity.Carrier):
			r.State = "mismatch"
		default:
			r.State, r.Result = "approved", v.Identity
		}
		var err error
		d.Data, err = json.Marshal(r)
		return err
	})
}
