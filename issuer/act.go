package issuer

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/munjigi/munjigi/issuer/identity"
)

// action changes something on a visitor's way. The pages' forms and the JSON
// API call the same ones.
type action struct {
	page string // shown again where it is refused
	do   func(c *call, in url.Values) error
	apps bool // the PASS and mOTP pages have it too
}

// refusal is an error that the visitor is told; key is its text's.
type refusal struct {
	status int
	key    string
}

func (r *refusal) Error() string { return r.key }

func refuse(status int, key string) error { return &refusal{status, key} }

// actions by the last part of their address.
var actions = map[string]action{
	"consent":              {"consent", (*call).agree, false},
	"identity/choose":      {"identity", (*call).choose, true},
	"identity/sms":         {"identity", (*call).beginSMS, true},
	"identity/pass":        {"identity", (*call).beginPass, true},
	"identity/number":      {"identity", (*call).beginNumber, true},
	"identity/motp":        {"identity", (*call).beginOTP, false},
	"identity/certificate": {"identity", (*call).beginCertificate, false},
	"identity/picture":     {"identity", (*call).newPicture, true},
	"identity/check":       {"identity", (*call).check, true},
	"identity/resend":      {"identity", (*call).resend, true},
	"identity/extend":      {"identity", (*call).extend, true},
	"identity/cancel":      {"identity", (*call).cancel, true},
	"guardian":             {"guardian", (*call).guardian, false},
	"device":               {"device", (*call).bind, false},
	"login":                {"login", (*call).login, false},
	"other":                {"other", (*call).other, false},
	"health":               {"me", (*call).loadHealth, false},
	"health/withdraw":      {"me", (*call).withdrawHealth, false},
	"withdraw":             {"withdraw", (*call).withdraw, false},
	"passkeys/remove":      {"me", (*call).removePasskeys, false},
}

// sessionLocks make one browser's actions happen one after another: two tabs
// do not race, and parallel guesses are counted one by one.
type sessionLocks [64]sync.Mutex

func (l *sessionLocks) of(r *http.Request, cookie string) *sync.Mutex {
	c, err := r.Cookie(cookie)
	if err != nil {
		return new(sync.Mutex) // nobody else has this session yet
	}
	return &l[tokenID(c.Value)[0]%64]
}

// run opens a call and does an action of it.
func (s *Server) run(w http.ResponseWriter, r *http.Request, b *Brand, app identity.App, a action, in url.Values) (*call, error) {
	c, err := s.open(w, r, b, app)
	if err != nil {
		return nil, err
	}
	if _, ok := s.addresses.allow(s.address(r), c.now); !ok {
		return c, refuse(http.StatusTooManyRequests, "slow")
	}
	if err := a.do(c, in); err != nil {
		return c, err
	}
	return c, nil
}

func (s *Server) lookup(app identity.App, path string) (action, bool) {
	if app != "" {
		if a, ok := appActions[path]; ok {
			return a, true
		}
		a, ok := actions[path]
		return a, ok && a.apps
	}
	a, ok := actions[path]
	return a, ok
}

// post does a form's action and goes on to the next page, or shows the form
// again with what is wrong.
func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	b, app := s.subject(r)
	a, ok := s.lookup(app, r.PathValue("page"))
	if b == nil || !ok {
		s.missing(w, r)
		return
	}
	cookie := sessionName
	if app != "" {
		cookie = appName
	}
	lock := s.locks.of(r, cookie)
	lock.Lock()
	defer lock.Unlock()
	if err := r.ParseForm(); err != nil {
		s.missing(w, r)
		return
	}
	c, err := s.run(w, r, b, app, a, r.PostForm)
	var no *refusal
	switch {
	case errors.As(err, &no):
		c.problem = no.key
		page := a.page
		if no.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "60")
		}
		s.render(c, no.status, page)
	case err != nil:
		s.broken(w, "an action failed", err)
	default:
		http.Redirect(w, r, c.where(), http.StatusSeeOther)
	}
}

// where is the page that follows an action.
func (c *call) where() string {
	if c.then != "" {
		return c.then
	}
	if c.app != "" {
		return c.base
	}
	return c.base + "/" + string(c.next())
}

// State is what the JSON API answers to every action: what is missing next.
type State struct {
	Brand   string   `json:"brand"`
	Next    step     `json:"next"`
	Screen  int      `json:"screen,omitempty"`  // consent: which screen
	Items   []string `json:"items,omitempty"`   // consent: what it holds
	Attempt *Waiting `json:"attempt,omitempty"` // identity: what is under way
	Proof   string   `json:"proof,omitempty"`   // qr: "key" or "pin"
	Nonce   string   `json:"nonce,omitempty"`   // to be signed by the phone's key
}

// Waiting is an identity verification under way.
type Waiting struct {
	Method string `json:"method"`
	Left   int64  `json:"left"`             // milliseconds
	Number string `json:"number,omitempty"` // to be typed into the PASS app
	Tries  int    `json:"tries"`
	Signed string `json:"signed,omitempty"` // certificate: what its key is to sign
}

func (c *call) state() State {
	st := State{Brand: c.brand.ID, Next: c.next(), Nonce: c.nonce()}
	switch st.Next {
	case stepConsent:
		st.Screen = c.screen()
		for _, t := range c.brand.Consents {
			if t.Screen == st.Screen {
				st.Items = append(st.Items, t.Item)
			}
		}
	case stepCode:
		st.Proof = c.proof()
	}
	if f := c.visit.Flow; f != nil && f.Attempt != nil {
		st.Attempt = &Waiting{Method: f.Method, Left: max(0, f.Attempt.Until.Sub(c.now).Milliseconds()), Number: f.Attempt.Number, Tries: f.Attempt.Tries}
		if f.Attempt.Method == byCertificate { // another's code is a secret
			st.Attempt.Signed = identity.SignedText(f.Attempt.Asker, f.Attempt.Code)
		}
	}
	return st
}

//go:embed openapi.yaml
var openAPI []byte

// apiState answers GET /v1/b/{brand}.
func (s *Server) apiState(w http.ResponseWriter, r *http.Request) {
	b := s.brands[r.PathValue("brand")]
	if b == nil {
		problem(w, http.StatusNotFound, ErrBrand.Error())
		return
	}
	c, err := s.open(w, r, b, "")
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	answer(w, c.state())
}

// apiPost does an action for an app: a JSON object of strings and lists of
// strings stands for the form.
func (s *Server) apiPost(w http.ResponseWriter, r *http.Request) {
	b := s.brands[r.PathValue("brand")]
	a, ok := s.lookup("", r.PathValue("page"))
	if b == nil || !ok {
		problem(w, http.StatusNotFound, "there is no such brand or action here")
		return
	}
	lock := s.locks.of(r, sessionName)
	lock.Lock()
	defer lock.Unlock()
	in, err := jsonForm(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	c, err := s.run(w, r, b, "", a, in)
	var no *refusal
	switch {
	case errors.As(err, &no):
		problem(w, no.status, s.pages.en[no.key])
	case err != nil:
		s.apiBroken(w, err)
	default:
		answer(w, c.state())
	}
}

var errForm = errors.New("the request is a JSON object whose values are strings or lists of strings, sent as application/json")

func jsonForm(r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, errForm
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, errForm
	}
	in := url.Values{}
	for key, v := range body {
		switch v := v.(type) {
		case string:
			in.Set(key, v)
		case []any:
			for _, e := range v {
				text, ok := e.(string)
				if !ok {
					return nil, errForm
				}
				in.Add(key, text)
			}
		default:
			return nil, errForm
		}
	}
	return in, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // it is never read as a page, and codes are full of tags
	out.Encode(v)
}

func (s *Server) apiBroken(w http.ResponseWriter, err error) {
	s.Log.Error("a request is not answered", "error", err)
	problem(w, http.StatusInternalServerError, "something is broken here: try again")
}

// broken answers a page that cannot be made.
func (s *Server) broken(w http.ResponseWriter, what string, err error) {
	s.Log.Error(what, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "잠시 후 다시 시도해 주세요. Please try again later.", http.StatusInternalServerError)
}

func retryAfter(w http.ResponseWriter, seconds float64) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(seconds))))
}

// failed turns an error of the identity package into what the visitor is told.
func failed(err error) error {
	for e, key := range map[error]string{
		identity.ErrForm: "err_form", identity.ErrWrong: "err_wrong", identity.ErrTries: "err_tries", identity.ErrExpired: "err_expired",
		identity.ErrPending: "err_pending", identity.ErrRefused: "err_refused", identity.ErrMismatch: "err_mismatch",
		identity.ErrLimit: "err_limit", identity.ErrLocked: "err_locked", identity.ErrAway: "err_away",
		identity.ErrCertUnfit: "err_cert_unfit", identity.ErrCertUnknown: "err_cert_unknown", identity.ErrCertExpired: "err_cert_expired",
		identity.ErrCertRevoked: "err_cert_revoked", identity.ErrCertOther: "err_cert_other",
	} {
		if errors.Is(err, e) {
			status := http.StatusUnprocessableEntity
			switch e {
			case identity.ErrLimit:
				status = http.StatusTooManyRequests
			case identity.ErrAway:
				status = http.StatusServiceUnavailable
			}
			return refuse(status, key)
		}
	}
	return fmt.Errorf("verify an identity: %w", err)
}
