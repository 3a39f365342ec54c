package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer/store"
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
		c.Issuers = append(c.Issuers, pass.Issuer{ID: id, Keys: []pass.Key{pass.NewKey(public, t0.Add(-time.Hour), t0.Add(365*24*time.Hour))}})
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

// house is an issuer before which browsers stand.
type house struct {
	*Server
	db   *store.DB
	now  time.Time
	log  bytes.Buffer
	http *httptest.Server
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
	if h.db, err = store.Memory(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	c.Store = h.db
	if h.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewServer(h.Handler())
	t.Cleanup(h.http.Close)
	return h
}

// TestEveryPage holds what all pages share: the helpline, Korean and English,
// no inline code, nothing kept by the browser, and that what they lean on is there.
func TestEveryPage(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "kko", hong)
	for path, parts := range map[string][]string{
		"/":               {"QR 체크인", "카카오", "네이버", "Naver", "전자출입명부"},
		"/help":           {"인증이 안 되나요?", "다른 출입 방법"},
		"/b/nv":           {"내 QR코드 발급하기"},
		"/b/nv/consent":   {"개인정보 수집 및 제공 동의", "개인정보 제3자 제공 동의", "감염병예방법 제49조, 제76조의2", "전체 동의"},
		"/b/nv/refuse":    {"QR코드를 만들 수 없습니다", "역학조사를 할 수 없기 때문", "수기 명부"},
		"/b/kko":          {"최근 인증내역", "문자(SMS)로 인증"},
		"/b/kko/me":       {"홍*동", "010-****-5678", "동의 내역", "접종 정보 불러오기", "바꿀 수 없습니다"},
		"/b/kko/qr":       {"인증 시간이 만료되었습니다", "재시도", "취소", `data-countdown="남은 시간 {n}초"`, `data-renewals="3"`},
		"/b/kko/other":    {"등록된 휴대전화가 아닙니다"},
		"/b/kko/gone":     {"남은 정보가 없습니다"},
		"/app/pass":       {"PASS 앱"},
		"/app/motp":       {"mOTP 앱"},
		"/app/sms":        {"전화사기"},
		"/b/kko/withdraw": {"4주 동안 남습니다", "제76조의2"},
	} {
		resp, body := p.get(t, path)
		if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for _, part := range append(parts, "02-000-0000", "평일 09:00–18:00", "weekdays", `lang="en"`, "<title>") {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q", path, part)
			}
		}
		// The policy allows no inline code or style.
		if m := regexp.MustCompile(`(?i)<script>| style=| on[a-z]+=|javascript:`).FindString(body); m != "" {
			t.Errorf("%s holds %q", path, m)
		}
		for _, m := range regexp.MustCompile(`(?:src|href)="(/web/[^"]+)"`).FindAllStringSubmatch(body, -1) {
			if resp, _ := p.get(t, m[1]); resp.StatusCode != 200 {
				t.Errorf("%s needs %s: %d", path, m[1], resp.StatusCode)
			}
		}
	}
	for path, want := range map[string]int{"/b/nobody": 404, "/b/nobody/qr": 404, "/b/kko/nothing": 404, "/app/none": 404, "/web/ko.toml": 404, "/x": 404, "/healthz": 200} {
		if resp, _ := p.get(t, path); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// TestGuideFiles holds that poster and leaflet can be downloaded.
func TestGuideFiles(t *testing.T) {
	p := newHouse(t).phone(t)
	for _, name := range []string{"poster", "leaflet"} {
		resp, body := p.get(t, "/guide/"+name+".pdf")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(body, "%PDF-") || !strings.Contains(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	if resp, _ := p.get(t, "/guide/else.pdf"); resp.StatusCode != 404 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestOtherSitesAreKeptOut(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "kko", hong)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{"/v1/passes", "/b/kko/consent", "/v1/b/kko/withdraw", "/app/pass/close"} {
			if resp, _ := p.do(t, "POST", path, "application/json", `{"brand":"kko"}`, header...); resp.StatusCode != 403 {
				t.Errorf("%s %v: %d", path, header, resp.StatusCode)
			}
		}
	}
	if resp, _ := p.do(t, "POST", "/b/kko/me", form, "", "Sec-Fetch-Site", "same-origin", "Origin", h.http.URL); resp.StatusCode == 403 {
		t.Errorf("its own page: %d", resp.StatusCode)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "kko", hong)
	for _, tt := range []struct {
		kind, body string
		want       int
	}{
		{"text/plain", `{"brand":"kko"}`, 400},
		{"", `{"brand":"kko"}`, 400},
		{"application/json", ``, 400},
		{"application/json", `[]`, 400},
		{"application/json", `{"brand":true}`, 400},
		{"application/json", `{"brand":"` + strings.Repeat("x", 1<<20) + `"}`, 400},
		{"application/json", `{"brand":"nobody"}`, 404},
		{"application/json", `{}`, 404},
		{"application/json", `{"brand":"nv"}`, 403},
		{"application/json", `{"brand":"kko"}`, 401},
	} {
		resp, body := p.do(t, "POST", "/v1/passes", tt.kind, tt.body)
		if resp.StatusCode != tt.want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.40s: %d %s", tt.body, resp.StatusCode, body)
		}
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

// TestBrands holds what the sources say of each brand, that its colours can be
// read, and that a slip in a file is named.
func TestBrands(t *testing.T) {
	brands, err := SampleBrands()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Brand{}
	for _, b := range brands {
		by[b.ID] = b
		if got, want := contrast(t, b.Color, b.Ink), 4.5; got < want {
			t.Errorf("%s: contrast %.1f, want %.1f (WCAG 2.2, 1.4.3)", b.ID, got, want)
		}
		for _, c := range b.Consents {
			if !strings.Contains(c.Text, "법 제") || !strings.Contains(c.TextEN, "article") {
				t.Errorf("%s: consent %s names no article of a law", b.ID, c.Item)
			}
		}
	}
	if by["nv"].Renewals != 2 || by["nv"].Reverify != 30 {
		t.Errorf("naver: %+v", by["nv"])
	}
	if k := by["kko"]; k.Renewals != 3 || k.Countdown != "남은 시간 {n}초" || k.Consents[len(k.Consents)-1].Screen != 2 || !strings.Contains(k.Consents[2].Text, "개인정보보호법 제15조") || !strings.Contains(k.Consents[3].Text, "개인정보보호법 제17조") {
		t.Errorf("kakao: %+v", k)
	}
	if p := by["pas"]; p.Renewals != 0 || p.Countdown != "{n}초 남음" || p.OwnDevice != "code" || p.First != "identity" || !p.PIN {
		t.Errorf("pass: %+v", p)
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

// TestFifthBrand holds that a brand more is a file more: its way is walked to a
// code with nothing but the file.
func TestFifthBrand(t *testing.T) {
	sample, err := configs.Brands.ReadFile("brands/naver.toml")
	if err != nil {
		t.Fatal(err)
	}
	file := strings.NewReplacer(`id = "nv"`, `id = "day"`, "네이버", "하루", "Naver", "Day", "renewals = 2", "renewals = 5", `methods = ["sms", "pass", "motp"]`, `methods = ["sms"]`).Replace(string(sample))
	brands, err := LoadBrands(fstest.MapFS{"day.toml": {Data: []byte(file)}})
	if err != nil {
		t.Fatal(err)
	}
	brands[0].Key = key("kko")
	c := config(t)
	c.Brands = brands
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: s, now: t0}
	h.http = httptest.NewServer(s.Handler())
	t.Cleanup(h.http.Close)
	p := h.phone(t)
	p.walk(t, "day", hong)
	if _, body := p.get(t, "/b/day/qr"); !strings.Contains(body, `data-renewals="5"`) || !strings.Contains(body, "하루") {
		t.Error("the fifth brand's page is not its own")
	}
	if _, a := p.code(t, "day"); a.Text == "" {
		t.Error("the fifth brand makes no code")
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
