// Package inquiry is the registry's part of an investigation: it takes an
// officer's request and a second officer's approval, opens the pass ids of the
// visits they signed for, and hands them out sealed to their issuers. It never
// learns who a pass belonged to. Package trace has the messages, TRACE.md beside
// it the specification; every step is a line of the audit log.
package inquiry

import (
	"context"
	"crypto/ed25519"
	_ "embed"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/rate"
	"github.com/munjigi/munjigi/registry/store"
)

const (
	// Keep is how long an approved inquiry and what is sealed in it are kept,
	// where its officer does not close it before.
	Keep = 28 * 24 * time.Hour
	// MaxAsks is how many inquiries an officer may begin in 24 hours.
	MaxAsks = 50
	// sweepEvery is how often what has had its time is looked for.
	sweepEvery = 10 * time.Minute
)

// Rosters yields the authority's roster in force, nil while there is none.
type Rosters interface {
	Roster() *trace.Roster
}

// Config is what a Server stands on. All fields are required.
type Config struct {
	DB      *store.DB
	Audit   *store.Audit
	Rosters Rosters
	Key     ed25519.PrivateKey // the receipt key; the roster lists its public half
	Now     func() time.Time
	Log     *slog.Logger
}

// Server answers officers, and keeps the time of what it keeps.
type Server struct {
	Config
	limit *rate.Limiter
	ready chan struct{}
}

// New checks c and returns its server.
func New(c Config) (*Server, error) {
	if c.DB == nil || c.Audit == nil || c.Rosters == nil || c.Now == nil || c.Log == nil || len(c.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("inquiry: store, audit log, rosters, receipt key, clock and log must all be given")
	}
	return &Server{Config: c, limit: rate.New(rate.Limit{PerSecond: 2, Burst: 120}), ready: make(chan struct{})}, nil
}

// openapi is the document of the addresses below Path; tests hold them to it.
//
//go:embed openapi.yaml
var openapi []byte

// Path is the address below which Handler answers.
const Path = "/v1/inquiries"

// Handler serves Path and everything below it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openapi)
	})
	mux.HandleFunc("GET "+Path+"/roster", s.roster)
	mux.HandleFunc("GET "+Path+"/facilities", s.facilities)
	mux.HandleFunc("POST "+Path, s.ask)
	mux.HandleFunc("GET "+Path, s.list)
	mux.HandleFunc("POST "+Path+"/{id}/approval", s.approve)
	mux.HandleFunc("GET "+Path+"/{id}/letters", s.letters)
	mux.HandleFunc("POST "+Path+"/{id}/answers", s.answer)
	mux.HandleFunc("POST "+Path+"/{id}/close", s.close)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "not-found", "there is nothing at this address by this method: see "+Path+"/openapi.yaml")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if wait := s.limit.Take(rate.Origin(r.RemoteAddr), s.Now()); wait > 0 {
			tooMany(w, wait, "too many requests from this address: wait a little")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// us is the registry as the roster of this moment lists it.
func (s *Server) us() (*trace.Roster, *trace.Identity, error) {
	r := s.Rosters.Roster()
	if r == nil {
		return nil, nil, errNoRoster
	}
	id, ok := r.RegistryOf(s.Key.Public().(ed25519.PublicKey))
	if !ok {
		return nil, nil, errNotListed
	}
	i, err := trace.NewIdentity(id, s.Key)
	return r, i, err
}

var (
	errNoRoster  = errors.New("there is no roster yet: put the authority's beside registry.toml")
	errNotListed = errors.New("the roster does not list this registry's receipt key: registry officer card prints it for the authority")
)

// String names the task.
func (s *Server) String() string { return "inquiries" }

// Ready is closed once the first sweep is done.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run erases what has had its time, at once and then every ten minutes, until
// ctx ends.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("inquiries past their time are not erased", "error", err)
		}
		if first {
			close(s.ready)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
