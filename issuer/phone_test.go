package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const form = "application/x-www-form-urlencoded"

// somebody is what a person writes into the forms.
type somebody struct{ name, phone, birth, sex string }

var (
	hong  = somebody{"홍길동", "01012345678", "900301", "1"}
	child = somebody{"홍아기", "01011112222", "150505", "4"} // 11 years old at t0
	panso = somebody{"홍판서", "01033334444", "600101", "1"}
)

// phone is a browser with the key that its script would hold.
type phone struct {
	h   *house
	web *http.Client
	key *ecdsa.PrivateKey // nil: plain http, a PIN instead
	pin string
}

func (h *house) phone(t testing.TB) *phone {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &phone{h: h, key: key, web: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// copied is another phone to which somebody has brought all of p's cookies.
func (p *phone) copied(t testing.TB) *phone {
	t.Helper()
	thief := p.h.phone(t)
	u, err := url.Parse(p.h.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	thief.web.Jar.SetCookies(u, p.web.Jar.Cookies(u))
	return thief
}

func (p *phone) do(t testing.TB, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, p.h.http.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := p.web.Do(req)
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

func (p *phone) get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	return p.do(t, "GET", path, "", "")
}

func (p *phone) post(t testing.TB, path string, in url.Values) (*http.Response, string) {
	t.Helper()
	return p.do(t, "POST", path, form, in.Encode())
}

// goes posts a form that must lead to a page.
func (p *phone) goes(t testing.TB, path string, in url.Values, to string) {
	t.Helper()
	resp, body := p.post(t, path, in)
	if resp.StatusCode != 303 || resp.Header.Get("Location") != to {
		t.Fatalf("%s: %d to %q, want %q: %s", path, resp.StatusCode, resp.Header.Get("Location"), to, alert(body))
	}
}

// refused posts a form that must be shown again with a text.
func (p *phone) refused(t testing.TB, path string, in url.Values, key string) {
	t.Helper()
	resp, body := p.post(t, path, in)
	if resp.StatusCode < 400 || resp.StatusCode >= 500 && resp.StatusCode != 503 || !strings.Contains(body, p.h.pages.ko[key]) || !strings.Contains(body, `role="alert"`) {
		t.Fatalf("%s: %d to %q, want %s: %s", path, resp.StatusCode, resp.Header.Get("Location"), key, alert(body))
	}
}

func alert(body string) string {
	if m := regexp.MustCompile(`role="alert"[^>]*>([^<]*)`).FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return "no alert"
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

var ticks = []string{"id_1", "id_2", "id_3", "id_4", "id_5"}

func (w somebody) sms() url.Values {
	v := values("name", w.name, "phone", w.phone, "birth", w.birth, "sex", w.sex, "carrier", "skt")
	v["agree"] = ticks
	return v
}

// lastCode is the code in the last message to a number.
func (h *house) lastCode(t testing.TB, number string) string {
	t.Helper()
	for _, m := range h.inbox.Messages() {
		if m.To == number {
			return regexp.MustCompile(`\[([0-9]{6})\]`).FindStringSubmatch(m.Text)[1]
		}
	}
	t.Fatal("no message came")
	return ""
}

// consent ticks every screen of a brand's.
func (p *phone) consent(t testing.TB, brand, then string) {
	t.Helper()
	b := p.h.brands[brand]
	last := b.Consents[len(b.Consents)-1].Screen
	for screen := 1; screen <= last; screen++ {
		in := url.Values{}
		for _, c := range b.Consents {
			if c.Screen == screen {
				in.Add("agree", c.Item)
			}
		}
		to := "/b/" + brand + "/consent"
		if screen == last {
			to = "/b/" + brand + "/" + then
		}
		p.goes(t, "/b/"+brand+"/consent", in, to)
	}
}

// bySMS verifies who from the choice on; base is the brand's or app's path.
func (p *phone) bySMS(t testing.TB, base string, who somebody, then string) {
	t.Helper()
	p.goes(t, base+"/identity/choose", values("method", "sms"), base+"/identity")
	p.goes(t, base+"/identity/sms", who.sms(), base+"/identity")
	p.goes(t, base+"/identity/check", values("code", p.h.lastCode(t, who.phone)), then)
}

func (p *phone) sign(t testing.TB, use, brand, nonce string) string {
	t.Helper()
	digest := sha256.Sum256([]byte("munjigi " + use + "\n" + brand + "\n" + nonce))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

var nonceOf = regexp.MustCompile(`data-nonce="([^"]+)"`)

// bind registers the phone by its key, or by a PIN without one.
func (p *phone) bind(t testing.TB, brand, then string) {
	t.Helper()
	_, body := p.get(t, "/b/"+brand+"/device")
	m := nonceOf.FindStringSubmatch(body)
	if m == nil {
		t.Fatal("the page to register the phone has no nonce")
	}
	in := url.Values{}
	if p.key != nil {
		der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		in = values("key", base64.RawURLEncoding.EncodeToString(der), "nonce", m[1], "signature", p.sign(t, "device", brand, m[1]))
	}
	if p.pin == "" {
		p.pin = "135790"
	}
	if p.key == nil || p.h.brands[brand].PIN {
		in.Set("pin", p.pin)
		in.Set("again", p.pin)
	}
	p.goes(t, "/b/"+brand+"/device", in, "/b/"+brand+"/"+then)
}

// walk is the whole way of a first visit by SMS, up to the code's page.
func (p *phone) walk(t testing.TB, brand string, who somebody) {
	t.Helper()
	base := "/b/" + brand
	if p.h.brands[brand].First == "identity" {
		p.bySMS(t, base, who, base+"/device")
		p.bind(t, brand, "consent")
		p.consent(t, brand, "qr")
		return
	}
	p.consent(t, brand, "identity")
	p.bySMS(t, base, who, base+"/device")
	p.bind(t, brand, "qr")
}

// code asks for a pass as the page's script does.
func (p *phone) code(t testing.TB, brand string) (*http.Response, Answer) {
	t.Helper()
	_, body := p.get(t, "/b/"+brand+"/qr")
	ask := Ask{Brand: brand}
	if m := nonceOf.FindStringSubmatch(body); m != nil && p.key != nil {
		ask.Nonce, ask.Signature = m[1], p.sign(t, "pass", brand, m[1])
	} else if p.key == nil {
		ask.PIN = p.pin
	}
	return p.ask(t, ask)
}

func (p *phone) ask(t testing.TB, ask Ask) (*http.Response, Answer) {
	t.Helper()
	data, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := p.do(t, "POST", "/v1/passes", "application/json", string(data))
	var a Answer
	if resp.StatusCode == 200 {
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatal(err)
		}
	}
	return resp, a
}
