package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/rate"
)

// DefaultSkew tolerates kiosks that are set to more than pass.Skew: what a
// door has admitted must not be lost here for a second.
const DefaultSkew = 10 * time.Second

// Limits bound what one sender can ask of the registry. A zero field has its default.
type Limits struct {
	Slots  int           // requests served at once; one more is asked to come again. 512. An eighth of them for enrolments, and for investigations
	Read   time.Duration // for a request's header and body. 20 s
	Write  time.Duration // from the end of the header to the end of the answer. 60 s
	Stop   time.Duration // for requests under way when the server ends. 10 s
	Kiosk  rate.Limit    // of one kiosk. 20/s, 100 at once
	Public rate.Limit    // of one address without a certificate. 10/s, 100 at once
}

func (l Limits) filled() Limits {
	if l.Slots == 0 {
		l.Slots = 512
	}
	for d, standard := range map[*time.Duration]time.Duration{&l.Read: 20 * time.Second, &l.Write: time.Minute, &l.Stop: 10 * time.Second} {
		if *d == 0 {
			*d = standard
		}
	}
	if l.Kiosk == (rate.Limit{}) {
		l.Kiosk = rate.Limit{PerSecond: 20, Burst: 100}
	}
	if l.Public == (rate.Limit{}) {
		l.Public = rate.Limit{PerSecond: 10, Burst: 100}
	}
	return l
}

// Config is what a Server stands on. Receipt, Bundles, Store, Devices, Now and
// Log are required.
type Config struct {
	Receipt ed25519.PrivateKey // signs receipts; its public key is in the bundle
	Bundles Bundles
	Store   Store
	Devices *devices.Book
	Skew    time.Duration // tolerance at the second verification, not below any kiosk's; 0: DefaultSkew
	Limits  Limits
	Now     func() time.Time
	Log     *slog.Logger

	Certificate Certificate  // the server's own; nil: plain HTTP
	Owners      http.Handler // at "/"; nil: nothing there
	Inquiry     http.Handler // at "/v1/inquiries"; nil: nothing there
	Outbox      http.Handler // at "/outbox" of the admin address; nil: nothing there
}

// Server answers kiosks.
type Server struct {
	Config
	inUse   atomic.Int64
	cores   chan struct{} // one for each signature check at the same time
	kiosks  *rate.Limiter
	public  *rate.Limiter
	metrics *metrics
}

// New checks c and returns its server.
func New(c Config) (*Server, error) {
	if c.Bundles == nil || c.Store == nil || c.Devices == nil || c.Now == nil || c.Log == nil || len(c.Receipt) != ed25519.PrivateKeySize {
		return nil, errors.New("registry: bundle, store, book of devices, receipt key, clock and log must all be given")
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	c.Limits = c.Limits.filled()
	s := &Server{Config: c, cores: make(chan struct{}, runtime.GOMAXPROCS(0)), kiosks: rate.New(c.Limits.Kiosk), public: rate.New(c.Limits.Public)}
	s.metrics = newMetrics(s)
	return s, nil
}

// openapi is the document of API v1. TestOpenAPI holds the server to it.
//
//go:embed openapi.yaml
var openapi []byte

// DocumentPath serves the OpenAPI document.
const DocumentPath = "/v1/openapi.yaml"

// Handler serves all of the registry's addresses but metrics.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range []struct {
		method, path string
		serve        http.HandlerFunc
	}{
		{http.MethodPost, wire.VisitsPath, s.visits},
		{http.MethodPost, wire.HeartbeatPath, s.heartbeat},
		{http.MethodPost, wire.RenewPath, s.renew},
		{http.MethodPost, wire.EnrolPath, s.rated(s.few(http.HandlerFunc(s.enrol)))},
		{http.MethodGet, wire.TimePath, s.rated(s.time)},
		{http.MethodGet, wire.BundlePath, s.rated(s.bundle)},
		{http.MethodGet, DocumentPath, s.rated(s.document)},
	} {
		mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != route.method && (r.Method != http.MethodHead || route.method != http.MethodGet) {
				w.Header().Set("Allow", route.method)
				problem(w, refusal{status: http.StatusMethodNotAllowed, kind: wire.ProblemMethod, detail: "this address takes " + route.method})
				return
			}
			route.serve(w, r)
		})
	}
	nothing := func(w http.ResponseWriter, _ *http.Request) { problem(w, notFound) }
	mux.HandleFunc("/v1", nothing)
	mux.HandleFunc("/v1/", nothing)
	if s.Inquiry != nil {
		inquiry := s.few(s.Inquiry)
		mux.Handle("/v1/inquiries", inquiry)
		mux.Handle("/v1/inquiries/", inquiry)
	}
	if s.Owners != nil {
		mux.Handle("/", s.Owners)
	} else {
		mux.HandleFunc("/", nothing)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if crooked(r) {
			problem(w, notFound)
			return
		}
		defer s.inUse.Add(-1)
		if s.inUse.Add(1) > int64(s.Limits.Slots) {
			s.metrics.turnedAway.Inc()
			problem(w, busy("the registry is busy: send the same again later"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// crooked says whether an address is written in another way than the plain one
// ("//", "..", "%2e", a backslash): no client of ours does that, and what sits
// before a server may read it otherwise than the server does.
func crooked(r *http.Request) bool {
	p := r.URL.Path
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return p != clean || strings.ContainsAny(p, "\\\x00") || strings.Contains(r.URL.EscapedPath(), "%2")
}

// rated bounds what one address asks for without a certificate.
func (s *Server) rated(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if wait := s.public.Take(rate.Origin(r.RemoteAddr), s.Now()); wait > 0 {
			problem(w, refusal{status: http.StatusTooManyRequests, kind: wire.ProblemRate, detail: "this address asks too often: wait as Retry-After says", after: wait})
			return
		}
		next(w, r)
	}
}

// few lets next have an eighth of the slots. It reads bodies of whoever sends
// them before it knows who that is, and who sends them slowly must not take the
// registry from the kiosks.
func (s *Server) few(next http.Handler) http.HandlerFunc {
	slots := make(chan struct{}, max(1, s.Limits.Slots/8))
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			s.metrics.turnedAway.Inc()
			problem(w, busy("the registry is busy: send the same again later"))
		}
	}
}

// bundle serves the signed trust bundle. It is public: keys and policies.
func (s *Server) bundle(w http.ResponseWriter, r *http.Request) {
	b := s.Bundles.Bundle()
	if b == nil {
		problem(w, noBundle)
		return
	}
	raw := b.Raw()
	sum := sha256.Sum256(raw)
	w.Header().Set("Content-Type", wire.ContentType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	r.Header.Del("Range")                                          // it is small, and half of it is nothing
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw)) // answers If-None-Match
}

func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(openapi)
}

// message answers with a signed message.
func message(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", wire.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(body)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}

// inForce is the bundle that judges at now, or nil.
func (s *Server) inForce(now time.Time) *pass.Bundle {
	if b := s.Bundles.Bundle(); b != nil && now.Before(b.Expires()) {
		return b
	}
	return nil
}
