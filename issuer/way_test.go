package issuer

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
