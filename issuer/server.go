package issuer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
)

// Helpline stands on every page.
type Helpline struct {
	Number  string // as it is dialled
	Hours   string // when somebody answers, Korean
	HoursEN string
}

// Config is what a Server stands on. Brands, Helpline, Now and Log are
// required; what is left out is the one for demonstrations.
type Config struct {
	Brands      []Brand // with their keys
	Helpline    Helpline
	Store       Store                // nil: one in memory
	Gateway     identity.Gateway     // nil: messages stand on the page /app/sms, where anybody can read them
	Subscribers identity.Subscribers // nil: every claim is confirmed
	Health      HealthSource         // nil: there is none, and visitors are not asked
	Secure      bool                 // reached by https: cookies are marked Secure
	Forwarded   bool                 // behind one proxy that adds X-Forwarded-For
	Now         func() time.Time
	Log         *slog.Logger
}

// Server makes passes and the pages that lead to them.
type Server struct {
	Config
	brands      map[string]*Brand
	pages       *pages
	inbox       *identity.Inbox // nil: messages are sent
	methods     map[string]identity.Method
	certificate map[string]identity.Method // by brand: each believes others
	sms         *identity.SMS
	pass        *identity.Pass
	accounts    *identity.Accounts

	keys      sync.RWMutex // guards the brands' Next
	locks     sessionLocks
	addresses limiter // actions by address
	people    limiter // codes by person
}

// New checks c and returns its server.
func New(c Config) (*Server, error) {
	if c.Now == nil || c.Log == nil || len(c.Brands) == 0 {
		return nil, errors.New("issuer: brands, clock and log must all be given")
	}
	if c.Helpline.Number == "" || c.Helpline.Hours == "" || c.Helpline.HoursEN == "" {
		return nil, errors.New("issuer: the helpline needs a number and its hours in both languages")
	}
	s := &Server{
		Config: c, brands: make(map[string]*Brand, len(c.Brands)), certificate: map[string]identity.Method{},
		addresses: limiter{burst: 600, refill: time.Second / 10}, // carriers put many phones behind one address
		people:    limiter{burst: 10, refill: 3 * time.Second},   // renewals take one in 15 s
	}
	for i := range c.Brands {
		b := &c.Brands[i]
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("issuer: brand %q: %w", b.ID, err)
		}
		if len(b.Key) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("issuer: brand %q has no key: make one with issuer init", b.ID)
		}
		if s.brands[b.ID] != nil {
			return nil, fmt.Errorf("issuer: brand %q stands twice", b.ID)
		}
		if b.Authorities == nil {
			b.Methods = slices.DeleteFunc(slices.Clone(b.Methods), func(m string) bool { return m == byCertificate })
		}
		if len(b.Methods) == 0 {
			return nil, fmt.Errorf("issuer: brand %q verifies by certificate alone and has no certificate.ca", b.ID)
		}
		s.brands[b.ID] = b
	}
	if s.Store == nil {
		db, err := store.Memory(context.Background())
		if err != nil {
			return nil, fmt.Errorf("issuer: %w", err)
		}
		s.Store = db
	}
	if s.Gateway == nil {
		s.inbox = &identity.Inbox{Now: s.Now}
		s.Gateway = s.inbox
	}
	if s.Subscribers == nil {
		s.Subscribers = identity.AnySubscriber{}
	}
	s.accounts = &identity.Accounts{Docs: s.Store}
	s.sms = &identity.SMS{Docs: s.Store, Gateway: s.Gateway, Subscribers: s.Subscribers}
	s.pass = &identity.Pass{Docs: s.Store, Accounts: s.accounts, Subscribers: s.Subscribers}
	s.methods = map[string]identity.Method{"sms": s.sms, "pass": s.pass, "motp": &identity.OTP{Accounts: s.accounts, Subscribers: s.Subscribers}}
	for _, b := range s.brands {
		if b.Authorities != nil {
			s.certificate[b.ID] = &identity.Certificate{Authorities: b.Authorities, Subscribers: s.Subscribers}
		}
	}
	var err error
	if s.pages, err = newPages(c.Brands); err != nil {
		return nil, err
	}
	return s, nil
}

// method is a way to verify an identity, as a brand has it.
func (s *Server) method(b *Brand, name string) identity.Method {
	if name == byCertificate {
		return s.certificate[b.ID]
	}
	return s.methods[name]
}

// ErrBrand is returned for a brand this issuer does not have.
var ErrBrand = errors.New("there is no such brand here")

// Issue makes the text of a new pass of a brand for nobody: its fresh random id
// stands in no issue log. It serves tests and the demonstration's virtual
// visitors; people get theirs by POST /v1/passes. health may be nil.
func (s *Server) Issue(now time.Time, brand string, health *pass.Health) (text string, err error) {
	b := s.brands[brand]
	if b == nil {
		return "", ErrBrand
	}
	var id pass.ID
	rand.Read(id[:]) // never fails
	return pass.Issue(s.keyOf(b, now), b.ID, id, now, health)
}

// Rotate tells the server the keys that a brand signs with from later days on,
// all of them; each takes over by itself when its day has come.
func (s *Server) Rotate(brand string, next []DatedKey) error {
	b := s.brands[brand]
	if b == nil {
		return ErrBrand
	}
	s.keys.Lock()
	defer s.keys.Unlock()
	b.Next = next
	return nil
}

func (s *Server) keyOf(b *Brand, now time.Time) ed25519.PrivateKey {
	s.keys.RLock()
	defer s.keys.RUnlock()
	return b.keyAt(now)
}

// Handler serves pages and passes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /b/{brand}/{page...}", s.get)
	mux.HandleFunc("GET /b/{brand}", s.get)
	mux.HandleFunc("POST /b/{brand}/{page...}", s.post)
	mux.HandleFunc("GET /app/{app}/{page...}", s.get)
	mux.HandleFunc("GET /app/{app}", s.get)
	mux.HandleFunc("POST /app/{app}/{page...}", s.post)
	mux.HandleFunc("GET /app/sms", s.inboxPage)
	mux.HandleFunc("GET /app/motp/code", s.appCode)
	mux.HandleFunc("GET /app/pass/waiting", s.appWaiting)
	mux.HandleFunc("GET /help", s.help)
	mux.HandleFunc("GET /guide", s.guidePage)
	mux.HandleFunc("GET /guide/{file}", s.guideFile)
	mux.HandleFunc("POST /v1/passes", s.passes)
	mux.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) { document(w, openAPI) })
	mux.HandleFunc("GET /v1/b/{brand}", s.apiState)
	mux.HandleFunc("POST /v1/b/{brand}/{page...}", s.apiPost)
	mux.HandleFunc("POST /v1/b/{brand}/passkey/{step}", s.passkey)
	mux.HandleFunc("GET /web/{file}", s.pages.file)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "ok")
	})
	// Another site's page must not make codes or agree in a visitor's name.
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		protected.ServeHTTP(w, r)
	})
}

// Retain ends what has had its time, see store.DB.Retain.
func (s *Server) Retain(ctx context.Context) (store.Retained, error) {
	valid := map[string]time.Duration{}
	for _, b := range s.brands {
		if b.Reverify > 0 {
			valid[b.ID] = b.valid()
		}
	}
	return s.Store.Retain(ctx, s.Now(), valid)
}

// Serve serves HTTP on l, with limits on time and header size, until ctx ends;
// requests under way get 5 s to finish. TLS, if any, is l's affair.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- h.Shutdown(limit)
	})
	err := h.Serve(l)
	if stop() { // nobody asked for the end
		return fmt.Errorf("serve the issuer: %w", err)
	}
	return <-stopped
}
