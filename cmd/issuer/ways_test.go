package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/chromium"
	"github.com/munjigi/munjigi/issuer/testca"
)

// toCode walks a brand's way with a person who is known to nobody yet.
func (w *wallet) toCode(t *testing.T, p *chromium.Page, brand string, who person) {
	t.Helper()
	p.Open(w.at("/b/" + brand + "/qr"))
	if brand == "pas" {
		w.bySMS(t, p, who, "identity")
		p.Fill("pin", "135790", "again", "135790")
		p.Follow(go_)
	}
	consent(t, p, max(1, map[string]int{"kko": 2}[brand]), brand)
	if brand != "pas" {
		w.bySMS(t, p, who, "identity")
	}
}

// until waits for what the page's own timers bring about.
func until(t *testing.T, p *chromium.Page, js string) {
	t.Helper()
	for end := time.Now().Add(chromium.Patience); p.Eval(js) != "true"; {
		if time.Now().After(end) {
			t.Fatalf("never: %s", js)
		}
	}
}

// later lets the issuer's time pass. Codes that are made then are not verified:
// the kiosks' bundle is of today.
func (w *wallet) later(d time.Duration) { w.ahead.Add(int64(d)) }

// TestComingBack is each brand's second visit, the next day and 31 days on, and
// what happens where the network is away: as the brand's rules have it.
func TestComingBack(t *testing.T) {
	for _, brand := range []string{"nv", "kko", "pas", "tos"} {
		t.Run(brand, func(t *testing.T) {
			w := newWallet(t)
			p := phoneWindow(t)

			// Refused at first: what cannot be done, why, and how to go on.
			p.Open(w.at("/b/" + brand + "/refuse"))
			if got := p.Text("main"); !strings.Contains(got, "QR코드를 만들 수 없습니다") || !strings.Contains(got, "때문입니다") {
				t.Error(got)
			}
			w.toCode(t, p, brand, hong)
			w.valid(t, p, 1)

			p.Eval(`(() => { window.online = fetch; window.fetch = () => Promise.reject(new TypeError("away")); })()`)
			skip(p, 15000)      // a renewal by itself
			if brand == "pas" { // or by a button
				p.Text("[data-state=expired] .when-expired h2")
				p.Tick("#retry")
			}
			p.Text("[data-state=offline] .when-offline h2")
			p.Eval(`(() => { window.fetch = window.online; })()`)
			p.Tick("#retry")
			w.valid(t, p, 2)

			w.later(24 * time.Hour)
			p.Open(w.at("/b/" + brand))
			if brand == "pas" {
				p.Fill("pin", "135790")
				p.Follow(go_)
			}
			p.Follow("a.primary")
			p.Text(`body[data-state=valid][data-made="1"] #count strong`) // nothing was asked

			w.later(30 * 24 * time.Hour)
			p.Open(w.at("/b/" + brand))
			if brand == "pas" {
				p.Fill("pin", "135790")
				p.Follow(go_)
			}
			p.Follow("a.primary")
			if brand == "nv" { // verified every month
				if !strings.HasSuffix(p.Where(), "/b/nv/identity") {
					t.Fatalf("a month later: %s", p.Where())
				}
				w.bySMS(t, p, hong, "identity")
			}
			p.Text(`body[data-state=valid][data-made="1"] #count strong`)
		})
	}
}

// TestChildren is the guardian's consent at each brand, once.
func TestChildren(t *testing.T) {
	for _, brand := range []string{"kko", "pas", "tos"} { // nv: TestChild
		t.Run(brand, func(t *testing.T) {
			w := newWallet(t)
			p := phoneWindow(t)
			p.Open(w.at("/b/" + brand + "/qr"))
			if brand != "pas" {
				consent(t, p, max(1, map[string]int{"kko": 2}[brand]), brand)
			}
			w.bySMS(t, p, person{"홍아기", "01011112222", "150505", "4"}, "identity")
			p.Tick("[value=guardian]")
			p.Follow(go_)
			w.bySMS(t, p, person{"홍판서", "01033334444", "600101", "1"}, "guardian")
			if brand == "pas" {
				p.Fill("pin", "135790", "again", "135790")
				p.Follow(go_)
				consent(t, p, 1, brand)
			}
			w.valid(t, p, 1)
			p.Open(w.at("/b/" + brand + "/qr"))
			w.valid(t, p, 1) // not asked again
		})
	}
}

// TestCertificate is Naver's third way: the browser opens the key file and
// signs; each failure says what to do, and the next try may be the right one.
func TestCertificate(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	sent := func() string { return p.Eval("document.getElementById('sign').elements.signature.value") }
	files := func(ca *testca.CA, name, birth string) [2]string {
		t.Helper()
		cert, key, err := ca.Issue(time.Now(), name, birth, "비밀 1234!")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		pair := [2]string{filepath.Join(dir, testca.PersonFile), filepath.Join(dir, testca.PersonKeyFile)}
		for i, data := range [][]byte{cert, key} {
			if err := os.WriteFile(pair[i], data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return pair
	}
	mine, others := files(w.ca, "홍길동", "1990-03-01"), files(w.ca, "김철수", "1990-03-01")
	revoked := files(w.ca, "홍길동", "1990-03-01")
	der, err := os.ReadFile(revoked[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ca.Revoke(time.Now(), der); err != nil {
		t.Fatal(err)
	}
	unknownCA, err := testca.Create(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	unknown := files(unknownCA, "홍길동", "1990-03-01")
	// A key sealed with SEED, as old files are: no browser opens it.
	seed, err := os.ReadFile(mine[1])
	if err != nil {
		t.Fatal(err)
	}
	aes, seedCBC := "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a", "\x06\x09\x2a\x83\x1a\x8c\x9a\x44\x01\x04\x00"
	if !strings.Contains(string(seed), aes) {
		t.Fatal("the test's key is sealed in another way")
	}
	sealed := filepath.Join(t.TempDir(), testca.PersonKeyFile)
	if err := os.WriteFile(sealed, []byte(strings.Replace(string(seed), aes, seedCBC, 1)), 0o600); err != nil {
		t.Fatal(err)
	}

	p.Open(w.at("/b/nv/qr"))
	consent(t, p, 1, "nv")
	p.Follow("button[value=certificate]")
	look(t, p, "identity-certificate")
	p.Fill("name", hong.name, "birth", hong.birth, "sex", hong.sex, "phone", hong.phone)
	p.Tick("input[value=skt]")
	p.Tick("fieldset [data-all]")
	p.Follow(go_)
	look(t, p, "identity-certificate-sign")

	fill := func(pin string, chosen ...string) {
		t.Helper()
		p.Upload("#files", chosen...)
		p.Eval(fmt.Sprintf("document.getElementById('key-pin').value = %q", pin))
	}
	local := func(notice, pin string, chosen ...string) {
		t.Helper()
		fill(pin, chosen...)
		p.Tick("#sign button")
		p.Text("#" + notice + ":not([hidden])")
		if s := sent(); s != "" {
			t.Errorf("%s, and a signature is there: %s", notice, s)
		}
	}
	local("cert_files", "비밀 1234!", mine[0])
	local("cert_files", "비밀 1234!", mine[1])
	local("cert_pin_wrong", "1234", mine[0], mine[1])
	look(t, p, "identity-certificate-pin")
	local("cert_kind", "비밀 1234!", mine[0], sealed)
	for _, tt := range []struct {
		pair [2]string
		says string
	}{
		{[2]string{mine[0], others[1]}, "서로 맞지 않습니다"}, {others, "적어 주신 내용과 다릅니다"},
		{revoked, "폐지된 인증서"}, {unknown, "받는 기관의 인증서가 아닙니다"},
	} {
		fill("비밀 1234!", tt.pair[0], tt.pair[1])
		if status := p.Follow("#sign button"); status != 422 {
			t.Errorf("%s: %d", tt.says, status)
		}
		if got := p.Text("#problem"); !strings.Contains(got, tt.says) {
			t.Errorf("%q, want %s", got, tt.says)
		}
	}
	look(t, p, "identity-certificate-unknown")
	fill("비밀 1234!", mine[0], mine[1])
	p.Follow("#sign button")
	w.valid(t, p, 1)
	p.Open(w.at("/b/nv/me"))
	if got := p.Text("main"); !strings.Contains(got, "인증서로 인증") {
		t.Error(got)
	}
}

// TestExpiredMessage is a code by SMS whose time is over: it can be sent again.
func TestExpiredMessage(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.at("/b/tos/qr"))
	consent(t, p, 1, "tos")
	p.Follow("button[value=sms]")
	p.Fill("name", hong.name, "birth", hong.birth, "sex", hong.sex, "phone", hong.phone)
	p.Tick("input[value=skt]")
	p.Tick("fieldset [data-all]")
	p.Follow(go_)
	if got := p.Text(".count[data-left] span"); got != "3:00" {
		t.Errorf("the countdown begins with %q", got)
	}
	skip(p, 179_500)
	until(t, p, `document.querySelector(".count[data-left] span").textContent === "0:01"`)
	w.later(3 * time.Minute)
	p.Fill("code", w.message(t, hong.phone))
	if status := p.Follow(go_); status != 422 {
		t.Errorf("an expired code: %d", status)
	}
	look(t, p, "identity-sms-expired")
	p.Follow("form[action$=resend] button")
	p.Fill("code", w.message(t, hong.phone))
	p.Follow(go_)
	p.Text(`body[data-state=valid] #count strong`)
}

// TestMOTPByItself is the app's page over a minute: the countdown, the word to
// wait, and the next code by itself.
func TestMOTPByItself(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.at("/app/motp"))
	p.Follow("a.primary")
	w.bySMS(t, p, hong, "app")
	p.Fill("pin", "1357", "again", "1357")
	p.Follow(go_)
	code := func() string { return strings.Fields(p.Text("#otp"))[0] }
	first := code()
	p.Eval("skip(Number(document.getElementById('otp').dataset.left) - 30000)")
	until(t, p, `document.getElementById("otp-left").textContent === "30초"`)
	if p.Count("#soon:not([hidden])") != 0 {
		t.Error("with 30 s left people are told to wait")
	}
	skip(p, 20_000)
	if got := p.Text("#soon:not([hidden])"); !strings.Contains(got, "다음 번호를 기다려 주세요") || code() != first {
		t.Errorf("with 10 s left: %q", got)
	}
	look(t, p, "app-motp-soon")
	w.later(time.Minute)
	skip(p, 10_000)
	until(t, p, fmt.Sprintf(`/^[0-9]{6}$/.test(document.querySelector("#otp strong").textContent) && document.querySelector("#otp strong").textContent !== %q`, first))
	until(t, p, `document.getElementById("soon").hidden === parseInt(document.getElementById("otp-left").textContent) > 10`)
}

// TestWakeLock holds that the screen is kept awake while a code stands on it
// and no longer.
func TestWakeLock(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Before(`(() => {
		window.awake = 0;
		const lock = { request: async (kind) => { if (kind === "screen") window.awake++; return { release: async () => { window.awake--; } }; } };
		window.real = Boolean(navigator.wakeLock);
		Object.defineProperty(navigator, "wakeLock", { value: lock });
	})()`)
	w.toCode(t, p, "nv", hong)
	w.valid(t, p, 1)
	if p.Eval("window.real") != "true" {
		t.Error("this Chromium has no wake lock of its own")
	}
	for n := range 3 {
		if got := p.Eval("awake"); got != "1" {
			t.Errorf("code %d: %s locks are held", n+1, got)
		}
		skip(p, 15000)
		if n < 2 {
			w.valid(t, p, n+2)
		}
	}
	p.Text("[data-state=expired] .when-expired h2")
	if got := p.Eval("awake"); got != "0" {
		t.Errorf("after the last code: %s locks are held", got)
	}
	p.Tick("#retry")
	w.valid(t, p, 4)
	if got := p.Eval("awake"); got != "1" {
		t.Errorf("after the retry: %s locks are held", got)
	}
}
