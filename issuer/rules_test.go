package issuer

import (
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/issuer/store"
)

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
