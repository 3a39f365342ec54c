package issuer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
)

// TestFirstVisit walks each brand's way, in its order, to a code that verifies
// and whose owner the issue log knows.
func TestFirstVisit(t *testing.T) {
	for _, brand := range []string{"nv", "kko", "pas", "tos"} {
		t.Run(brand, func(t *testing.T) {
			h := newHouse(t)
			h.now = t0.Add(400 * time.Millisecond)
			p := h.phone(t)
			if resp, _ := p.ask(t, Ask{Brand: brand}); resp.StatusCode != 403 {
				t.Fatalf("a code before everything: %d", resp.StatusCode)
			}
			first := "/b/" + brand + "/" + h.brands[brand].First
			if resp, _ := p.get(t, "/b/"+brand+"/qr"); resp.StatusCode != 303 || resp.Header.Get("Location") != first {
				t.Fatalf("the direct link leads to %q, want %q", resp.Header.Get("Location"), first)
			}
			p.walk(t, brand, hong)
			resp, a := p.code(t, brand)
			if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %v", resp.StatusCode, resp.Header)
			}
			v := verify(t, a.Text, h.now)
			if v.Issuer() != brand || v.Health() != nil || a.Issued != t0.Unix() || a.Expires != t0.Unix()+15 || a.Left != 14600 || !strings.HasPrefix(a.SVG, "<svg ") {
				t.Errorf("%s %v %+v", v.Issuer(), v.Health(), a)
			}
			_, second := p.code(t, brand)
			if verify(t, second.Text, h.now).ID() == v.ID() {
				t.Error("two passes with one id")
			}
			who, err := h.db.Whose(t.Context(), v.ID(), h.now)
			if err != nil {
				t.Fatal(err)
			}
			person, agreed, err := h.db.Person(t.Context(), who)
			if err != nil || person.Name != "홍길동" || person.Brand != brand || person.Birth != "1990-03-01" {
				t.Errorf("%+v %v", person, err)
			}
			if len(agreed) != len(h.brands[brand].Consents)+identityConsents {
				t.Errorf("%d consents are kept: %v", len(agreed), err)
			}
			for item, a := range agreed {
				if !a.At.Equal(h.now) || a.Text == "" || a.Version == "" {
					t.Errorf("%s: %+v", item, a)
				}
			}
			// One brand's visitor is nobody at another's.
			other := map[string]string{"nv": "kko", "kko": "nv", "pas": "nv", "tos": "nv"}[brand]
			if resp, _ := p.code(t, other); resp.StatusCode != 403 {
				t.Errorf("another brand: %d", resp.StatusCode)
			}
			for _, secret := range []string{a.Text, v.ID().String(), hong.name, hong.phone, h.lastCode(t, hong.phone)} {
				if strings.Contains(h.log.String(), secret) {
					t.Errorf("%q is in the log", secret)
				}
			}
		})
	}
}

func TestEveryConsentIsNeeded(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	for _, in := range []url.Values{{}, values("agree", "use"), values("agree", "health")} {
		p.refused(t, "/b/nv/consent", in, "missing")
	}
	if len(p.web.Jar.Cookies(mustParse(h.http.URL))) != 0 {
		t.Error("a refusal is remembered")
	}
	p.consent(t, "nv", "identity")
	p.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
	in := hong.sms()
	in["agree"] = ticks[:4]
	p.refused(t, "/b/nv/identity/sms", in, "missing")
	if len(h.inbox.Messages()) != 0 {
		t.Error("a message was sent without consent")
	}
}

func mustParse(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// TestNewTextIsAskedAnew holds that a consent is one to its text.
func TestNewTextIsAskedAnew(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "nv", hong)
	h.brands["nv"].Consents[0].Version = "2026-12-01"
	if resp, _ := p.get(t, "/b/nv/qr"); resp.Header.Get("Location") != "/b/nv/consent" {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	p.consent(t, "nv", "qr")
}

// TestSecondVisit holds that nothing is asked again, and that PASS asks for its
// PIN.
func TestSecondVisit(t *testing.T) {
	h := newHouse(t)
	for _, brand := range []string{"nv", "kko", "tos", "pas"} {
		p := h.phone(t)
		p.walk(t, brand, hong)
		h.now = h.now.Add(24 * time.Hour)
		if brand == "pas" {
			if _, body := p.get(t, "/b/pas"); strings.Contains(body, "최근 인증내역") || !strings.Contains(body, `type="password"`) {
				t.Error("PASS opens without PIN")
			}
			if resp, _ := p.code(t, brand); resp.StatusCode != 403 {
				t.Errorf("PASS makes a code without PIN: %d", resp.StatusCode)
			}
			p.goes(t, "/b/pas/login", values("pin", p.pin), "/b/pas")
			if _, body := p.get(t, "/b/pas"); !strings.Contains(body, "최근 인증내역") {
				t.Error("PASS does not show the recent verifications")
			}
		}
		if resp, _ := p.code(t, brand); resp.StatusCode != 200 {
			t.Errorf("%s, the next day: %d", brand, resp.StatusCode)
		}
	}
}

// TestMonthLater holds that Naver verifies the number again after a month,
// asks no consent again, and knows a different person for another.
func TestMonthLater(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "nv", hong)
	h.now = t0.AddDate(0, 0, 30).Add(-time.Second)
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 200 {
		t.Fatalf("a second before the month is over: %d", resp.StatusCode)
	}
	h.now = t0.AddDate(0, 0, 30)
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 403 {
		t.Fatalf("after the month: %d", resp.StatusCode)
	}
	if _, body := p.get(t, "/b/nv"); strings.Contains(body, "최근 인증내역") {
		t.Error("a person is shown who must verify first")
	}
	stranger := hong
	stranger.name = "김철수"
	p.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
	p.goes(t, "/b/nv/identity/sms", stranger.sms(), "/b/nv/identity")
	p.refused(t, "/b/nv/identity/check", values("code", h.lastCode(t, hong.phone)), "err_other")
	p.bySMS(t, "/b/nv", hong, "/b/nv/qr")
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 200 {
		t.Errorf("verified again: %d", resp.StatusCode)
	}

	// Kakao does not ask again; after a lapse what was kept is destroyed.
	k := h.phone(t)
	h.now = t0
	k.walk(t, "kko", hong)
	h.now = t0.AddDate(0, 0, 31)
	if resp, _ := k.code(t, "kko"); resp.StatusCode != 200 {
		t.Errorf("kakao after a month: %d", resp.StatusCode)
	}
	h.now = t0.AddDate(0, 0, 60)
	if r, err := h.Retain(t.Context()); err != nil || r.Lapsed != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestGuardian holds that under 14 a guardian, verified too, agrees once.
func TestGuardian(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.consent(t, "nv", "identity")
	p.bySMS(t, "/b/nv", child, "/b/nv/guardian")
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 403 {
		t.Fatalf("a child without guardian: %d", resp.StatusCode)
	}
	if _, body := p.get(t, "/b/nv/guardian"); !strings.Contains(body, "개인정보보호법 제22조의2") {
		t.Error("the law is not named")
	}
	p.refused(t, "/b/nv/guardian", nil, "missing")
	again := func(who somebody, key string) {
		t.Helper()
		p.goes(t, "/b/nv/guardian", values("agree", "guardian"), "/b/nv/identity")
		p.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
		p.goes(t, "/b/nv/identity/sms", who.sms(), "/b/nv/identity")
		p.refused(t, "/b/nv/identity/check", values("code", h.lastCode(t, who.phone)), key)
	}
	again(somebody{"홍언니", "01055556666", "100101", "4"}, "err_guardian")             // 16 years old
	again(somebody{panso.name, child.phone, panso.birth, panso.sex}, "err_guardian") // the child's own number
	p.goes(t, "/b/nv/guardian", values("agree", "guardian"), "/b/nv/identity")
	p.bySMS(t, "/b/nv", panso, "/b/nv/device")
	p.bind(t, "nv", "qr")
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	// A month later the child verifies again, the guardian does not.
	h.now = t0.AddDate(0, 0, 30)
	p.bySMS(t, "/b/nv", child, "/b/nv/qr")
}

// TestOwnPhone holds that a copied cookie makes no code on another phone, and
// that of two phones of one person the one verified last is theirs.
func TestOwnPhone(t *testing.T) {
	h := newHouse(t)
	for _, brand := range []string{"nv", "kko", "pas", "tos"} {
		p := h.phone(t)
		p.walk(t, brand, hong)
		thief := p.copied(t)
		if resp, _ := thief.code(t, brand); resp.StatusCode != 401 {
			t.Errorf("%s: a copied cookie: %d", brand, resp.StatusCode)
		}
		// What the owner signed for something else, or for another brand, is no proof.
		_, body := p.get(t, "/b/"+brand+"/qr")
		nonce := nonceOf.FindStringSubmatch(body)[1]
		for name, ask := range map[string]Ask{
			"another use":     {Nonce: nonce, Signature: p.sign(t, "device", brand, nonce)},
			"another brand":   {Nonce: nonce, Signature: p.sign(t, "pass", "x", nonce)},
			"no nonce":        {Signature: p.sign(t, "pass", brand, "")},
			"a made-up nonce": {Nonce: "zzzzzz.AAAA", Signature: p.sign(t, "pass", brand, "zzzzzz.AAAA")},
			"a PIN":           {PIN: p.pin},
		} {
			ask.Brand = brand
			if resp, _ := p.ask(t, ask); resp.StatusCode != 401 {
				t.Errorf("%s, %s: %d", brand, name, resp.StatusCode)
			}
		}
		ask := Ask{Brand: brand, Nonce: nonce, Signature: p.sign(t, "pass", brand, nonce)}
		h.now = h.now.Add(nonceLife)
		if resp, _ := p.ask(t, ask); resp.StatusCode != 401 {
			t.Errorf("%s: an old nonce: %d", brand, resp.StatusCode)
		}
		newer := h.phone(t)
		if brand == "pas" { // the consents are the person's and given already
			newer.bySMS(t, "/b/pas", hong, "/b/pas/device")
			newer.bind(t, brand, "qr")
		} else {
			newer.walk(t, brand, hong)
		}
		if resp, _ := newer.code(t, brand); resp.StatusCode != 200 {
			t.Errorf("%s: the new phone: %d", brand, resp.StatusCode)
		}
		if resp, _ := p.code(t, brand); resp.StatusCode != 403 {
			t.Errorf("%s: the old phone still makes codes: %d", brand, resp.StatusCode)
		}
	}
}

// TestPINInsteadOfKey is the way over plain http: once a page at most brands,
// at every code with PASS; five wrong ones end it.
func TestPINInsteadOfKey(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.key = nil
	p.consent(t, "nv", "identity")
	p.bySMS(t, "/b/nv", hong, "/b/nv/device")
	for _, weak := range []string{"111111", "123456", "987654", "12345", "abcdef"} {
		p.refused(t, "/b/nv/device", values("pin", weak, "again", weak), "err_pin_form")
	}
	p.refused(t, "/b/nv/device", values("pin", "135790", "again", "135791"), "err_pin_form")
	p.bind(t, "nv", "qr")
	if resp, _ := p.copied(t).ask(t, Ask{Brand: "nv"}); resp.StatusCode != 401 {
		t.Fatalf("a copied cookie: %d", resp.StatusCode)
	}
	resp, a := p.code(t, "nv")
	if resp.StatusCode != 200 || a.Token == "" {
		t.Fatalf("%d %+v", resp.StatusCode, a)
	}
	if resp, b := p.ask(t, Ask{Brand: "nv", Token: a.Token}); resp.StatusCode != 200 || b.Token != a.Token {
		t.Errorf("a renewal: %d", resp.StatusCode)
	}
	h.now = h.now.Add(pageLife)
	if resp, _ := p.ask(t, Ask{Brand: "nv", Token: a.Token}); resp.StatusCode != 401 {
		t.Errorf("a page open for ever: %d", resp.StatusCode)
	}
	for i := range maxWrong {
		want := 422
		if i == maxWrong-1 {
			want = 403
		}
		if resp, _ := p.ask(t, Ask{Brand: "nv", PIN: "000000"}); resp.StatusCode != want {
			t.Errorf("wrong PIN %d: %d", i+1, resp.StatusCode)
		}
	}
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 403 {
		t.Errorf("the right PIN after five wrong ones: %d", resp.StatusCode)
	}
	p.bySMS(t, "/b/nv", hong, "/b/nv/device")

	pas := h.phone(t)
	pas.key = nil
	pas.walk(t, "pas", hong)
	if resp, a := pas.code(t, "pas"); resp.StatusCode != 200 || a.Token != "" {
		t.Errorf("%d %+v", resp.StatusCode, a)
	}
}

// TestByPASS walks PASS with two browsers: the app's page approves.
func TestByPASS(t *testing.T) {
	h := newHouse(t)
	app := h.phone(t)
	app.bySMS(t, "/app/pass", hong, "/app/pass")
	app.refused(t, "/app/pass/register", values("pin", "1234", "again", "1234"), "err_pin_app")
	app.goes(t, "/app/pass/register", values("pin", "135790", "again", "135790"), "/app/pass")

	p := h.phone(t)
	p.consent(t, "kko", "identity")
	p.goes(t, "/b/kko/identity/choose", values("method", "pass"), "/b/kko/identity")
	if _, body := p.get(t, "/b/kko/identity"); !strings.Contains(body, "LG U&#43; 알뜰폰") && !strings.Contains(body, "LG U+ 알뜰폰") {
		t.Error("a budget brand is missing")
	}
	in := values("name", hong.name, "phone", hong.phone, "carrier", "skt", "picture", "000000x")
	in["agree"] = ticks
	p.refused(t, "/b/kko/identity/pass", in, "err_picture")
	for path, want := range map[string]string{"picture.png": "image/png", "picture.wav": "audio/wav"} {
		if resp, body := p.get(t, "/b/kko/"+path); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != want || len(body) < 1000 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	old := h.flowOf(t, p, "kko").Picture
	p.goes(t, "/b/kko/identity/picture", nil, "/b/kko/identity")
	if h.flowOf(t, p, "kko").Picture == old {
		t.Error("the picture code is not new")
	}
	in.Set("picture", h.flowOf(t, p, "kko").Picture)
	p.goes(t, "/b/kko/identity/pass", in, "/b/kko/identity")
	p.refused(t, "/b/kko/identity/check", nil, "err_pending")

	_, body := app.get(t, "/app/pass")
	if !strings.Contains(body, "본인확인 요청") || !strings.Contains(body, "카카오") {
		t.Fatal("the app shows no request")
	}
	request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(body)[1]
	app.goes(t, "/app/pass/answer", values("request", request, "answer", "approve"), "/app/pass?done=approved")
	p.goes(t, "/b/kko/identity/check", nil, "/b/kko/device")
	p.bind(t, "kko", "qr")
	if resp, _ := p.code(t, "kko"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// flowOf looks into a phone's session.
func (h *house) flowOf(t testing.TB, p *phone, brand string) *flow {
	t.Helper()
	return h.visitOf(t, p, brand).Flow
}

func (h *house) visitOf(t testing.TB, p *phone, brand string) *visit {
	t.Helper()
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.web.Jar.Cookies(mustParse(h.http.URL)) {
		r.AddCookie(c)
	}
	sess, _, err := h.load(r, sessionName, h.now)
	if err != nil {
		t.Fatal(err)
	}
	return sess.Visits[brand]
}

// TestByNumber is PASS on a PC: a QR code and a number, the number is typed
// into the app.
func TestByNumber(t *testing.T) {
	h := newHouse(t)
	app, p := h.phone(t), h.phone(t)
	app.bySMS(t, "/app/pass", hong, "/app/pass")
	app.goes(t, "/app/pass/register", values("pin", "135790", "again", "135790"), "/app/pass")
	p.consent(t, "tos", "identity")
	p.goes(t, "/b/tos/identity/choose", values("method", "pass"), "/b/tos/identity")
	p.goes(t, "/b/tos/identity/number", url.Values{"agree": ticks}, "/b/tos/identity")
	_, body := p.get(t, "/b/tos/identity")
	number := regexp.MustCompile(`class="number">([0-9]{6})<`).FindStringSubmatch(body)
	if number == nil || !strings.Contains(body, "<svg ") {
		t.Fatal("no number or QR code")
	}
	// The code leads a phone to the app with the number typed already.
	if _, body := app.get(t, "/app/pass?number="+number[1]); !strings.Contains(body, `value="`+number[1]+`"`) {
		t.Error("the scanned number is not in the form")
	}
	resp, _ := app.post(t, "/app/pass/number", values("number", number[1]))
	to := resp.Header.Get("Location")
	if resp.StatusCode != 303 || !strings.HasPrefix(to, "/app/pass?request=") {
		t.Fatalf("%d %s", resp.StatusCode, to)
	}
	_, body = app.get(t, to)
	request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(body)[1]
	app.goes(t, "/app/pass/answer", values("request", request, "answer", "approve"), "/app/pass?done=approved")
	p.goes(t, "/b/tos/identity/check", nil, "/b/tos/device")
}

// TestByMOTP registers the app by SMS, enters its code, locks it by five wrong
// PINs and unlocks it by a verification.
func TestByMOTP(t *testing.T) {
	h := newHouse(t)
	app, p := h.phone(t), h.phone(t)
	app.bySMS(t, "/app/motp", hong, "/app/motp")
	app.goes(t, "/app/motp/register", values("pin", "1357", "again", "1357"), "/app/motp")
	show := func() string {
		t.Helper()
		_, body := app.get(t, "/app/motp")
		m := regexp.MustCompile(`<strong>([0-9]{6})</strong>`).FindStringSubmatch(body)
		if m == nil {
			t.Fatal("the app shows no code")
		}
		return m[1]
	}
	p.consent(t, "nv", "identity")
	p.goes(t, "/b/nv/identity/choose", values("method", "motp"), "/b/nv/identity")
	p.goes(t, "/b/nv/identity/motp", url.Values{"phone": {"010-1234-5678"}, "agree": ticks}, "/b/nv/identity")
	p.goes(t, "/b/nv/identity/check", values("code", show()), "/b/nv/device")

	first := show()
	h.now = h.now.Add(time.Minute)
	if resp, body := app.get(t, "/app/motp/code"); resp.StatusCode != 200 || strings.Contains(body, first) {
		t.Errorf("the next code: %d %s", resp.StatusCode, body)
	}
	app.goes(t, "/app/motp/pin", values("old", "1357", "pin", "2468", "again", "2468"), "/app/motp")
	app.goes(t, "/app/motp/close", nil, "/app/motp")
	if _, body := app.get(t, "/app/motp"); regexp.MustCompile(`<strong>[0-9]{6}</strong>`).MatchString(body) {
		t.Error("a closed app shows its code")
	}
	if resp, _ := app.get(t, "/app/motp/code"); resp.StatusCode != 403 {
		t.Errorf("a closed app gives its code: %d", resp.StatusCode)
	}
	for range 4 {
		app.refused(t, "/app/motp/open", values("pin", "1357"), "err_wrong")
	}
	app.refused(t, "/app/motp/open", values("pin", "1357"), "err_locked")
	app.refused(t, "/app/motp/open", values("pin", "2468"), "err_locked")
	app.goes(t, "/app/motp/renew", nil, "/app/motp/identity")
	app.bySMS(t, "/app/motp", hong, "/app/motp")
	app.goes(t, "/app/motp/register", values("pin", "3579", "again", "3579"), "/app/motp")
	show()

	// By PASS instead of SMS.
	pass, other := h.phone(t), h.phone(t)
	pass.bySMS(t, "/app/pass", panso, "/app/pass")
	pass.goes(t, "/app/pass/register", values("pin", "135790", "again", "135790"), "/app/pass")
	other.goes(t, "/app/motp/identity/choose", values("method", "pass"), "/app/motp/identity")
	other.goes(t, "/app/motp/identity/number", url.Values{"agree": ticks}, "/app/motp/identity")
	_, body := other.get(t, "/app/motp/identity")
	number := regexp.MustCompile(`class="number">([0-9]{6})<`).FindStringSubmatch(body)[1]
	resp, _ := pass.post(t, "/app/pass/number", values("number", number))
	_, body = pass.get(t, resp.Header.Get("Location"))
	request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(body)[1]
	pass.goes(t, "/app/pass/answer", values("request", request, "answer", "approve"), "/app/pass?done=approved")
	other.goes(t, "/app/motp/identity/check", nil, "/app/motp")
	other.goes(t, "/app/motp/register", values("pin", "1357", "again", "1357"), "/app/motp")

	// Another number: the old account is gone.
	moved := hong
	moved.phone = "01077778888"
	app.goes(t, "/app/motp/renew", nil, "/app/motp/identity")
	app.bySMS(t, "/app/motp", moved, "/app/motp")
	app.goes(t, "/app/motp/register", values("pin", "3579", "again", "3579"), "/app/motp")
	code := show()
	q := h.phone(t)
	q.consent(t, "nv", "identity")
	q.goes(t, "/b/nv/identity/choose", values("method", "motp"), "/b/nv/identity")
	q.goes(t, "/b/nv/identity/motp", url.Values{"phone": {hong.phone}, "agree": ticks}, "/b/nv/identity")
	q.refused(t, "/b/nv/identity/check", values("code", code), "err_wrong")
}

// TestSMSPage holds countdown, extension, resending and five tries of the page.
func TestSMSPage(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.consent(t, "nv", "identity")
	p.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
	p.refused(t, "/b/nv/identity/sms", url.Values{"name": {"홍"}, "agree": ticks}, "err_form")
	foreign := hong.sms()
	foreign.Set("nation", "foreign")
	p.refused(t, "/b/nv/identity/sms", foreign, "err_nation")
	p.goes(t, "/b/nv/identity/sms", hong.sms(), "/b/nv/identity")
	left := func() string {
		_, body := p.get(t, "/b/nv/identity")
		return regexp.MustCompile(`data-left="([0-9]+)"`).FindStringSubmatch(body)[1]
	}
	if left() != "180000" {
		t.Errorf("%s ms, want 3:00", left())
	}
	h.now = h.now.Add(100 * time.Second)
	p.goes(t, "/b/nv/identity/extend", nil, "/b/nv/identity")
	if left() != "180000" {
		t.Errorf("%s ms after the extension", left())
	}
	h.now = h.now.Add(180 * time.Second)
	p.refused(t, "/b/nv/identity/check", values("code", h.lastCode(t, hong.phone)), "err_expired")
	p.goes(t, "/b/nv/identity/resend", nil, "/b/nv/identity")
	for i := range 5 {
		key := "err_wrong"
		if i == 4 {
			key = "err_tries"
		}
		p.refused(t, "/b/nv/identity/check", values("code", "abc"), key)
	}
	if _, body := p.get(t, "/b/nv/identity"); !strings.Contains(body, "인증번호 받기") {
		t.Error("after five wrong codes the form does not come again")
	}
	if m := h.inbox.Messages()[0].Text; !strings.HasPrefix(m, "[네이버]") || !strings.Contains(m, "전화사기") {
		t.Error(m)
	}
}

type steps struct {
	h   *pass.Health
	err error
}

func (s *steps) Health(context.Context, Subject) (*pass.Health, error) { return s.h, s.err }

func doses(n int) *pass.Health {
	h := &pass.Health{Complete: n >= 2}
	for i := range n {
		h.Doses = append(h.Doses, pass.Dose{Number: i + 1, Date: time.Date(2021, time.Month(6+i), 1, 0, 0, 0, 0, time.UTC)})
	}
	return h
}

// TestVaccination holds that one consent puts the record into the next code,
// that a later dose follows by itself, that a source that is away changes
// nothing, and that withdrawing takes it out.
func TestVaccination(t *testing.T) {
	h := newHouse(t)
	source := &steps{h: doses(1)}
	h.Health = source
	p := h.phone(t)
	p.walk(t, "nv", hong)
	record := func() *pass.Health {
		t.Helper()
		resp, a := p.code(t, "nv")
		if resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
		return verify(t, a.Text, h.now).Health()
	}
	if record() != nil {
		t.Fatal("it is in the code unasked")
	}
	p.refused(t, "/b/nv/health", nil, "missing")
	p.goes(t, "/b/nv/health", values("agree", "health"), "/b/nv/me")
	if diff := cmp.Diff(doses(1), record()); diff != "" {
		t.Error(diff)
	}
	if _, body := p.get(t, "/b/nv/me"); !strings.Contains(body, "접종 진행 중") || !strings.Contains(body, "2021-06-01") {
		t.Error("the certificate is not in the wallet")
	}
	source.h = doses(2)
	h.now = h.now.Add(healthFresh)
	if diff := cmp.Diff(doses(2), record()); diff != "" {
		t.Error(diff)
	}
	source.h, source.err = nil, errors.New("away")
	h.now = h.now.Add(healthFresh)
	if diff := cmp.Diff(doses(2), record()); diff != "" {
		t.Error(diff)
	}
	p.goes(t, "/b/nv/health/withdraw", nil, "/b/nv/me")
	h.now = h.now.Add(healthFresh)
	if record() != nil {
		t.Error("it is in the code after the withdrawal")
	}
	p.refused(t, "/b/nv/health", values("agree", "health"), "err_health_away")
	source.err = nil
	p.refused(t, "/b/nv/health", values("agree", "health"), "err_health_none")
}

func TestFileHealth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	who := Subject{"홍길동", "01012345678", "1990-03-01"}
	person := "[[people]]\nname = '홍길동'\nphone = '01012345678'\nbirth = '1990-03-01'\ncomplete = true\ndoses = [{number = 1, date = '2021-06-01'}, {number = 2, date = '2021-07-01'}]\n"
	write(person)
	got, err := FileHealth{path}.Health(t.Context(), who)
	if diff := cmp.Diff(doses(2), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	write(strings.Replace(person, "홍길동", "김철수", 1))
	if got, err := (FileHealth{path}).Health(t.Context(), who); got != nil || err != nil {
		t.Error("somebody else's record", err)
	}
	write(strings.Replace(person, "doses", "dosis", 1))
	if _, err := (FileHealth{path}).Health(t.Context(), who); err == nil || !strings.Contains(err.Error(), "records.toml") {
		t.Error(err)
	}
}

// TestWithdraw holds that no code is made the same minute, and that what stays
// is told with its day.
func TestWithdraw(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "nv", hong)
	p.code(t, "nv")
	p.refused(t, "/b/nv/withdraw", nil, "missing")
	p.goes(t, "/b/nv/withdraw", values("agree", "withdraw"), "/b/nv/gone?until=2026-12-20")
	if _, body := p.get(t, "/b/nv/gone?until=2026-12-20"); !strings.Contains(body, "2026. 12. 20.") {
		t.Error("the day is not told")
	}
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 403 {
		t.Errorf("a code after the withdrawal: %d", resp.StatusCode)
	}
	if _, body := p.get(t, "/b/nv"); strings.Contains(body, "최근 인증내역") {
		t.Error("verifications are still shown")
	}
	q := h.phone(t)
	q.walk(t, "kko", hong)
	q.goes(t, "/b/kko/withdraw", values("agree", "withdraw"), "/b/kko/gone")
}

// TestSessionRotates holds that a cookie from before the verification is worth
// nothing after it, and how the cookie is marked.
func TestSessionRotates(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	resp, _ := p.post(t, "/b/nv/consent", values("agree", "use", "agree", "third-parties"))
	cookie := resp.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/;"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Error("a Secure cookie over plain http is never sent back")
	}
	before := p.copied(t)
	p.bySMS(t, "/b/nv", hong, "/b/nv/device")
	if resp, _ := before.get(t, "/b/nv/qr"); resp.Header.Get("Location") != "/b/nv/consent" {
		t.Errorf("the cookie from before leads to %q", resp.Header.Get("Location"))
	}
	p.bind(t, "nv", "qr")
	h.Secure = true
	if resp, _ := p.post(t, "/b/nv/withdraw", values("agree", "withdraw")); !strings.Contains(resp.Header.Get("Set-Cookie"), "Secure") {
		t.Error("no Secure cookie behind https")
	}
}

// TestRates holds the limits per person and per address.
func TestRates(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "kko", hong)
	for range 10 {
		if resp, _ := p.code(t, "kko"); resp.StatusCode != 200 {
			t.Fatalf("%d", resp.StatusCode)
		}
	}
	resp, _ := p.code(t, "kko")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	h.now = h.now.Add(3 * time.Second)
	if resp, _ := p.code(t, "kko"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	q := h.phone(t)
	busy := 0
	for range 700 {
		if resp, _ := q.post(t, "/b/nv/consent", nil); resp.StatusCode == 429 {
			busy++
		}
	}
	if busy < 50 {
		t.Errorf("of 700 posts from one address %d were held up", busy)
	}
}

func TestLimiter(t *testing.T) {
	l := &limiter{burst: 2, refill: time.Second}
	for i, want := range []bool{true, true, false} {
		if _, ok := l.allow("a", t0); ok != want {
			t.Errorf("%d: %v", i, ok)
		}
	}
	if wait, ok := l.allow("a", t0.Add(-time.Hour)); ok || wait != time.Second {
		t.Errorf("a clock set back: %v %v", wait, ok)
	}
	if _, ok := l.allow("b", t0); !ok {
		t.Error("another key is held up")
	}
	for i := range maxBuckets + 10 {
		l.allow(string(rune(i))+"x", t0)
	}
	if len(l.all) > maxBuckets {
		t.Errorf("%d buckets", len(l.all))
	}
}

// TestNobodyIsTold holds that no answer says whether a number is known.
func TestNobodyIsTold(t *testing.T) {
	h := newHouse(t)
	app := h.phone(t)
	app.bySMS(t, "/app/motp", hong, "/app/motp")
	app.goes(t, "/app/motp/register", values("pin", "1357", "again", "1357"), "/app/motp")
	ask := func(number string) string {
		p := h.phone(t)
		p.consent(t, "nv", "identity")
		p.goes(t, "/b/nv/identity/choose", values("method", "motp"), "/b/nv/identity")
		p.goes(t, "/b/nv/identity/motp", url.Values{"phone": {number}, "agree": ticks}, "/b/nv/identity")
		_, body := p.post(t, "/b/nv/identity/check", values("code", "abcdef"))
		return nonceOf.ReplaceAllString(body, "")
	}
	if diff := cmp.Diff(ask(hong.phone), ask("01000000000")); diff != "" {
		t.Error(diff)
	}
}

// TestPasskeysAreTheBoundPhones holds what stands around passkeys; the ceremony
// itself is walked in Chromium.
func TestPasskeysAreTheBoundPhones(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	step := func(p *phone, brand, step string) int {
		t.Helper()
		resp, _ := p.do(t, "POST", "/v1/b/"+brand+"/passkey/"+step, "application/json", "{}")
		return resp.StatusCode
	}
	if got := step(p, "pas", "register"); got != 422 {
		t.Errorf("nobody registers a passkey: %d", got)
	}
	p.walk(t, "pas", hong)
	if got := step(p, "pas", "login"); got != 422 {
		t.Errorf("login without a passkey: %d", got)
	}
	if got := step(p, "pas", "registered"); got != 422 {
		t.Errorf("an answer to no question: %d", got)
	}
	if got := step(p, "pas", "nothing"); got != 404 {
		t.Errorf("%d", got)
	}
	who := *h.visitOf(t, p, "pas").Person
	has := func() bool {
		t.Helper()
		person, _, err := h.db.Person(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		return person.Passkeys != nil
	}
	give := func() {
		t.Helper()
		if err := h.db.Edit(t.Context(), who, func(m *store.More) error { m.Passkeys = []byte("[]"); return nil }); err != nil || !has() {
			t.Fatal(err)
		}
	}
	give()
	h.now = h.now.Add(unlocked)
	if _, body := p.get(t, "/b/pas"); !strings.Contains(body, `data-do="login"`) {
		t.Error("the passkey is not offered")
	}
	if got := step(p, "pas", "register"); got != 422 {
		t.Errorf("a locked page registers a passkey: %d", got)
	}
	p.post(t, "/b/pas/passkeys/remove", nil)
	if !has() {
		t.Error("a locked page removes a passkey")
	}
	p.goes(t, "/b/pas/login", values("pin", p.pin), "/b/pas")
	p.goes(t, "/b/pas/passkeys/remove", nil, "/b/pas/me")
	if has() {
		t.Error("a removed passkey is still there")
	}
	// A new phone begins without the old one's.
	give()
	q := h.phone(t)
	q.bySMS(t, "/b/pas", hong, "/b/pas/device")
	q.bind(t, "pas", "qr")
	if has() {
		t.Error("the old phone's passkey opens the new one")
	}
}

// TestTwoTabs holds that two tabs of one phone both get codes, each its own,
// also when both ask at the same moment.
func TestTwoTabs(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "nv", hong)
	_, body := p.get(t, "/b/nv/qr")
	nonce := nonceOf.FindStringSubmatch(body)[1]
	texts := make(chan string, 2)
	for range 2 {
		ask := Ask{Brand: "nv", Nonce: nonce, Signature: p.sign(t, "pass", "nv", nonce)}
		go func() {
			_, a := p.ask(t, ask)
			texts <- a.Text
		}()
	}
	a, b := <-texts, <-texts
	if a == "" || b == "" || a == b {
		t.Errorf("%q and %q", a, b)
	}
}

// TestACookieIsNotEnough holds that a person's data are open for a while after
// a proof and closed to a cookie alone: nothing is seen, loaded or withdrawn.
func TestACookieIsNotEnough(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	p.walk(t, "nv", hong)
	p.goes(t, "/b/nv/health", values("agree", "health"), "/b/nv/me")
	h.now = h.now.Add(unlocked)
	thief := p.copied(t)
	for _, page := range []string{"/b/nv/me", "/b/nv/withdraw"} {
		if resp, _ := thief.get(t, page); resp.Header.Get("Location") != "/b/nv/login?then=me" {
			t.Errorf("%s: %d to %q", page, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	for _, action := range []string{"health", "health/withdraw", "withdraw"} {
		for _, in := range []url.Values{nil, values("agree", action)} {
			if resp, body := thief.post(t, "/b/nv/"+action, in); resp.StatusCode != 303 || strings.Contains(body, "홍*동") {
				t.Errorf("%s: %d", action, resp.StatusCode)
			}
		}
	}
	if _, body := thief.get(t, "/b/nv"); strings.Contains(body, "최근 인증내역") {
		t.Error("a cookie sees the verifications")
	}
	_, body := thief.get(t, "/b/nv/login?then=me")
	nonce := nonceOf.FindStringSubmatch(body)[1]
	thief.refused(t, "/b/nv/login", values("nonce", nonce, "signature", thief.sign(t, "login", "nv", nonce), "then", "me"), "err_phone")
	thief.refused(t, "/b/nv/login", values("pin", "135790"), "err_phone")

	p.goes(t, "/b/nv/login", values("nonce", nonce, "signature", p.sign(t, "login", "nv", nonce), "then", "me"), "/b/nv/me")
	if _, body := p.get(t, "/b/nv/me"); !strings.Contains(body, "접종 완료") {
		t.Error("the owner does not see the record")
	}
	if _, a := p.code(t, "nv"); verify(t, a.Text, h.now).Health() == nil {
		t.Error("the thief has taken the record out")
	}
}

// TestTheFilesNameNobody walks every brand over a database on disk, with a
// vaccination record, and looks for anything of the person, the codes and the
// passes in its files.
func TestTheFilesNameNobody(t *testing.T) {
	dir := t.TempDir()
	if err := store.CreateDataKey(filepath.Join(dir, "data.key")); err != nil {
		t.Fatal(err)
	}
	keys, err := store.OpenKeys(filepath.Join(dir, "data.key"), filepath.Join(dir, "days"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "issuer.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := config(t)
	c.Store = db
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: s, db: db, now: t0}
	h.http = httptest.NewServer(s.Handler())
	t.Cleanup(h.http.Close)
	secrets := []string{hong.name, hong.phone, "010-1234", "1990-03-01", hong.birth, "135790", "2021-09-13"}
	for _, brand := range []string{"nv", "kko", "pas", "tos"} {
		p := h.phone(t)
		p.walk(t, brand, hong)
		p.goes(t, "/b/"+brand+"/health", values("agree", "health"), "/b/"+brand+"/me")
		_, a := p.code(t, brand)
		id := verify(t, a.Text, t0).ID()
		secrets = append(secrets, string(id[:]), id.String(), a.Text)
		for _, cookie := range p.web.Jar.Cookies(mustParse(h.http.URL)) {
			secrets = append(secrets, cookie.Value)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		read += len(data)
		for _, secret := range secrets {
			if strings.Contains(string(data), secret) {
				t.Errorf("%q stands in %s", secret, e.Name())
			}
		}
	}
	if read < 50_000 {
		t.Errorf("only %d bytes were looked at", read)
	}
}
