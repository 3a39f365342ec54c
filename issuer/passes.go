package issuer

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
)

// Ask is the body of POST /v1/passes: a brand and one proof that this is the
// person's phone.
type Ask struct {
	Brand     string `json:"brand"`
	Nonce     string `json:"nonce,omitempty"`     // with Signature: what the phone's key signed
	Signature string `json:"signature,omitempty"` // base64url without padding, 64 bytes r ‖ s
	PIN       string `json:"pin,omitempty"`
	Token     string `json:"token,omitempty"` // of an answer to a PIN
}

// Answer is a new pass.
type Answer struct {
	Text    string `json:"text"`    // what the QR code says
	SVG     string `json:"svg"`     // the symbol with its quiet zone
	Issued  int64  `json:"issued"`  // Unix seconds
	Expires int64  `json:"expires"` // Unix seconds
	Left    int64  `json:"left"`    // milliseconds until then by the issuer's clock: phones' clocks are not asked
	Nonce   string `json:"nonce"`   // to be signed for the next pass
	Token   string `json:"token,omitempty"`
}

// passes makes one pass for the session's person.
func (s *Server) passes(w http.ResponseWriter, r *http.Request) {
	in, err := jsonForm(r)
	if err != nil {
		problem(w, http.StatusBadRequest, errForm.Error())
		return
	}
	ask := Ask{in.Get("brand"), in.Get("nonce"), in.Get("signature"), in.Get("pin"), in.Get("token")}
	b := s.brands[ask.Brand]
	if b == nil {
		problem(w, http.StatusNotFound, ErrBrand.Error())
		return
	}
	c, err := s.open(w, r, b, "")
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	if c.next() != stepCode {
		c.refusePass(http.StatusForbidden, "the way to a code is not finished: see next", "")
		return
	}
	token, err := c.prove(ask)
	var no *refusal
	switch {
	case errors.As(err, &no):
		c.refusePass(no.status, s.pages.en[no.key], c.nonce())
		return
	case err != nil:
		s.fail(w, b, err)
		return
	}
	if wait, ok := s.people.allow(string(c.person.ID[:]), c.now); !ok {
		retryAfter(w, wait.Seconds())
		problem(w, http.StatusTooManyRequests, "too many codes at once: wait a moment")
		return
	}
	health, err := c.record(r.Context())
	if err != nil {
		// The visit matters more than what stands beside it.
		s.Log.Warn("the vaccination record is not at hand, the pass goes without", "brand", b.ID)
		health = nil
	}
	var id pass.ID
	rand.Read(id[:]) // never fails
	text, err := pass.Issue(s.keyOf(b, c.now), b.ID, id, c.now, health)
	if err != nil {
		s.fail(w, b, err)
		return
	}
	// No pass leaves whose owner could not be found again.
	if err := s.Store.Issued(r.Context(), id, c.person.ID, c.now); err != nil {
		s.fail(w, b, err)
		return
	}
	code, err := symbol.Encode(text)
	if err != nil {
		s.fail(w, b, err)
		return
	}
	issued := c.now.Truncate(time.Second)
	answer(w, Answer{
		Text: text, SVG: symbol.SVG(code, b.Name+" QR"), Nonce: c.nonce(), Token: token,
		Issued: issued.Unix(), Expires: issued.Add(pass.Lifetime).Unix(), Left: issued.Add(pass.Lifetime).Sub(c.now).Milliseconds(),
	})
}

// prove checks that the request comes from the person's own phone. The token
// it returns stands for the PIN on this page, where the brand asks for the
// proof once a page.
func (c *call) prove(ask Ask) (token string, err error) {
	if c.proof() == "key" {
		if !c.signed(c.person.Device.Key, "pass", ask.Nonce, ask.Signature) {
			return "", refuse(http.StatusUnauthorized, "err_phone")
		}
		return "", nil
	}
	switch {
	case ask.PIN != "":
		if err := c.checkPIN(ask.PIN); err != nil {
			return "", err
		}
		if c.brand.OwnDevice == "page" {
			token = c.ticket("page", pageLife)
		}
		return token, nil
	case ask.Token != "" && c.brand.OwnDevice == "page" && c.isTicket("page", ask.Token):
		return ask.Token, nil
	}
	return "", refuse(http.StatusUnauthorized, "pin_ask")
}

// refusePass says what is missing for a code.
func (c *call) refusePass(status int, detail, nonce string) {
	c.w.Header().Set("Content-Type", "application/problem+json")
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	json.NewEncoder(c.w).Encode(Problem{"about:blank", http.StatusText(status), status, detail, c.next(), nonce})
}

func (s *Server) fail(w http.ResponseWriter, b *Brand, err error) {
	s.Log.Error("a pass is not made", "brand", b.ID, "error", err)
	problem(w, http.StatusInternalServerError, "the pass could not be made: try again")
}

// Problem is an error as RFC 9457 asks for, with what is missing next.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Next   step   `json:"next,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(Problem{"about:blank", http.StatusText(status), status, detail, "", ""})
}
