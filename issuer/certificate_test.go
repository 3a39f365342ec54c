package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/testca"
)

var signedText = regexp.MustCompile(`data-signed="([^"]+)"`)

// TestByCertificate walks Naver's third way to a code, with its failures; the
// browser's part is walked in Chromium.
func TestByCertificate(t *testing.T) {
	dir := t.TempDir()
	ca, err := testca.Create(dir, t0)
	if err != nil {
		t.Fatal(err)
	}
	c := config(t)
	nv := slices.IndexFunc(c.Brands, func(b Brand) bool { return b.ID == "nv" })
	list := filepath.Join(dir, testca.ListFile)
	if c.Brands[nv].Authorities, err = identity.OpenAuthorities(filepath.Join(dir, testca.CertificateFile), list); err != nil {
		t.Fatal(err)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: s, now: t0}
	h.http = httptest.NewServer(s.Handler())
	t.Cleanup(h.http.Close)

	p := h.phone(t)
	p.consent(t, "nv", "identity")
	p.goes(t, "/b/nv/identity/choose", values("method", "certificate"), "/b/nv/identity")
	bare := hong.sms()
	bare.Del("agree")
	p.refused(t, "/b/nv/identity/certificate", bare, "missing")
	p.refused(t, "/b/nv/identity/certificate", url.Values{"name": {"홍"}, "agree": ticks}, "err_form")
	p.goes(t, "/b/nv/identity/certificate", hong.sms(), "/b/nv/identity")
	_, body := p.get(t, "/b/nv/identity")
	m := signedText.FindStringSubmatch(body)
	if m == nil || !strings.Contains(body, `type="file"`) || !strings.Contains(body, "인증서 비밀번호") {
		t.Fatalf("no form for a certificate: %s", body)
	}
	if _, state := p.get(t, "/v1/b/nv"); !strings.Contains(state, `"signed":"munjigi certificate\n네이버\n`) {
		t.Errorf("an app is not told what to sign: %s", state)
	}
	// Neither the file nor its password has a name: they are never sent.
	for _, field := range regexp.MustCompile(`<input[^>]+type="(?:file|password)"[^>]*>`).FindAllString(body, -1) {
		if strings.Contains(field, "name=") {
			t.Errorf("%s leaves the phone", field)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(name, birth string) url.Values {
		t.Helper()
		cert, err := ca.Certify(t0, name, birth, &key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(html.UnescapeString(m[1])))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return values("certificate", base64.RawURLEncoding.EncodeToString(cert),
			"signature", base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)))
	}
	p.refused(t, "/b/nv/identity/check", nil, "err_cert_unfit")
	p.refused(t, "/b/nv/identity/check", answer("김철수", "1990-03-01"), "err_cert_other")
	p.refused(t, "/b/nv/identity/check", answer("홍길동", "1991-03-01"), "err_cert_other")
	p.goes(t, "/b/nv/identity/check", answer("홍길동", "1990-03-01"), "/b/nv/device")
	p.bind(t, "nv", "qr")
	if resp, _ := p.code(t, "nv"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if _, body := p.get(t, "/b/nv"); !strings.Contains(body, "인증서로 인증") {
		t.Error("the verification is not among the recent ones")
	}
	// An attempt by SMS is none by certificate: its code is not told.
	r := h.phone(t)
	r.consent(t, "nv", "identity")
	r.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
	r.goes(t, "/b/nv/identity/sms", hong.sms(), "/b/nv/identity")
	code := h.lastCode(t, hong.phone)
	for _, in := range []url.Values{nil, bare, {"name": {"홍"}, "agree": ticks}} {
		if _, body := r.post(t, "/b/nv/identity/certificate", in); strings.Contains(body, code) {
			t.Errorf("the page tells the code that was sent: %s", signedText.FindString(body))
		}
	}
	if _, state := r.get(t, "/v1/b/nv"); strings.Contains(state, code) {
		t.Errorf("an app is told the code that was sent: %s", state)
	}
	r.goes(t, "/b/nv/identity/check", values("code", code), "/b/nv/device")
	// No other brand believes that authority, and none offers the way without one.
	q := h.phone(t)
	q.consent(t, "kko", "identity")
	q.refused(t, "/b/kko/identity/choose", values("method", "certificate"), "err_form")
	q.refused(t, "/b/kko/identity/certificate", hong.sms(), "err_form")
	if slices.Contains(newHouse(t).brands["nv"].Methods, "certificate") {
		t.Error("a certificate is offered where nobody's is believed")
	}
	// Restarted without the way that somebody has begun: they choose anew.
	w := h.phone(t)
	w.consent(t, "nv", "identity")
	w.goes(t, "/b/nv/identity/choose", values("method", "certificate"), "/b/nv/identity")
	w.goes(t, "/b/nv/identity/certificate", hong.sms(), "/b/nv/identity")
	delete(s.certificate, "nv")
	w.goes(t, "/b/nv/identity/check", answer("홍길동", "1990-03-01"), "/b/nv/identity")
}

// TestCarrierAway holds what a visitor is told when the carriers do not answer.
func TestCarrierAway(t *testing.T) {
	h := newHouse(t)
	p := h.phone(t)
	h.sms.Subscribers = &identity.HTTPSubscribers{URL: "http://127.0.0.1:1/", Client: h.http.Client()}
	p.consent(t, "nv", "identity")
	p.goes(t, "/b/nv/identity/choose", values("method", "sms"), "/b/nv/identity")
	p.goes(t, "/b/nv/identity/sms", hong.sms(), "/b/nv/identity")
	p.refused(t, "/b/nv/identity/check", values("code", h.lastCode(t, hong.phone)), "err_away")
	for _, secret := range []string{hong.name, hong.phone, h.lastCode(t, hong.phone)} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if !strings.Contains(h.log.String(), "subscribers.url") {
		t.Error("the operator is not told")
	}
	h.sms.Subscribers = identity.AnySubscriber{} // they are back
	p.goes(t, "/b/nv/identity/check", values("code", h.lastCode(t, hong.phone)), "/b/nv/device")
}
