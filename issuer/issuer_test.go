package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi issuer test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func trust(t testing.TB) *pass.Bundle {
	t.Helper()
	c := pass.Contents{Number: 1, Issued: t0.Unix(), Expires: t0.Add(24 * time.Hour).Unix()}
	for _, id := range []string{"kko", "nv", "pas", "tos"} {
		public := key(id).Public().(ed25519.PublicKey)
		c.Issuers = append(c.Issuers, pass.Issuer{ID: id, Keys: []pass.Key{pass.NewKey(public, t0.Add(-time.Hour), t0.Add(time.Hour))}})
	}
	raw, err := pass.SignBundle(key("root"), c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, key("root").Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verify(t testing.TB, text string, now time.Time) *pass.Pass {
	t.Helper()
	u, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Verify(now, trust(t), pass.Conditions{Skew: pass.Skew, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// house is an issuer and a browser before it.
type house struct {
	*Server
	now  time.Time
	log  bytes.Buffer
	http *httptest.Server
	web  *http.Client
}

func config(t testing.TB) Config {
	t.Helper()
	brands, err := SampleBrands()
	if err != nil {
		t.Fatal(err)
	}
	for i := range brands {
		brands[i].Key = key(brands[i].ID)
	}
	return Config{
		Brands: brands, Helpline: Helpline{Number: "02-000-0000", Hours: "평일 09:00–18:00", HoursEN: "weekdays 9:00–18:00"},
		Health: DemoHealth{}, Now: func() time.Time { return t0 }, Log: slog.New(slog.DiscardHandler),
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{now: t0}
	c := config(t)
	c.Now = func() time.Time { return h.now }
	c.Log = slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if h.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewServer(h.Handler())
	t.Cleanup(h.http.Close)
	h.web = h.browser(t)
	return h
}

func (h *house) browser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (h *house) do(t testing.TB, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, h.http.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

const form = "application/x-www-form-urlencoded"

func (h *house) consent(t testing.TB, brand string, health bool) {
	t.Helper()
	v := url.Values{}
	for range h.brands[brand].Consents {
		v.Add("agree", "on")
	}
	if health {
		v.Set("health", "on")
	}
	resp, body := h.do(t, "POST", "/b/"+brand, form, v.Encode())
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/b/"+brand+"/qr" {
		t.Fatalf("consent: %d %s", resp.StatusCode, body)
	}
}

func (h *house) ask(t testing.TB, brand string) (*http.Response, Answer) {
	t.Helper()
	resp, body := h.do(t, "POST", "/v1/passes", "application/json", `{"brand":"`+brand+`"}`)
	var a Answer
	if resp.StatusCode == 200 {
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatal(err)
		}
	}
	return resp, a
}

func TestTheWayToACode(t *testing.T) {
	h := newHouse(t)
	h.now = t0.Add(400 * time.Millisecond)
	if resp, _ := h.ask(t, "kko"); resp.StatusCode != 403 {
		t.Fatalf("a code without consent: %d", resp.StatusCode)
	}
	if resp, _ := h.do(t, "GET", "/b/kko/qr", "", ""); resp.StatusCode != 303 || resp.Header.Get("Location") != "/b/kko" {
		t.Fatalf("the code's page without consent: %d", resp.StatusCode)
	}
	h.consent(t, "kko", false)
	if resp, body := h.do(t, "GET", "/b/kko/qr", "", ""); resp.StatusCode != 200 || !strings.Contains(body, `data-renewals="3"`) {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	resp, a := h.ask(t, "kko")
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	p := verify(t, a.Text, h.now)
	if p.Issuer() != "kko" || p.Health() != nil || a.Issued != t0.Unix() || a.Expires != t0.Unix()+15 || a.Left != 14600 || !strings.HasPrefix(a.SVG, "<svg ") {
		t.Errorf("%s %v %+v", p.Issuer(), p.Health(), a)
	}
	_, second := h.ask(t, "kko")
	if verify(t, second.Text, h.now).ID() == p.ID() {
		t.Error("two passes with one id")
	}
	// Consent to one brand is not consent to another.
	if resp, _ := h.ask(t, "nv"); resp.StatusCode != 403 {
		t.Errorf("another brand: %d", resp.StatusCode)
	}
	if s := h.log.String(); strings.Contains(s, a.Text) || strings.Contains(s, p.ID().String()) {
		t.Error("a pass is in the log")
	}
}

func TestHealthGoesWithItOnlyWhenAsked(t *testing.T) {
	h := newHouse(t)
	h.consent(t, "nv", true)
	_, a := h.ask(t, "nv")
	want, _ := DemoHealth{}.Health(t.Context())
	if diff := cmp.Diff(want, verify(t, a.Text, h.now).Health()); diff != "" {
		t.Error(diff)
	}
	h.consent(t, "nv", false)
	_, a = h.ask(t, "nv")
	if verify(t, a.Text, h.now).Health() != nil {
		t.Error("the vaccination goes with it unasked")
	}
	h.Health = noHealth{}
	h.consent(t, "nv", true)
	if resp, a := h.ask(t, "nv"); resp.StatusCode != 200 || verify(t, a.Text, h.now).Health() != nil {
		t.Error("no pass because the vaccination is not at hand")
	}
}

type noHealth struct{}

func (noHealth) Health(context.Context) (*pass.Health, error) { return nil, errors.New("away") }

func TestEveryConsentIsNeeded(t *testing.T) {
	h := newHouse(t)
	for _, body := range []string{"", "agree=0", "health=on", "agree=%zz"} {
		if resp, page := h.do(t, "POST", "/b/kko", form, body); resp.StatusCode != 422 || !strings.Contains(page, `role="alert"`) || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d", body, resp.StatusCode)
		}
	}
}

func TestEveryPage(t *testing.T) {
	h := newHouse(t)
	h.consent(t, "kko", false)
	pages := map[string][]string{
		"/":         {"QR 체크인", "카카오", "네이버", "Naver"},
		"/b/kko":    {"개인정보 수집 및 제공 동의", "개인정보 제3자 제공 동의", "감염병예방법 제49조, 제76조의2", "접종 정보 함께 표시", "QR 생성"},
		"/b/kko/qr": {"인증 시간이 만료되었습니다", "재시도", "취소", `data-countdown="남은 시간 {n}초"`},
	}
	for path, parts := range pages {
		resp, body := h.do(t, "GET", path, "", "")
		if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for _, part := range append(parts, "02-000-0000", "평일 09:00–18:00", "weekdays", "시연용", "demonstration") {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q", path, part)
			}
		}
		// The policy allows no inline code or style.
		if m := regexp.MustCompile(`(?i)<script>| style=| on[a-z]+=|javascript:`).FindString(body); m != "" {
			t.Errorf("%s holds %q", path, m)
		}
		for _, m := range regexp.MustCompile(`(?:src|href)="(/web/[^"]+)"`).FindAllStringSubmatch(body, -1) {
			if resp, _ := h.do(t, "GET", m[1], "", ""); resp.StatusCode != 200 {
				t.Errorf("%s needs %s: %d", path, m[1], resp.StatusCode)
			}
		}
	}
	for path, want := range map[string]int{"/b/nobody": 404, "/b/nobody/qr": 404, "/web/ko.toml": 404, "/x": 404, "/healthz": 200} {
		if resp, _ := h.do(t, "GET", path, "", ""); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestOtherSitesAreKeptOut(t *testing.T) {
	h := newHouse(t)
	h.consent(t, "kko", false)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}, {"Origin", "null"},
	} {
		if resp, _ := h.do(t, "POST", "/v1/passes", "application/json", `{"brand":"kko"}`, header...); resp.StatusCode != 403 {
			t.Errorf("%v: %d", header, resp.StatusCode)
		}
		if resp, _ := h.do(t, "POST", "/b/kko", form, "agree=0&agree=1&agree=2&agree=3", header...); resp.StatusCode != 403 {
			t.Errorf("%v: %d", header, resp.StatusCode)
		}
	}
	if resp, _ := h.do(t, "POST", "/v1/passes", "application/json", `{"brand":"kko"}`, "Sec-Fetch-Site", "same-origin", "Origin", h.http.URL); resp.StatusCode != 200 {
		t.Errorf("its own page: %d", resp.StatusCode)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	h := newHouse(t)
	h.consent(t, "kko", false)
	for _, tt := range []struct {
		kind, body string
		want       int
	}{
		{"text/plain", `{"brand":"kko"}`, 415},
		{"", `{"brand":"kko"}`, 415},
		{"application/json", ``, 400},
		{"application/json", `[]`, 400},
		{"application/json", `{"brand":"kko","health":true}`, 400},
		{"application/json", `{"brand":"` + strings.Repeat("x", 1<<20) + `"}`, 400},
		{"application/json", `{"brand":"nobody"}`, 404},
		{"application/json", `{}`, 404},
	} {
		resp, body := h.do(t, "POST", "/v1/passes", tt.kind, tt.body)
		if resp.StatusCode != tt.want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.40s: %d %s", tt.body, resp.StatusCode, body)
		}
	}
}

func TestRate(t *testing.T) {
	h := newHouse(t)
	h.consent(t, "kko", false)
	for range burst {
		if resp, _ := h.ask(t, "kko"); resp.StatusCode != 200 {
			t.Fatalf("%d", resp.StatusCode)
		}
	}
	resp, _ := h.ask(t, "kko")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	h.now = h.now.Add(-time.Hour) // a clock set back grants nothing and takes nothing
	if resp, _ := h.ask(t, "kko"); resp.StatusCode != 429 {
		t.Errorf("%d", resp.StatusCode)
	}
	h.now = h.now.Add(refill)
	if resp, _ := h.ask(t, "kko"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	// Another browser is not held up.
	h.web = h.browser(t)
	h.consent(t, "kko", false)
	if resp, _ := h.ask(t, "kko"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestSessions(t *testing.T) {
	h := newHouse(t)
	resp, _ := h.do(t, "POST", "/b/kko", form, "agree=0&agree=1&agree=2&agree=3")
	cookie := resp.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Max-Age=2592000"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Error("a Secure cookie over plain http is never sent back")
	}
	h.Secure = true
	if resp, _ = h.do(t, "POST", "/b/kko", form, "agree=0&agree=1&agree=2&agree=3"); !strings.Contains(resp.Header.Get("Set-Cookie"), "Secure") {
		t.Error("no Secure cookie behind https")
	}
	h.now = h.now.Add(sessionLife)
	if resp, _ := h.ask(t, "kko"); resp.StatusCode != 403 {
		t.Errorf("after 30 days: %d", resp.StatusCode)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	request := func(value string) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		if value != "" {
			r.AddCookie(&http.Cookie{Name: sessionName, Value: value})
		}
		return r
	}
	first := s.consented(request(""), "kko", consent{}, t0)
	second := s.consented(request(""), "kko", consent{}, t0.Add(time.Second))
	for range maxSessions - 2 {
		s.consented(request(""), "kko", consent{}, t0.Add(time.Minute))
	}
	s.allow(request(first), t0.Add(time.Hour)) // used again
	s.consented(request(""), "kko", consent{}, t0.Add(time.Hour))
	if len(s.all) != maxSessions {
		t.Errorf("%d sessions", len(s.all))
	}
	if _, ok := s.consent(request(first), "kko", t0.Add(time.Hour)); !ok {
		t.Error("a session in use went")
	}
	if _, ok := s.consent(request(second), "kko", t0.Add(time.Hour)); ok {
		t.Error("the longest unused stayed")
	}
	s.consented(request(""), "kko", consent{}, t0.Add(sessionLife+time.Minute))
	if len(s.all) > 3 {
		t.Errorf("%d sessions after all others expired", len(s.all))
	}
}

func TestIssue(t *testing.T) {
	h := newHouse(t)
	text, err := h.Issue(t0, "pas", nil)
	if err != nil || verify(t, text, t0).Issuer() != "pas" {
		t.Error(err)
	}
	if _, err := h.Issue(t0, "nobody", nil); !errors.Is(err, ErrBrand) {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no clock":     func(c *Config) { c.Now = nil },
		"no brand":     func(c *Config) { c.Brands = nil },
		"no helpline":  func(c *Config) { c.Helpline.Hours = "" },
		"no key":       func(c *Config) { c.Brands[0].Key = nil },
		"twice":        func(c *Config) { c.Brands[1] = c.Brands[0] },
		"bad renewals": func(c *Config) { c.Brands[0].Renewals = 11 },
		"bad colour":   func(c *Config) { c.Brands[0].Color = "red; } body { display: none" },
	} {
		c := config(t)
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBrands(t *testing.T) {
	brands, err := SampleBrands()
	if err != nil {
		t.Fatal(err)
	}
	renewals := map[string]int{}
	for _, b := range brands {
		renewals[b.ID] = b.Renewals
		if got, want := contrast(t, b.Color, b.Ink), 4.5; got < want {
			t.Errorf("%s: contrast %.1f, want %.1f (WCAG 2.2, 1.4.3)", b.ID, got, want)
		}
	}
	if renewals["nv"] != 2 || renewals["kko"] != 3 {
		t.Errorf("%v", renewals)
	}
	sample, err := configs.Brands.ReadFile("brands/kakao.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, spoiled := range []struct{ old, new string }{
		{"renewals = 3", "renewal = 3"}, {"renewals = 3", "renewals = -1"}, {`id = "kko"`, `id = "kakao"`},
		{"#fee500", "yellow"}, {"남은 시간 {n}초", "15초"}, {"[[consents]]", "[[consent]]"}, {"title_en ", "#"},
		{`first = "consent"`, `first = "luck"`}, {`"sms", "pass"`, `"fax", "pass"`}, {`own_device = "page"`, `own_device = "never"`}, {"reverify_days = 0", "reverify_days = 400"},
		{`item     = "third-parties"`, `item     = "use"`}, {"screen   = 2", "screen   = 3"}, {"2021-07-01", "July"},
	} {
		bad := strings.ReplaceAll(string(sample), spoiled.old, spoiled.new)
		if _, err := LoadBrands(fstest.MapFS{"kko.toml": {Data: []byte(bad)}}); err == nil || !strings.Contains(err.Error(), "kko.toml") {
			t.Errorf("%s: %v", spoiled.new, err)
		}
	}
	if _, err := LoadBrands(fstest.MapFS{}); err == nil {
		t.Error("no brand at all is accepted")
	}
}

func TestServeEnds(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Serve(ctx, l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNoHealthSource holds that an issuer with no source of records neither
// asks for them nor signs any.
func TestNoHealthSource(t *testing.T) {
	c := config(t)
	c.Health = nil
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/b/kko", nil))
	if w.Code != 200 || strings.Contains(w.Body.String(), `name="health"`) {
		t.Errorf("status %d; the page asks for a record nobody has", w.Code)
	}
}
