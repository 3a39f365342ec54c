package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/chromium"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/testca"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink/journal"
)

// wallet is an issuer to which browsers can go, and what kiosks trust.
type wallet struct {
	port   string
	ca     *testca.CA // of certificates that nv believes
	bundle *pass.Bundle
	ahead  atomic.Int64 // how far the issuer's clock is set ahead
}

func newWallet(t *testing.T) *wallet {
	t.Helper()
	brands, err := issuer.SampleBrands()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	contents := pass.Contents{Number: 1, Issued: now.Unix(), Expires: now.Add(time.Hour).Unix()}
	for i := range brands {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		brands[i].Key = private
		contents.Issuers = append(contents.Issuers, pass.Issuer{ID: brands[i].ID, Keys: []pass.Key{pass.NewKey(public, now.Add(-time.Hour), now.Add(time.Hour))}})
	}
	public, root, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pass.SignBundle(root, contents)
	if err != nil {
		t.Fatal(err)
	}
	w := &wallet{}
	dir := t.TempDir()
	if w.ca, err = testca.Create(dir, now); err != nil {
		t.Fatal(err)
	}
	nv := slices.IndexFunc(brands, func(b issuer.Brand) bool { return b.ID == "nv" })
	if brands[nv].Authorities, err = identity.OpenAuthorities(filepath.Join(dir, testca.CertificateFile), filepath.Join(dir, testca.ListFile)); err != nil {
		t.Fatal(err)
	}
	if w.bundle, err = pass.OpenBundle(raw, public); err != nil {
		t.Fatal(err)
	}
	s, err := issuer.New(issuer.Config{
		Brands: brands, Health: issuer.DemoHealth{}, Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }, Log: slog.New(slog.DiscardHandler),
		Helpline: issuer.Helpline{Number: "02-000-0000", Hours: "평일 09:00–18:00 (점심 12:00–13:00 제외)", HoursEN: "weekdays 9:00–18:00, closed 12:00–13:00"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, w.port, _ = net.SplitHostPort(l.Addr().String())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// at is this server by this machine's own name, to which browsers give what they
// give over https; plain is by a name in a network, to which they do not.
func (w *wallet) at(path string) string { return "http://localhost:" + w.port + path }
func (w *wallet) plain(path string) string {
	return "http://" + chromium.NetworkName + ":" + w.port + path
}

var looked = map[string]bool{}

// look holds the page to what every page must be and takes its picture.
func look(t *testing.T, p *chromium.Page, name string) {
	t.Helper()
	if looked[name] {
		return
	}
	looked[name] = true
	if n := p.Overflow(); n > 0 {
		t.Errorf("%s is %d pixels wider than the window", name, n)
	}
	for _, v := range chromium.Serious(p.Axe()) {
		t.Errorf("%s: %s", name, v)
	}
	p.Save(chromium.Out(t, filepath.Join("issuer", name+".png")))
	p.Zoom(200)
	if n := p.Overflow(); n > 0 {
		t.Errorf("%s with text at 200%% is %d pixels wider than the window", name, n)
	}
	p.Zoom(100)
}

func phoneWindow(t *testing.T) *chromium.Page {
	t.Helper()
	p := chromium.Start(t)
	p.Size(360, 740, false)
	p.Before(slow)
	return p
}

// message is the code in the newest message to a number.
func (w *wallet) message(t *testing.T, number string) string {
	t.Helper()
	resp, err := http.Get(w.at("/app/sms"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)` + number + ` .*?\[([0-9]{6})\]`).FindStringSubmatch(b.String())
	if m == nil {
		t.Fatal("no message came to " + number)
	}
	return m[1]
}

const go_ = "button.primary"

type person struct{ name, phone, birth, sex string }

// bySMS fills the form from the choice on. name tells pictures apart.
func (w *wallet) bySMS(t *testing.T, p *chromium.Page, who person, name string) {
	t.Helper()
	look(t, p, name+"-choose")
	p.Follow(`button[value=sms]`)
	look(t, p, name+"-sms")
	p.Fill("name", who.name, "birth", who.birth, "sex", who.sex, "phone", who.phone)
	p.Tick(`input[value=skt]`)
	p.Tick(`fieldset [data-all]`)
	p.Follow(go_)
	look(t, p, name+"-sms-code")
	p.Fill("code", "000000")
	if p.Follow(go_) != 422 {
		t.Error("a wrong code is not refused")
	}
	look(t, p, name+"-sms-wrong")
	p.Fill("code", w.message(t, who.phone))
	p.Follow(go_)
}

func consent(t *testing.T, p *chromium.Page, screens int, name string) {
	t.Helper()
	for n := range screens {
		look(t, p, fmt.Sprintf("%s-consent-%d", name, n+1))
		p.Tick("[data-all]")
		p.Follow(go_)
	}
}

// slow is the phone of a walk: its clocks stand still but for skip, so that no
// code ends by itself while a busy machine looks at it, and its patience with
// the network is that machine's.
const slow = `(() => {
	const ahead = [performance.now(), Date.now()], timer = setTimeout;
	performance.now = () => ahead[0];
	Date.now = () => ahead[1];
	window.skip = (ms) => { ahead[0] += ms; ahead[1] += ms; };
	window.setTimeout = (f, ms, ...rest) => timer(f, ms < 5000 ? ms : 20 * ms, ...rest);
})()`

// skip lets the page believe that so many milliseconds have passed.
func skip(p *chromium.Page, ms int) { p.Eval(fmt.Sprintf("skip(%d)", ms)) }

// shown waits for the n-th code of the page and takes its picture.
func shown(t *testing.T, p *chromium.Page, n int) *image.Gray {
	t.Helper()
	p.Text(fmt.Sprintf(`body[data-state=valid][data-made="%d"] #count strong`, n))
	img, err := png.Decode(bytes.NewReader(p.Picture()))
	if err != nil {
		t.Fatal(err)
	}
	gray := image.NewGray(img.Bounds())
	draw.Draw(gray, gray.Bounds(), img, img.Bounds().Min, draw.Src)
	return gray
}

// valid waits for the n-th code of the page and reads it off its picture.
func (w *wallet) valid(t *testing.T, p *chromium.Page, n int) *pass.Pass {
	t.Helper()
	symbols, err := qr.New(qr.Options{Thorough: true, Budget: time.Minute}).Decode(shown(t, p, n))
	if err != nil || len(symbols) != 1 {
		t.Fatalf("%d symbols are read from the picture of the page, %v", len(symbols), err)
	}
	return w.verify(t, symbols[0].Text)
}

// throughLens holds the phone with the page before a kiosk's camera, in a hand
// that shakes, blurred and noisy, and reads the code as the kiosk does.
func (w *wallet) throughLens(t *testing.T, p *chromium.Page, n int, name string) *pass.Pass {
	t.Helper()
	phone := virtual.New(virtual.Options{Seed: 5, Unpaced: true})
	defer phone.Close()
	phone.Show(shown(t, p, n))
	reader := qr.New(qr.Options{Stream: true, Budget: time.Minute})
	var frame image.Gray
	for i := range 60 { // two seconds, of which the hand comes for 0.7
		if err := phone.Grab(t.Context(), &frame); err != nil {
			t.Fatal(err)
		}
		symbols, err := reader.Decode(&frame)
		if err != nil || len(symbols) == 0 {
			continue
		}
		t.Logf("%s: read in frame %d of 30 a second", name, i+1)
		file, err := os.Create(chromium.Out(t, filepath.Join("issuer", name+"-lens.png")))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(file, &frame), file.Close()); err != nil {
			t.Fatal(err)
		}
		return w.verify(t, symbols[0].Text)
	}
	t.Fatalf("%s: the code is not read through the lens", name)
	return nil
}

func (w *wallet) verify(t *testing.T, text string) *pass.Pass {
	t.Helper()
	u, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := u.Verify(time.Now(), w.bundle, pass.Conditions{Skew: chromium.Patience, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var hong = person{"홍길동", "01012345678", "900301", "1"}

// TestWalk walks each brand's way at a phone's size: first visit, renewals by
// themselves, the end, retry, coming back, and a copied cookie.
func TestWalk(t *testing.T) {
	for _, tt := range []struct {
		brand    string
		screens  int
		renewals int
		count    *regexp.Regexp
	}{
		{"nv", 1, 2, regexp.MustCompile(`^[0-9]+초 남음$`)}, {"kko", 2, 3, regexp.MustCompile(`^남은 시간 [0-9]+초$`)},
		{"pas", 1, 0, regexp.MustCompile(`^[0-9]+초 남음$`)}, {"tos", 1, 2, regexp.MustCompile(`^[0-9]+초 남음$`)},
	} {
		t.Run(tt.brand, func(t *testing.T) {
			w := newWallet(t)
			p := phoneWindow(t)
			p.Open(w.at("/"))
			look(t, p, "home")
			p.Follow(".brand-" + tt.brand)
			look(t, p, tt.brand+"-menu-first")
			p.Follow("a.primary")
			if tt.brand == "pas" {
				w.bySMS(t, p, hong, "identity")
				look(t, p, "pas-device")
				p.Fill("pin", "135790", "again", "135790")
				p.Follow(go_)
			}
			if tt.brand == "nv" {
				p.Follow("a.secondary")
				look(t, p, "refuse")
				p.Follow("a.primary")
			}
			consent(t, p, tt.screens, tt.brand)
			if tt.brand != "pas" {
				w.bySMS(t, p, hong, "identity")
			}
			first := w.throughLens(t, p, 1, tt.brand)
			j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db")) // the kiosk's
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			if _, err := j.Claim("door"); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Admit(first, time.Now()); err != nil {
				t.Errorf("the kiosk does not admit what is on the screen: %v", err)
			}
			if first.ID() != w.valid(t, p, 1).ID() {
				t.Error("the lens shows another code than the page")
			}
			if first.Issuer() != tt.brand || first.Health() != nil {
				t.Errorf("%s %v", first.Issuer(), first.Health())
			}
			if got := p.Text("#count strong"); !tt.count.MatchString(got) {
				t.Errorf("the countdown says %q", got)
			}
			if wide := p.Eval(`document.querySelector("#code svg").getBoundingClientRect().width`); wide != "360" {
				t.Errorf("the code is %s pixels wide on a screen of 360", wide)
			}
			look(t, p, tt.brand+"-qr")
			ids := map[pass.ID]bool{first.ID(): true}
			for n := range tt.renewals {
				skip(p, 15000)
				ids[w.valid(t, p, n+2).ID()] = true
			}
			skip(p, 15000)
			if got := p.Text("[data-state=expired] .when-expired h2"); !strings.Contains(got, "인증 시간이 만료되었습니다") {
				t.Error(got)
			}
			if p.Count("#code svg") != 0 {
				t.Error("the old code is still in the page")
			}
			look(t, p, tt.brand+"-expired")
			p.Tick("#retry") // no consent again
			ids[w.valid(t, p, tt.renewals+2).ID()] = true
			if len(ids) != tt.renewals+2 {
				t.Errorf("%d codes, want %d", len(ids), tt.renewals+2)
			}

			// A menu behind it, and back: never the old code.
			p.Open(w.at("/b/" + tt.brand))
			look(t, p, tt.brand+"-menu")
			p.Eval("setTimeout(() => history.back(), 0)")
			if back := w.valid(t, p, 1); ids[back.ID()] {
				t.Error("going back shows an old code")
			}

			// Without the phone's key the cookie is worth nothing.
			p.Eval(`indexedDB.deleteDatabase("munjigi")`)
			p.Open(w.at("/b/" + tt.brand + "/qr"))
			if got := p.Text(`form[action$="/other"] button.primary`); !strings.Contains(got, "다시 본인확인") { // the page comes by script
				t.Error(got)
			}
			look(t, p, "other")
		})
	}
}

// TestChild is a child's way: the guardian consents and is verified too.
func TestChild(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.at("/b/nv/qr"))
	consent(t, p, 1, "nv")
	w.bySMS(t, p, person{"홍아기", "01011112222", "150505", "4"}, "identity")
	look(t, p, "guardian")
	p.Tick("[value=guardian]")
	p.Follow(go_)
	w.bySMS(t, p, person{"홍판서", "01033334444", "600101", "1"}, "guardian")
	w.valid(t, p, 1)
	p.Open(w.at("/b/nv/me"))
	look(t, p, "me")
	p.Tick("form[action$='/health'] [value=health]")
	p.Follow("form[action$='/health'] button")
	look(t, p, "me-health")
	p.Open(w.at("/b/nv/qr"))
	if w.valid(t, p, 1).Health() == nil {
		t.Error("the vaccination is not in the next code")
	}
	w.ahead.Add(int64(11 * time.Minute)) // the phone's key opens the data again by itself
	p.Open(w.at("/b/nv"))
	p.Follow(`a[href$="/me"]`)
	p.Text("main details summary")
	p.Open(w.at("/b/nv/withdraw"))
	look(t, p, "withdraw")
	p.Tick("[value=withdraw]")
	p.Follow(go_)
	look(t, p, "gone")
	p.Open(w.at("/b/nv/qr"))
	if !strings.HasSuffix(p.Where(), "/consent") {
		t.Errorf("after the withdrawal: %s", p.Where())
	}
}

// TestTwoWindows walks PASS and mOTP with the app in a window of its own.
func TestTwoWindows(t *testing.T) {
	w := newWallet(t)
	app, p := phoneWindow(t), phoneWindow(t)
	app.Open(w.at("/app/pass"))
	look(t, app, "app-pass-first")
	app.Follow("a.primary")
	w.bySMS(t, app, hong, "app")
	app.Fill("pin", "135790", "again", "135790")
	app.Follow(go_)
	look(t, app, "app-pass")

	p.Open(w.at("/b/kko/qr"))
	consent(t, p, 2, "kko")
	p.Follow("button[value=pass]")
	look(t, p, "identity-pass")
	p.Tick("[value=skt]")
	p.Tick("fieldset [data-all]")
	p.Fill("name", hong.name, "phone", hong.phone, "picture", "000000")
	if p.Follow(go_) != 422 {
		t.Error("a wrong picture code is not refused")
	}
	p.Tick("fieldset [data-all]")
	p.Follow("button[formaction$=number]") // as on a PC: the picture is for people
	look(t, p, "identity-number")
	number := strings.TrimSpace(p.Text(".number"))
	if p.Follow(go_) != 422 {
		t.Error("not approved yet, and it goes on")
	}
	app.Fill("number", number)
	app.Follow("form[action$=number] button")
	look(t, app, "app-pass-request")
	app.Follow("[value=approve]")
	look(t, app, "app-pass-approved")
	p.Follow(go_)
	w.valid(t, p, 1)

	app.Open(w.at("/app/motp"))
	app.Follow("a.primary")
	w.bySMS(t, app, hong, "app")
	app.Fill("pin", "1357", "again", "1357")
	app.Follow(go_)
	code := strings.Fields(app.Text("#otp"))[0]
	look(t, app, "app-motp")
	app.Tick("#otp")
	if got := app.Text("#said.note"); !strings.Contains(got, "복사했습니다") {
		t.Error(got)
	}
	p.Open(w.at("/b/tos/qr"))
	consent(t, p, 1, "tos")
	p.Follow("button[value=motp]")
	look(t, p, "identity-motp")
	p.Fill("phone", hong.phone)
	p.Tick("fieldset [data-all]")
	p.Follow(go_)
	look(t, p, "identity-motp-code")
	p.Fill("code", code)
	p.Follow(go_)
	w.valid(t, p, 1)
}

// TestPlainHTTP is the demonstration in a network without https: a PIN stands
// for the phone's key, once a page.
func TestPlainHTTP(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.plain("/b/nv/qr"))
	consent(t, p, 1, "nv")
	w.bySMS(t, p, hong, "identity")
	look(t, p, "device-plain")
	p.Fill("pin", "135790", "again", "135790")
	p.Follow(go_)
	p.Text("[data-state=pin] #pin h2")
	look(t, p, "qr-pin")
	p.Fill("pin", "000000")
	p.Tick("#pin button")
	p.Text("#pin-wrong:not([hidden])")
	p.Fill("pin", "135790")
	p.Tick("#pin button")
	w.valid(t, p, 1)
	skip(p, 15000)
	w.valid(t, p, 2) // renewed without the PIN
}

// TestOffline loses the connection at a renewal and comes back.
func TestOffline(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.at("/b/nv/qr"))
	consent(t, p, 1, "nv")
	w.bySMS(t, p, hong, "identity")
	w.valid(t, p, 1)
	p.Eval(`(() => { window.online = fetch; window.fetch = () => Promise.reject(new TypeError("away")); })()`)
	skip(p, 15000)
	if got := p.Text("[data-state=offline] .when-offline h2"); !strings.Contains(got, "연결이 원활하지 않습니다") {
		t.Error(got)
	}
	look(t, p, "offline")
	p.Eval(`(() => { window.fetch = window.online; })()`)
	p.Tick("#retry")
	w.valid(t, p, 2)

	// A page that nobody looks at makes no code: it ends instead.
	p.Eval(`Object.defineProperty(document, "hidden", {value: true, configurable: true})`)
	skip(p, 15000)
	p.Text("[data-state=expired] .when-expired h2")
	if made := p.Eval(`document.body.dataset.made`); made != "2" {
		t.Errorf("a hidden page made %s codes", made)
	}
}

// TestPasskey opens PASS by fingerprint; another finger does not, and the PIN
// still does.
func TestPasskey(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	owner := p.Fingers()
	p.Open(w.at("/b/pas/qr"))
	w.bySMS(t, p, hong, "identity")
	p.Fill("pin", "135790", "again", "135790")
	p.Follow(go_)
	consent(t, p, 1, "pas")
	w.valid(t, p, 1)
	p.Open(w.at("/b/pas/me"))
	look(t, p, "pas-me")
	p.Tick("#passkey")
	p.Text("form[action$='/passkeys/remove']")

	w.ahead.Add(int64(11 * time.Minute))
	p.Open(w.at("/b/pas"))
	look(t, p, "pas-login")
	owner(false)
	p.Tick("#passkey")
	p.Text("#passkey-failed:not([hidden])")
	owner(true)
	p.Tick("#passkey")
	p.Text("main section ul.plain") // the recent verifications

	w.ahead.Add(int64(11 * time.Minute))
	p.Open(w.at("/b/pas"))
	p.Fill("pin", "135790")
	p.Follow(go_)
	p.Open(w.at("/b/pas/me"))
	p.Follow("form[action$='/passkeys/remove'] button")
	w.ahead.Add(int64(11 * time.Minute))
	p.Open(w.at("/b/pas"))
	if p.Count("#passkey") != 0 {
		t.Error("a removed passkey is still offered")
	}
}

// TestSlowPhone makes its key later than its owner types the PIN: it waits,
// and is not bound without the key.
func TestSlowPhone(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Before(`(() => {
		const make = crypto.subtle.generateKey.bind(crypto.subtle), later = new Promise((go) => { window.ready = go; });
		crypto.subtle.generateKey = async (...all) => { await later; return make(...all); };
	})()`)
	p.Open(w.at("/b/pas/qr"))
	w.bySMS(t, p, hong, "identity")
	p.Fill("pin", "135790", "again", "135790")
	p.Press("\r")
	if p.Count("form#bind button:disabled") != 1 {
		t.Error("the form can be sent before the phone has its key")
	}
	p.Eval("ready()")
	p.Follow(go_)
	consent(t, p, 1, "pas")
	w.valid(t, p, 1) // by the key: no PIN is asked for
}

// TestKeyboard is the way to a code with no finger on the screen.
func TestKeyboard(t *testing.T) {
	w := newWallet(t)
	p := phoneWindow(t)
	p.Open(w.at("/b/nv/qr"))
	p.Reach("[data-all]")
	p.Press(" ")
	p.Reach(go_)
	p.Press("\r")
	p.Text("button[value=sms]")
	p.Reach("button[value=sms]")
	p.Press("\r")
	p.Text("[name=carrier] + span")
	for _, field := range [][2]string{{"name", hong.name}, {"birth", hong.birth}, {"sex", hong.sex}} {
		p.Reach("[name=" + field[0] + "]")
		p.Press(field[1])
	}
	p.Reach("[name=carrier]")
	p.Press(" ")
	p.Reach("[name=phone]")
	p.Press(hong.phone)
	p.Reach("[data-all]")
	p.Press(" ")
	p.Reach(go_)
	p.Press("\r")
	p.Text("form[action$=check] label span")
	p.Reach("[name=code]")
	p.Press(w.message(t, hong.phone) + "\r")
	w.valid(t, p, 1)
	for n := range 2 {
		skip(p, 15000)
		p.Text(fmt.Sprintf(`body[data-state=valid][data-made="%d"] #count strong`, n+2))
	}
	skip(p, 15000)
	p.Text("[data-state=expired] .when-expired h2")
	p.Reach("#retry")
	p.Press("\r")
	p.Text("body[data-state=valid] #count strong")
}
