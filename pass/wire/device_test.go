package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

func public(name string) ed25519.PublicKey { return testKey(name).Public().(ed25519.PublicKey) }

func code() Code {
	return Code{
		Address: "https://registry.example:8443", Registry: "문지기 registry", Root: public("root"), Facility: "하늘 카페",
		ID: []byte("code-id."), Secret: []byte("sixteen bytes ok"), Issued: t0.Unix(), Expires: t0.Add(24 * time.Hour).Unix(),
	}
}

func TestCode(t *testing.T) {
	text, err := SignCode(testKey("receipt"), code())
	if err != nil {
		t.Fatal(err)
	}
	if !IsCode(text) || len(text) > MaxCodeText {
		t.Errorf("%d characters: %s", len(text), text)
	}
	u, err := ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Verify([]ed25519.PublicKey{public("other"), public("receipt")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(code(), got); diff != "" {
		t.Error(diff)
	}
	if _, err := u.Verify([]ed25519.PublicKey{public("other")}); !errors.Is(err, ErrCode) {
		t.Errorf("of another registry: %v", err)
	}
	for _, print := range []string{fmt.Sprint(got), fmt.Sprintf("%v %+v", got, u), slog.AnyValue(got).Resolve().String()} {
		if strings.Contains(print, "sixteen") || strings.Contains(print, "115 105") {
			t.Errorf("the secret is printed: %s", print)
		}
	}
	receipt, err := cose.SignTyped(testKey("receipt"), receiptType, code())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "a pass": "MJ1:ABC", "cut short": text[:len(text)-3], "lower case": strings.ToLower(text),
		"longer": text + "00", "endless": CodeMagic + strings.Repeat("0", MaxCodeText), "another type": CodeMagic + base45Of(receipt),
	} {
		if _, err := ParseCode(text); !errors.Is(err, ErrCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodeBounds(t *testing.T) {
	for name, edit := range map[string]func(*Code){
		"plain http":       func(c *Code) { c.Address = "http://registry.example" },
		"a path":           func(c *Code) { c.Address += "/x" },
		"a user":           func(c *Code) { c.Address = "https://u@registry.example" },
		"no host":          func(c *Code) { c.Address = "https://:8443" },
		"long address":     func(c *Code) { c.Address = "https://" + strings.Repeat("a", maxAddress) },
		"no name":          func(c *Code) { c.Registry = "" },
		"control":          func(c *Code) { c.Facility = "a\nb" },
		"right to left":    func(c *Code) { c.Facility = "a\u202eb" },
		"not UTF-8":        func(c *Code) { c.Facility = "\xff" },
		"spaces":           func(c *Code) { c.Facility = " a" },
		"long name":        func(c *Code) { c.Facility = strings.Repeat("가", 34) },
		"short root":       func(c *Code) { c.Root = c.Root[:31] },
		"long id":          func(c *Code) { c.ID = append(c.ID, 0) },
		"no secret":        func(c *Code) { c.Secret = nil },
		"lives too short":  func(c *Code) { c.Expires = c.Issued + 3599 },
		"lives too long":   func(c *Code) { c.Expires = c.Issued + 7*86400 + 1 },
		"born yesterday":   func(c *Code) { c.Issued, c.Expires = -1<<63, 1<<62 },
		"before all times": func(c *Code) { c.Issued, c.Expires = -7200, -3600 },
	} {
		c := code()
		edit(&c)
		if _, err := SignCode(testKey("receipt"), c); err == nil {
			t.Errorf("%s: signed", name)
		}
		raw, err := cose.SignTyped(testKey("receipt"), codeType, c)
		if err != nil {
			continue
		}
		if _, err := ParseCode(CodeMagic + base45Of(raw)); !errors.Is(err, ErrCode) {
			t.Errorf("%s: read: %v", name, err)
		}
	}
}

// csr is a request by the named key.
func csr(t testing.TB, name string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, testKey(name))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestEnrol(t *testing.T) {
	e, err := NewEnrol(code(), csr(t, "kiosk"), "v1.2.3", 7)
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), string(code().Secret)) {
		t.Error("the secret travels")
	}
	got, err := DecodeEnrol(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	if !got.Knows(code().Secret) || got.Knows([]byte("another sixteen!")) || got.Knows(nil) {
		t.Error("the mac does not tell who knows the secret")
	}
	key, err := ParseRequest(got.CSR)
	if err != nil || !key.Equal(public("kiosk")) {
		t.Errorf("%x %v", key, err)
	}
	for name, edit := range map[string]func(*Enrol){
		"another code":    func(e *Enrol) { e.Code = []byte("code-id!") },
		"another key":     func(e *Enrol) { e.CSR = csr(t, "thief") },
		"another version": func(e *Enrol) { e.Version = "v9" },
		"another bundle":  func(e *Enrol) { e.Bundle++ },
	} {
		changed := got
		edit(&changed)
		if changed.Knows(code().Secret) {
			t.Errorf("%s: taken", name)
		}
	}
	for name, edit := range map[string]func(*Enrol){
		"short id":           func(e *Enrol) { e.Code = e.Code[:7] },
		"no csr":             func(e *Enrol) { e.CSR = nil },
		"long csr":           func(e *Enrol) { e.CSR = make([]byte, maxCSR+1) },
		"no mac":             func(e *Enrol) { e.MAC = nil },
		"no version":         func(e *Enrol) { e.Version = "" },
		"huge number":        func(e *Enrol) { e.Bundle = 1 << 63 },
		"a header's version": func(e *Enrol) { e.Version = "v1\r\nX: y" },
		"long version":       func(e *Enrol) { e.Version = strings.Repeat("v", maxVersion+1) },
	} {
		changed := got
		edit(&changed)
		if _, err := changed.Encode(); err == nil {
			t.Errorf("%s: written", name)
		}
		raw, err := cose.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeEnrol(raw); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	broken := append([]byte(nil), e.CSR...)
	broken[len(broken)-1] ^= 1
	for name, der := range map[string][]byte{"nothing": nil, "unsigned": broken, "long": make([]byte, maxCSR+1)} {
		if _, err := ParseRequest(der); err == nil {
			t.Errorf("%s: a request", name)
		}
	}
}

// certify makes a certificate of the named key by the named CA, and the CA's.
func certify(t testing.TB, ca, name string) (cert, root []byte) {
	t.Helper()
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: ca}, NotAfter: t0, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, err := x509.CreateCertificate(rand.Reader, parent, parent, public(ca), testKey(ca))
	if err != nil {
		t.Fatal(err)
	}
	if parent, err = x509.ParseCertificate(root); err != nil {
		t.Fatal(err)
	}
	cert, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: t0}, parent, public(name), testKey(ca))
	if err != nil {
		t.Fatal(err)
	}
	return cert, root
}

func TestEnrolment(t *testing.T) {
	cert, ca := certify(t, "ca", "kiosk")
	body := []byte("request")
	e := Enrolment{Kiosk: "k1", Facility: "f1", Kind: "cafe", Certificate: cert, CA: ca, Now: t0.UnixMilli(), Name: "하늘 카페"}
	keys := []ed25519.PublicKey{public("receipt")}
	sign := func(key string, edit func(*Enrolment)) []byte {
		t.Helper()
		e := e
		edit(&e)
		answer, err := SignEnrolment(testKey(key), body, e)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	same := func(*Enrolment) {}
	got, err := OpenEnrolment(sign("receipt", same), keys, body, public("kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Kiosk != "k1" || !got.Time().Equal(t0) || got.Name != e.Name {
		t.Errorf("%+v", got)
	}
	thief, _ := certify(t, "ca", "thief")
	other, _ := certify(t, "other ca", "kiosk")
	for name, c := range map[string]struct {
		answer []byte
		body   string
	}{
		"a captive portal's page":     {[]byte("<html>"), "request"},
		"another key's":               {sign("portal", same), "request"},
		"of another request":          {sign("receipt", same), "another"},
		"without a kiosk":             {sign("receipt", func(e *Enrolment) { e.Kiosk = "" }), "request"},
		"without a name":              {sign("receipt", func(e *Enrolment) { e.Name = "" }), "request"},
		"without a certificate":       {sign("receipt", func(e *Enrolment) { e.Certificate = nil }), "request"},
		"without a CA":                {sign("receipt", func(e *Enrolment) { e.CA = nil }), "request"},
		"a certificate of another":    {sign("receipt", func(e *Enrolment) { e.Certificate = thief }), "request"},
		"a certificate by another CA": {sign("receipt", func(e *Enrolment) { e.Certificate = other }), "request"},
	} {
		if _, err := OpenEnrolment(c.answer, keys, []byte(c.body), public("kiosk")); !errors.Is(err, ErrEnrolment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTime(t *testing.T) {
	nonce := [NonceSize]byte{1, 2, 3}
	keys := []ed25519.PublicKey{public("receipt")}
	answer, err := SignTime(testKey("receipt"), nonce, t0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenTime(answer, keys, nonce); err != nil || !got.Equal(t0) {
		t.Errorf("%v %v", got, err)
	}
	forged, _ := SignTime(testKey("portal"), nonce, t0)
	never, _ := SignTime(testKey("receipt"), nonce, time.UnixMilli(-5))
	for name, c := range map[string]struct {
		answer []byte
		nonce  [NonceSize]byte
	}{
		"a page": {[]byte("<html>"), nonce}, "another key's": {forged, nonce}, "replayed": {answer, [NonceSize]byte{9}}, "no time": {never, nonce},
	} {
		if _, err := OpenTime(c.answer, keys, c.nonce); !errors.Is(err, ErrTime) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func heartbeat() Heartbeat {
	return Heartbeat{
		Version: "v1.2.3", Queue: 17, Oldest: t0.UnixMilli(), Bundle: 9, Clock: pass.ClockSure, FPS: 298,
		Temperature: -53, Disk: 12000, Refused: 1, Destroyed: 2, Uptime: 86400,
	}
}

func TestHeartbeat(t *testing.T) {
	for _, h := range []Heartbeat{heartbeat(), {Version: "v1"}} {
		body, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeHeartbeat(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Error(diff)
		}
	}
	for name, edit := range map[string]func(*Heartbeat){
		"no version":      func(h *Heartbeat) { h.Version = "" },
		"markup":          func(h *Heartbeat) { h.Version = "<a href=\"x\">" },
		"huge queue":      func(h *Heartbeat) { h.Queue = maxCount + 1 },
		"huge number":     func(h *Heartbeat) { h.Bundle = 1 << 63 },
		"no such time":    func(h *Heartbeat) { h.Oldest = -1 },
		"no such clock":   func(h *Heartbeat) { h.Clock = 3 },
		"melting":         func(h *Heartbeat) { h.Temperature = 2001 },
		"frozen":          func(h *Heartbeat) { h.Temperature = -1001 },
		"ages of running": func(h *Heartbeat) { h.Uptime = 1 << 60 },
	} {
		h := heartbeat()
		edit(&h)
		if _, err := h.Encode(); err == nil {
			t.Errorf("%s: written", name)
		}
		raw, err := cose.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeHeartbeat(raw); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if _, err := DecodeHeartbeat(make([]byte, MaxHeartbeat+1)); err == nil {
		t.Error("too large a body was read")
	}
}

func TestProblem(t *testing.T) {
	if p, ok := ParseProblem([]byte(`{"type":"urn:munjigi:problem:revoked","title":"Forbidden","status":403,"detail":"enrol it anew"}`)); !ok || p.Type != ProblemRevoked || p.Error() != "Forbidden: enrol it anew" {
		t.Errorf("%+v %v", p, ok)
	}
	for _, body := range []string{"", "<html>", "{}", `{"type":"` + strings.Repeat("x", maxProblem) + `"}`} {
		if _, ok := ParseProblem([]byte(body)); ok {
			t.Errorf("%.20q is no problem", body)
		}
	}
}

func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range wordList {
		if n := len([]rune(w)); n != 2 || seen[w] {
			t.Errorf("%s: %d syllables, or twice", w, n)
		}
		seen[w] = true
		for _, r := range w {
			if r < '가' || r > '힣' {
				t.Errorf("%s is not Korean", w)
			}
		}
	}
	if len(seen) != 256 {
		t.Errorf("%d words", len(seen))
	}
	want := []string{wordList[0x66], wordList[0x68], wordList[0x7a], wordList[0xad], wordList[0xf8], wordList[0x62]} // SHA-256 of 32 zeros: 66687aadf862…
	if diff := cmp.Diff(want, Words(make([]byte, 32))); diff != "" {
		t.Error(diff)
	}
}
