package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/store"
)

const (
	sessionName = "munjigi"
	// appName is the cookie of the pages that stand for the PASS and mOTP apps:
	// one of their own, as if on another phone.
	appName = "munjigi-app"
	// sessionLife is how long a browser is remembered after its last visit.
	sessionLife = 180 * 24 * time.Hour
	// unlocked is how long a PIN opens a brand's pages.
	unlocked = 10 * time.Minute
)

// session is what is known of a browser. It is kept sealed; its cookie is 32
// random bytes of which the store knows the hash only, and changes whenever
// the session may do more than before.
type session struct {
	SID    []byte            `json:"sid"`    // stays when the cookie changes
	Visits map[string]*visit `json:"visits"` // by brand or app
	Seen   time.Time         `json:"seen"`
}

// visit is a browser's way at one brand.
type visit struct {
	Person  *store.PersonID    `json:"person,omitempty"`
	Agreed  []store.Agreement  `json:"agreed,omitempty"` // before the person is known
	Flow    *flow              `json:"flow,omitempty"`
	Bind    bool               `json:"bind,omitempty"` // just verified: this phone may be bound
	Opened  time.Time          `json:"opened,omitzero"`
	Account []byte             `json:"account,omitempty"` // of an app
	Found   *identity.Identity `json:"found,omitempty"`   // verified for an app, PIN not chosen yet
	Passkey json.RawMessage    `json:"passkey,omitempty"` // challenge under way
}

// flow is an identity verification under way.
type flow struct {
	Guardian bool              `json:"guardian,omitempty"`
	Method   string            `json:"method,omitempty"`
	Picture  string            `json:"picture,omitempty"`
	Misread  int               `json:"misread,omitempty"` // picture codes
	Attempt  *identity.Attempt `json:"attempt,omitempty"`
}

// Store is what the server keeps. *store.DB is one.
type Store interface {
	identity.Documents
	Verify(ctx context.Context, p store.Person, method string, now time.Time, agreed []store.Agreement) (store.PersonID, error)
	Person(ctx context.Context, id store.PersonID) (store.Person, map[string]store.Agreement, error)
	Edit(ctx context.Context, id store.PersonID, f func(*store.More) error) error
	Bind(ctx context.Context, id store.PersonID, dev store.Device) error
	Agree(ctx context.Context, id store.PersonID, agreed []store.Agreement) error
	Disagree(ctx context.Context, id store.PersonID, item string) error
	Verifications(ctx context.Context, id store.PersonID) ([]store.Verification, error)
	Withdraw(ctx context.Context, id store.PersonID, now time.Time) (until time.Time, err error)
	Issued(ctx context.Context, pass [16]byte, who store.PersonID, now time.Time) error
	Retain(ctx context.Context, now time.Time, valid map[string]time.Duration) (store.Retained, error)
}

const sessionKind = "session"

func tokenID(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

func newToken() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// load reads the request's session, or begins one that is kept from its first
// save on.
func (s *Server) load(r *http.Request, cookie string, now time.Time) (sess *session, token string, err error) {
	if c, err := r.Cookie(cookie); err == nil {
		sess = new(session)
		ok, err := s.Store.Document(r.Context(), sessionKind, tokenID(c.Value), now, sess)
		if err != nil {
			return nil, "", err
		}
		if ok {
			return sess, c.Value, nil
		}
	}
	sess = &session{SID: make([]byte, 16), Visits: map[string]*visit{}}
	rand.Read(sess.SID) // never fails
	return sess, "", nil
}

// save keeps a session. rotate gives it a new cookie and ends the old one.
func (c *call) save(rotate bool) error {
	ctx, s := c.r.Context(), c.s
	c.sess.Seen = c.now
	data, err := json.Marshal(c.sess)
	if err != nil {
		return err
	}
	old := c.token
	if rotate || old == "" {
		c.token = newToken()
	}
	if err := s.Store.Change(ctx, sessionKind, tokenID(c.token), c.now, func(d *store.Document) error {
		d.Data, d.Expires = data, c.now.Add(sessionLife)
		return nil
	}); err != nil {
		return err
	}
	if old != c.token && old != "" {
		if err := s.Store.Change(ctx, sessionKind, tokenID(old), c.now, func(d *store.Document) error { d.Data = nil; return nil }); err != nil {
			return err
		}
	}
	http.SetCookie(c.w, &http.Cookie{
		Name: c.cookie, Value: c.token, Path: c.cookiePath(), MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure || c.r.TLS != nil,
	})
	return nil
}

func (c *call) cookiePath() string {
	if c.cookie == appName {
		return "/app/"
	}
	return "/"
}

// call is one request on its way: whose session, which brand or app, and what
// is known of the person.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	cookie string
	token  string
	sess   *session
	visit  *visit
	brand  *Brand // an app is shown like one
	app    identity.App
	base   string // path of the brand's or app's pages

	person *store.Person
	agreed map[string]store.Agreement

	then    string // where to go after an action; "": the next step
	problem string // text key of what went wrong
}

// open prepares a call. key is the brand's id or the app's.
func (s *Server) open(w http.ResponseWriter, r *http.Request, b *Brand, app identity.App) (*call, error) {
	c := &call{s: s, w: w, r: r, now: s.Now(), brand: b, app: app, cookie: sessionName, base: "/b/" + b.ID}
	key := b.ID
	if app != "" {
		c.cookie, c.base, key = appName, "/app/"+string(app), "app:"+string(app)
	}
	var err error
	if c.sess, c.token, err = s.load(r, c.cookie, c.now); err != nil {
		return nil, err
	}
	if c.visit = c.sess.Visits[key]; c.visit == nil {
		c.visit = &visit{}
		c.sess.Visits[key] = c.visit
	}
	return c, c.know()
}

// know reads the visit's person and consents.
func (c *call) know() error {
	c.person, c.agreed = nil, map[string]store.Agreement{}
	for _, a := range c.visit.Agreed {
		c.agreed[a.Item] = a
	}
	if c.visit.Person == nil {
		return nil
	}
	p, given, err := c.s.Store.Person(c.r.Context(), *c.visit.Person)
	if errors.Is(err, store.ErrNobody) { // withdrawn, or past its time
		c.visit.Person, c.visit.Bind = nil, false
		return nil
	}
	if err != nil {
		return err
	}
	c.person = &p
	maps.Copy(c.agreed, given)
	return nil
}
