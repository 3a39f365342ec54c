package inquiry_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
)

// contract is the document that every exchange of this package's tests is held to.
type contract struct {
	router routers.Router
	mu     sync.Mutex
	unseen map[string]bool // "POST /v1/inquiries 201", as long as no answer was like that
}

var document *contract

// TestMain reads the document first. When all tests have run, no documented
// answer may be left that nobody has seen.
func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if document, err = readDocument(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
	if left := slices.Sorted(maps.Keys(document.unseen)); code == 0 && all && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "nobody has seen these documented answers:\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	os.Exit(code)
}

func readDocument() (*contract, error) {
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder(trace.ContentType, openapi3filter.FileBodyDecoder)
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, err
	}
	c := &contract{unseen: map[string]bool{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				c.unseen[fmt.Sprintf("%s %s %s", method, path, status)] = true
			}
		}
	}
	c.router, err = gorillamux.NewRouter(doc)
	return c, err
}

// check holds one exchange to the document: the answer always, the request
// where it was taken.
func (c *contract) check(t *testing.T, r *http.Request, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		if w.Code != http.StatusNotFound {
			t.Errorf("%s %s is not in the document, and is answered %d", r.Method, r.URL.Path, w.Code)
		}
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil && w.Code < 300 {
		t.Errorf("the document refuses a request that was taken: %v", err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header()}
	out.SetBodyBytes(w.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("the document says of the answer %d to %s %s: %v\n%.300s", w.Code, r.Method, r.URL.Path, err, w.Body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.unseen, fmt.Sprintf("%s %s %d", r.Method, route.Path, w.Code))
}

// TestDocument walks what the other tests leave out: the document's own address,
// and every address without a call, without a roster and too often.
func TestDocument(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		w := h.do("GET", inquiry.Path+"/openapi.yaml", nil, nil)
		if raw, err := os.ReadFile("openapi.yaml"); err != nil || !bytes.Equal(raw, w.Body.Bytes()) {
			t.Error(w.Code, err)
		}
		h.want(h.do("DELETE", inquiry.Path, nil, nil), http.StatusNotFound, "not-found")
		h.want(h.do("POST", inquiry.Path+"/roster", nil, nil), http.StatusNotFound, "not-found")

		request, order, _ := h.request("seoul-1", draft())
		h.want(h.do("POST", inquiry.Path, request, nil), http.StatusCreated, "")
		h.want(h.do("POST", inquiry.Path, request, nil), http.StatusOK, "") // its 201 was lost
		path := inquiry.Path + "/" + trace.DigestOf(order).String()
		none := inquiry.Path + "/" + strings.Repeat("0", 64)
		h.want(h.called("seoul-1", "POST", none+"/close"), http.StatusNotFound, "unknown-inquiry")
		for _, to := range []string{inquiry.Path, path + "/approval", path + "/answers"} {
			h.want(h.do("POST", to, []byte("junk"), nil), http.StatusBadRequest, "unreadable")
			h.want(h.do("POST", to, make([]byte, trace.MaxMessage+1), nil), http.StatusRequestEntityTooLarge, "too-big")
			h.want(h.sent("POST", to, "text/plain", []byte("junk")), http.StatusUnsupportedMediaType, "media-type")
		}
		guarded := []struct{ method, path string }{
			{"GET", inquiry.Path}, {"GET", inquiry.Path + "/facilities"}, {"GET", path + "/letters"}, {"POST", path + "/close"},
		}
		for _, g := range guarded {
			h.want(h.do(g.method, g.path, nil, nil), http.StatusUnauthorized, "no-call")
		}
		roster := h.roster
		h.roster = nil
		for _, g := range append(guarded, []struct{ method, path string }{
			{"GET", inquiry.Path + "/roster"}, {"POST", inquiry.Path}, {"POST", path + "/approval"}, {"POST", path + "/answers"},
		}...) {
			h.want(h.do(g.method, g.path, []byte("x"), nil), http.StatusServiceUnavailable, "no-roster")
			for range 130 { // more than a minute's share
				w = h.sent(g.method, g.path, trace.ContentType, []byte("x"))
			}
			h.want(w, http.StatusTooManyRequests, "too-many")
			h.now = h.now.Add(time.Minute)
		}
		for range 130 {
			w = h.do("GET", inquiry.Path+"/openapi.yaml", nil, nil)
		}
		h.want(w, http.StatusTooManyRequests, "too-many")
		h.roster, h.now = roster, t0
	})
}
