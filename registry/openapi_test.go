package registry

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/rate"
)

// decodeBodies tells the validator that bodies of these types are what they are.
func decodeBodies() {
	for _, media := range []string{wire.ContentType, wire.RequestType} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
}

// contract holds requests and answers to the document.
type contract struct {
	router routers.Router
	open   map[string]bool // "POST /v1/visits 200", as long as no answer was like that
}

func newContract(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &contract{open: map[string]bool{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				c.open[fmt.Sprintf("%s %s %s", method, path, status)] = true
			}
		}
	}
	if c.router, err = gorillamux.NewRouter(doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// check validates one exchange. proper says whether the request is one that
// the document allows.
func (c *contract) check(t *testing.T, r *http.Request, body []byte, proper bool, w *httptest.ResponseRecorder) {
	t.Helper()
	documented := r.Clone(context.Background())
	if w.Code == http.StatusMethodNotAllowed { // documented at the method that is allowed
		documented.Method = w.Header().Get("Allow")
	}
	route, params, err := c.router.FindRoute(documented)
	if err != nil {
		t.Fatalf("%s %s is not in the document: %v", r.Method, r.URL.Path, err)
	}
	documented.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: documented, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); (err == nil) != proper {
		t.Errorf("the document says of the request: %v", err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header()}
	out.SetBodyBytes(w.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("the document says of the answer %d: %v\n%.300s", w.Code, err, w.Body)
	}
	delete(c.open, fmt.Sprintf("%s %s %d", documented.Method, route.Path, w.Code))
}

// half is a body that stops.
type half struct{ io.Reader }

func (h half) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// exchange is one question, and what is expected.
type exchange struct {
	name   string
	method string
	path   string
	door   string // whose certificate is shown
	media  string
	body   []byte
	edit   func(h *house, r *http.Request) // of request and house, just before
	broken bool                            // the request itself breaks the document
	status int
	kind   string // of problem
}

// Every address and every answer of the document, through the real handler; at
// the end no documented answer is left that nobody has seen.
func TestOpenAPI(t *testing.T) {
	c := newContract(t)
	h := newHouse(t)
	now := h.time()
	batch, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	beat, err := wire.Heartbeat{Version: "v1", Bundle: 7}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	enrol := h.enrolBody(t, "new")
	used := h.enrolBody(t, "one")
	var stolen []byte
	guessed := h.enrolBody(t, "guess")
	{ // the code that "one" is about to use, in another's hands
		e, err := wire.DecodeEnrol(used)
		if err != nil {
			t.Fatal(err)
		}
		e.CSR = csr(t, "thief")
		if stolen, err = e.Encode(); err != nil {
			t.Fatal(err)
		}
		g, err := wire.DecodeEnrol(guessed)
		if err != nil {
			t.Fatal(err)
		}
		g.MAC = make([]byte, 32)
		if guessed, err = g.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	const post, get = http.MethodPost, http.MethodGet
	nonce := "/v1/time?nonce=" + strings.Repeat("0a", 16)
	unbundled := func(h *house, _ *http.Request) { h.Bundles = fixed{} }
	later := func(d time.Duration) func(*house, *http.Request) {
		return func(h *house, _ *http.Request) { h.set(now.Add(d)) }
	}
	full := func(h *house, _ *http.Request) { h.inUse.Store(int64(h.Limits.Slots)) }
	spent := func(h *house, _ *http.Request) {
		h.kiosks, h.public = rate.New(rate.Limit{PerSecond: 1e-3, Burst: 0.5}), rate.New(rate.Limit{PerSecond: 1e-3, Burst: 0.5})
	}
	stops := func(_ *house, r *http.Request) { r.Body = io.NopCloser(half{r.Body}) }
	odd := func(_ *house, r *http.Request) { r.Header.Set("Content-Encoding", "br") }
	foreign := func(h *house, r *http.Request) {
		r.TLS.PeerCertificates = []*x509.Certificate{selfSigned(t, "door-1")}
	}
	exchanges := []exchange{
		{"a batch", post, wire.VisitsPath, "door-1", wire.ContentType, batch, nil, false, 200, ""},
		{"a batch again", post, wire.VisitsPath, "door-1", wire.ContentType, batch, nil, false, 200, ""},
		{"a batch, zipped", post, wire.VisitsPath, "door-1", wire.ContentType, zip(t, batch), func(_ *house, r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, false, 200, ""},
		{"another's batch", post, wire.VisitsPath, "door-2", wire.ContentType, batch, nil, false, 403, wire.ProblemOtherKiosk},
		{"a batch without keys in force", post, wire.VisitsPath, "door-1", wire.ContentType, batch, unbundled, false, 503, wire.ProblemNoBundle},
		{"a heartbeat", post, wire.HeartbeatPath, "door-1", wire.ContentType, beat, nil, false, 204, ""},
		{"a renewal", post, wire.RenewPath, "door-1", wire.RequestType, csr(t, "door-1"), nil, false, 200, ""},
		{"a renewal, expired", post, wire.RenewPath, "door-1", wire.RequestType, csr(t, "door-1"), later(100 * day), false, 200, ""},
		{"a renewal with another's key", post, wire.RenewPath, "door-1", wire.RequestType, csr(t, "door-2"), nil, false, 409, wire.ProblemKeyTaken},
		{"an enrolment", post, wire.EnrolPath, "", wire.ContentType, enrol, nil, false, 200, ""},
		{"the same again", post, wire.EnrolPath, "", wire.ContentType, enrol, nil, false, 200, ""},
		{"a code's first use", post, wire.EnrolPath, "", wire.ContentType, used, nil, false, 200, ""},
		{"a used code", post, wire.EnrolPath, "", wire.ContentType, stolen, nil, false, 409, wire.ProblemCodeUsed},
		{"a guessed secret", post, wire.EnrolPath, "", wire.ContentType, guessed, nil, false, 403, wire.ProblemCodeUnknown},
		{"an expired code", post, wire.EnrolPath, "", wire.ContentType, guessed, later(2 * time.Hour), false, 410, wire.ProblemCodeExpired},
		{"the time", get, nonce, "", "", nil, nil, false, 200, ""},
		{"the time, no nonce", get, wire.TimePath, "", "", nil, nil, true, 400, wire.ProblemMalformed},
		{"the time, half a nonce", get, wire.TimePath + "?nonce=0a", "", "", nil, nil, true, 400, wire.ProblemMalformed},
		{"the bundle", get, wire.BundlePath, "", "", nil, nil, false, 200, ""},
		{"the bundle we have", get, wire.BundlePath, "", "", nil, func(h *house, r *http.Request) {
			w := httptest.NewRecorder()
			h.bundle(w, httptest.NewRequest(get, wire.BundlePath, nil))
			r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		}, false, 304, ""},
		{"no bundle", get, wire.BundlePath, "", "", nil, unbundled, false, 503, wire.ProblemNoBundle},
		{"the document", get, DocumentPath, "", "", nil, nil, false, 200, ""},
	}
	for _, to := range []struct {
		path, door, media string
		body              []byte
		most              int
	}{
		{wire.VisitsPath, "door-1", wire.ContentType, batch, wire.MaxBody},
		{wire.HeartbeatPath, "door-1", wire.ContentType, beat, wire.MaxHeartbeat},
		{wire.RenewPath, "door-1", wire.RequestType, csr(t, "door-1"), wire.MaxRequest},
		{wire.EnrolPath, "", wire.ContentType, enrol, wire.MaxRequest},
	} {
		add := func(name, door, media string, body []byte, edit func(*house, *http.Request), broken bool, status int, kind string) {
			exchanges = append(exchanges, exchange{name + " at " + to.path, post, to.path, door, media, body, edit, broken, status, kind})
		}
		add("junk", to.door, to.media, []byte("junk"), nil, false, 400, wire.ProblemMalformed)
		add("too much", to.door, to.media, make([]byte, to.most+1), nil, true, 413, wire.ProblemTooLarge)
		add("another type", to.door, "text/plain", to.body, nil, true, 415, wire.ProblemMediaType)
		add("another encoding", to.door, to.media, to.body, odd, true, 415, wire.ProblemMediaType)
		add("half a body", to.door, to.media, to.body, stops, false, 408, wire.ProblemTimeout)
		add("too often", to.door, to.media, to.body, spent, false, 429, wire.ProblemRate)
		add("too many", to.door, to.media, to.body, full, false, 503, wire.ProblemBusy)
		exchanges = append(exchanges, exchange{"GET at " + to.path, get, to.path, to.door, to.media, to.body, nil, false, 405, wire.ProblemMethod})
		if to.door == "" {
			continue
		}
		add("no certificate", "", to.media, to.body, nil, false, 401, wire.ProblemNoCertificate)
		add("a foreign certificate", to.door, to.media, to.body, foreign, false, 403, wire.ProblemUnknownKiosk)
		add("revoked", "door-r", to.media, to.body, nil, false, 403, wire.ProblemRevoked)
		if to.path != wire.RenewPath {
			add("expired", to.door, to.media, to.body, later(100*day), false, 403, wire.ProblemExpiredCertificate)
		}
	}
	for _, path := range []string{nonce, wire.BundlePath, DocumentPath} {
		exchanges = append(exchanges,
			exchange{"POST at " + path, post, path, "", "", nil, nil, false, 405, wire.ProblemMethod},
			exchange{"too often at " + path, get, path, "", "", nil, spent, false, 429, wire.ProblemRate},
			exchange{"too many at " + path, get, path, "", "", nil, full, false, 503, wire.ProblemBusy})
	}

	h.doors["door-r"] = h.enrol(t, "door-r", "restaurant")
	if err := h.book.Revoke(t.Context(), h.doors["door-r"].Kiosk, now); err != nil {
		t.Fatal(err)
	}
	bundles, perKiosk, public := h.Bundles, h.kiosks, h.public
	handler := h.Handler()
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			h.set(now)
			h.Bundles, h.kiosks, h.public = bundles, perKiosk, public
			h.inUse.Store(0)
			r := h.request(x.door, x.body)
			r.Method, r.URL.Path, r.URL.RawQuery = x.method, x.path, ""
			if path, query, ok := strings.Cut(x.path, "?"); ok {
				r.URL.Path, r.URL.RawQuery = path, query
			}
			r.Header.Set("Content-Type", x.media)
			if x.media == "" {
				r.Header.Del("Content-Type")
			}
			if x.edit != nil {
				x.edit(h, r)
			}
			asked := r.Clone(t.Context())
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != x.status {
				t.Fatalf("status %d, want %d: %s", w.Code, x.status, w.Body)
			}
			if x.kind != "" {
				if kind := problemOf(t, w.Code, w.Header(), w.Body.Bytes()); kind != x.kind {
					t.Errorf("type %s, want %s", kind, x.kind)
				}
			}
			c.check(t, asked, x.body, !x.broken, w)
		})
	}
	if left := slices.Sorted(maps.Keys(c.open)); len(left) > 0 {
		t.Errorf("nobody has seen these documented answers:\n%s", strings.Join(left, "\n"))
	}
}

// enrolBody is a request with a fresh code of a facility.
func (h *house) enrolBody(t *testing.T, name string) []byte {
	t.Helper()
	f, err := h.book.AddFacility(t.Context(), "new", "restaurant", "", h.time())
	if err != nil {
		t.Fatal(err)
	}
	_, code, err := h.book.NewCode(t.Context(), f.ID, "", "", time.Hour, h.time())
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.NewEnrol(code, csr(t, name), "v1", 1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The document's list of problems is the one kiosks know.
func TestProblemsAreDocumented(t *testing.T) {
	for _, kind := range []string{
		wire.ProblemNoCertificate, wire.ProblemUnknownKiosk, wire.ProblemRevoked, wire.ProblemExpiredCertificate, wire.ProblemOtherKiosk,
		wire.ProblemCodeUnknown, wire.ProblemCodeUsed, wire.ProblemCodeExpired, wire.ProblemKeyTaken, wire.ProblemMalformed, wire.ProblemTooLarge,
		wire.ProblemMediaType, wire.ProblemTimeout, wire.ProblemRate, wire.ProblemBusy, wire.ProblemNoBundle, wire.ProblemNotFound, wire.ProblemMethod,
	} {
		if !bytes.Contains(openapi, []byte("- "+kind+"\n")) {
			t.Errorf("openapi.yaml does not know %s", kind)
		}
	}
}
