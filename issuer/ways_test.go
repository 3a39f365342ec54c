package issuer

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

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
	// Who guesses at numbers is held up.
	slow := 0
	for range 12 {
		if resp, _ := app.post(t, "/app/pass/number", values("number", "000000")); resp.StatusCode == 429 {
			slow++
		}
	}
	if slow != 3 { // the right one counted, too
		t.Errorf("of 12 guesses %d were held up, want 3", slow)
	}
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
	for _, secret := range []string{first, code, "135790", h.lastCode(t, moved.phone)} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the code %s is in the log", secret)
		}
	}
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
