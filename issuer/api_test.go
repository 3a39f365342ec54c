package issuer

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// app walks the JSON API; every request and answer is held to openapi.yaml.
type app struct {
	*phone
	check func(t *testing.T, req *http.Request, body []byte, resp *http.Response, answer []byte)
}

func newApp(t *testing.T, h *house) *app {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever the server does stands in the document.
	for path := range actions {
		if doc.Paths.Find("/v1/b/{brand}/"+path) == nil {
			t.Errorf("openapi.yaml lacks the action %s", path)
		}
	}
	return &app{h.phone(t), func(t *testing.T, req *http.Request, body []byte, resp *http.Response, answer []byte) {
		t.Helper()
		req.Body = io.NopCloser(bytes.NewReader(body))
		route, params, err := router.FindRoute(req)
		if err != nil {
			t.Fatalf("%s %s stands not in openapi.yaml: %v", req.Method, req.URL.Path, err)
		}
		in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
		if resp.StatusCode == 200 {
			if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
				t.Errorf("%s: %v", req.URL.Path, err)
			}
		}
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(answer)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}
		if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
	}}
}

// call sends v and returns the status and the answer.
func (a *app) call(t *testing.T, method, path string, v any) (int, State, Problem) {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	resp, text := a.do(t, method, path, "application/json", string(body))
	req, err := http.NewRequest(method, "http://x"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Scheme, req.URL.Host = "", ""
	req.Header.Set("Content-Type", "application/json")
	a.check(t, req, body, resp, []byte(text))
	var st State
	var p Problem
	var into any = &st
	if resp.StatusCode != 200 {
		into = &p
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v in %s", path, err, text)
	}
	return resp.StatusCode, st, p
}

// goes does an action that must lead to a step.
func (a *app) goes(t *testing.T, path string, v any, next step) State {
	t.Helper()
	status, st, p := a.call(t, "POST", "/v1/b/kko/"+path, v)
	if status != 200 || st.Next != next {
		t.Fatalf("%s: %d, next %s, want %s: %s", path, status, st.Next, next, p.Detail)
	}
	return st
}

type object = map[string]any

// TestAPI walks the whole way as an app does, from the state's own words.
func TestAPI(t *testing.T) {
	h := newHouse(t)
	a := newApp(t, h)
	status, st, _ := a.call(t, "GET", "/v1/b/kko", nil)
	if status != 200 || st.Next != stepConsent || st.Screen != 1 || len(st.Items) != 2 {
		t.Fatalf("%d %+v", status, st)
	}
	if status, _, p := a.call(t, "POST", "/v1/b/kko/consent", object{"agree": []string{"use"}}); status != 422 || !strings.Contains(p.Detail, "agreed") {
		t.Errorf("%d %s", status, p.Detail)
	}
	st = a.goes(t, "consent", object{"agree": st.Items}, stepConsent)
	a.goes(t, "consent", object{"agree": st.Items}, stepIdentity)
	a.goes(t, "identity/choose", object{"method": "pass"}, stepIdentity)
	a.goes(t, "identity/picture", object{}, stepIdentity)
	if status, _, _ := a.call(t, "POST", "/v1/b/kko/identity/pass", object{"name": hong.name, "phone": hong.phone, "carrier": "skt", "picture": "", "agree": ticks}); status != 422 {
		t.Errorf("%d", status)
	}
	if st := a.goes(t, "identity/number", object{"agree": ticks}, stepIdentity); st.Attempt == nil || len(st.Attempt.Number) != 6 || st.Attempt.Left != 180000 {
		t.Errorf("%+v", st.Attempt)
	}
	a.goes(t, "identity/cancel", object{}, stepIdentity)
	a.goes(t, "identity/motp", object{"phone": hong.phone, "agree": ticks}, stepIdentity)
	a.goes(t, "identity/choose", object{"method": "sms"}, stepIdentity)
	a.goes(t, "identity/sms", object{"name": child.name, "phone": child.phone, "birth": child.birth, "sex": child.sex, "carrier": "kt-mvno", "agree": ticks}, stepIdentity)
	a.goes(t, "identity/extend", object{}, stepIdentity)
	a.goes(t, "identity/resend", object{}, stepIdentity)
	a.goes(t, "identity/check", object{"code": h.lastCode(t, child.phone)}, stepGuardian)
	a.goes(t, "guardian", object{"agree": "guardian"}, stepGuardian)
	a.goes(t, "identity/choose", object{"method": "sms"}, stepGuardian)
	a.goes(t, "identity/sms", object{"name": panso.name, "phone": panso.phone, "birth": panso.birth, "sex": panso.sex, "carrier": "lgu", "agree": ticks}, stepGuardian)
	st = a.goes(t, "identity/check", object{"code": h.lastCode(t, panso.phone)}, stepDevice)
	der, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := a.call(t, "POST", "/v1/b/kko/device", object{"key": "AAAA", "nonce": st.Nonce, "signature": "AAAA"}); status != 422 {
		t.Errorf("%d", status)
	}
	st = a.goes(t, "device", object{"key": base64.RawURLEncoding.EncodeToString(der), "nonce": st.Nonce, "signature": a.sign(t, "device", "kko", st.Nonce)}, stepCode)
	if st.Proof != "key" {
		t.Errorf("%+v", st)
	}
	a.goes(t, "login", object{"pin": "135790"}, stepCode)
	a.goes(t, "health", object{"agree": "health"}, stepCode)
	if status, _, _ := a.call(t, "POST", "/v1/passes", object{"brand": "kko", "nonce": st.Nonce, "signature": a.sign(t, "pass", "kko", st.Nonce)}); status != 200 {
		t.Errorf("a pass: %d", status)
	}
	if status, _, p := a.call(t, "POST", "/v1/passes", object{"brand": "kko"}); status != 401 || p.Nonce == "" || p.Next != stepCode {
		t.Errorf("%d %+v", status, p)
	}
	a.goes(t, "health/withdraw", object{}, stepCode)
	a.goes(t, "withdraw", object{"agree": "withdraw"}, stepConsent)
	a.goes(t, "other", object{}, stepConsent)
	if status, _, _ := a.call(t, "POST", "/v1/passes", object{"brand": "kko"}); status != 403 {
		t.Errorf("%d", status)
	}
	if resp, text := a.get(t, "/v1/openapi.yaml"); resp.StatusCode != 200 || !slices.Equal([]byte(text), openAPI) {
		t.Errorf("the document is not served: %d", resp.StatusCode)
	}
}
