package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

const (
	// DefaultSkew tolerates kiosks that are set to more than pass.Skew: what a
	// door has admitted must not be lost here for a second.
	DefaultSkew = 10 * time.Second
	// maxRequests is how many requests are served at once; one more is asked to
	// come again (503).
	maxRequests = 64
)

// Kiosk is one that may upload.
type Kiosk struct {
	ID       string
	Facility string
	Kind     string            // kind of facility: chooses the policy in the bundle
	Token    [sha256.Size]byte // SHA-256 of its token
}

// TokenHash is what a registry keeps of a kiosk's token.
func TokenHash(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Config is what a Server stands on. All fields but Skew are required.
type Config struct {
	Kiosks  []Kiosk
	Receipt ed25519.PrivateKey // signs receipts; its public key is in the bundle
	Bundles Bundles
	Store   Store
	Skew    time.Duration // tolerance at the second verification, not below any kiosk's; 0: DefaultSkew
	Now     func() time.Time
	Log     *slog.Logger
}

// Server answers kiosks, and owners who look at counts.
type Server struct {
	Config
	slots chan struct{}
}

// New checks c and returns its server.
func New(c Config) (*Server, error) {
	if c.Bundles == nil || c.Store == nil || c.Now == nil || c.Log == nil || len(c.Receipt) != ed25519.PrivateKeySize {
		return nil, errors.New("registry: bundle, store, receipt key, clock and log must all be given")
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	ids, tokens := map[string]bool{}, map[[sha256.Size]byte]bool{}
	for _, k := range c.Kiosks {
		switch {
		case k.ID == "" || k.Facility == "":
			return nil, errors.New("registry: a kiosk needs an id and a facility")
		case ids[k.ID]:
			return nil, fmt.Errorf("registry: kiosk %q stands twice in the configuration", k.ID)
		case tokens[k.Token]:
			return nil, fmt.Errorf("registry: kiosk %q shares its token with another", k.ID)
		}
		ids[k.ID], tokens[k.Token] = true, true
	}
	return &Server{Config: c, slots: make(chan struct{}, maxRequests)}, nil
}

// Handler serves all of the registry's addresses.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.VisitsPath, s.visits)
	mux.HandleFunc("GET "+wire.BundlePath, s.bundle)
	mux.HandleFunc("GET /v1/counts", s.counts)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /counts.css", s.style)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			problem(w, http.StatusServiceUnavailable, "the registry is busy: send the same again later")
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

// Serve serves HTTP on l, with limits on time and header size, until ctx ends;
// requests under way get 10 s to finish. TLS, if any, is l's affair.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- h.Shutdown(limit)
	})
	err := h.Serve(l)
	if stop() { // nobody asked for the end
		return fmt.Errorf("serve the registry: %w", err)
	}
	return <-stopped
}

// kiosk finds who sent a request, by its bearer token (RFC 6750, section 2.1).
func (s *Server) kiosk(r *http.Request) (Kiosk, bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Kiosk{}, false
	}
	// Every hash is compared to its end, whether one fits or not, so that time
	// tells nothing.
	hash, at := TokenHash(token), -1
	for i := range s.Kiosks {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], s.Kiosks[i].Token[:]), i, at)
	}
	if at < 0 {
		return Kiosk{}, false
	}
	return s.Kiosks[at], true
}

// bundle serves the signed trust bundle. It is public: keys and policies.
func (s *Server) bundle(w http.ResponseWriter, r *http.Request) {
	b := s.Bundles.Bundle()
	if b == nil {
		problem(w, http.StatusServiceUnavailable, "the registry has no trust bundle yet")
		return
	}
	raw := b.Raw()
	sum := sha256.Sum256(raw)
	w.Header().Set("Content-Type", wire.ContentType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw)) // answers If-None-Match
}

// health says whether the store can be read and how old the bundle is.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if err := s.Store.Ping(r.Context()); err != nil {
		s.Log.Error("the store cannot be read", "error", err)
		problem(w, http.StatusServiceUnavailable, "the store cannot be read")
		return
	}
	b := s.Bundles.Bundle()
	if b == nil || !s.Now().Before(b.Expires()) {
		problem(w, http.StatusServiceUnavailable, "the trust bundle has expired or is missing: sign a new one with registry bundle")
		return
	}
	reply(w, struct {
		Status  string `json:"status"`
		Bundle  uint64 `json:"bundle"`
		Expires string `json:"expires"`
	}{"ok", b.Number(), b.Expires().Format(time.RFC3339)})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}

// conditions are those a visit is verified with again. Whether its clock was
// sure is the kiosk's word; what it admitted while unsure stays flagged.
func (s *Server) conditions(k Kiosk, v wire.Visit) pass.Conditions {
	c := pass.Conditions{Skew: s.Skew, Facility: k.Kind, Clock: pass.ClockSure}
	if v.Flags&wire.FlagClockUnsure != 0 {
		c.Clock, c.AdmitUnsure = pass.ClockUnsure, true
	}
	return c
}
