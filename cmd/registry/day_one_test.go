package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

// station is a registry that was made by the commands alone, and runs.
type station struct {
	dir, path string
	url       string
	issuer    ed25519.PrivateKey
	stop      func() error
}

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{dir: filepath.Join(t.TempDir(), "registry")}
	s.path = filepath.Join(s.dir, "registry.toml")
	out := must(t, "init", "-name", `문지기 "seoul"`, s.dir)
	words := regexp.MustCompile(`fingerprint words: +(.+)`).FindStringSubmatch(out)
	if words == nil || len(strings.Fields(words[1])) != wire.WordCount {
		t.Errorf("init printed %s", out)
	}
	_, s.issuer, _ = ed25519.GenerateKey(nil)
	block := filepath.Join(t.TempDir(), "kko.toml")
	text := fmt.Sprintf("[[issuers]]\nid = \"kko\"\n[[issuers.keys]]\npublic = %q\nnot_before = 2026-10-01T00:00:00Z\nnot_after = 2027-10-01T00:00:00Z\n", configs.Public(s.issuer))
	if err := os.WriteFile(block, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "issuer", "add", "-config", s.path, block)
	// The root key leaves the machine, and comes back for the bundle.
	stick := filepath.Join(t.TempDir(), "root.key")
	if err := os.Rename(filepath.Join(s.dir, "root.key"), stick); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "bundle", "-config", s.path); err == nil {
		t.Error("signed without the root key")
	}
	must(t, "bundle", "-config", s.path, "-root-key", stick)
	if err := os.Rename(stick, filepath.Join(s.dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte(`listen = "127.0.0.1:8082"`), []byte(`listen = "127.0.0.1:0"`), 1)
	config = bytes.Replace(config, []byte(`admin = "127.0.0.1:8083"`), []byte(`admin = "127.0.0.1:0"`), 1)
	if err := os.WriteFile(s.path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log := &watched{seen: make(chan string, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-config", s.path}, clock, strings.NewReader(""), io.Discard, log)
	}()
	select {
	case address := <-log.seen:
		s.url = "https://" + address
	case err := <-done:
		t.Fatal(err)
	}
	s.stop = func() error { cancel(); return <-done }
	return s
}

// ask sends a request as a kiosk does; without keys, as one that is fresh.
func (s *station) ask(t *testing.T, roots *x509.CertPool, pair []tls.Certificate, method, path, kind string, body []byte) (int, []byte) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: roots, InsecureSkipVerify: roots == nil, Certificates: pair, MinVersion: tls.VersionTLS13, Time: clock,
	}}}
	r, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// From an empty folder to a stored visit, by the operator's commands and what
// a kiosk says alone.
func TestDayOne(t *testing.T) {
	s := newStation(t)
	facility := strings.TrimSpace(must(t, "facility", "add", "-config", s.path, "-name", "하늘 카페", "-kind", "restaurant"))
	if out := must(t, "facility", "list", "-config", s.path); !strings.Contains(out, facility) || !strings.Contains(out, "하늘 카페") {
		t.Error(out)
	}
	picture := filepath.Join(t.TempDir(), "code.png")
	out := must(t, "kiosk", "code", "-config", s.path, "-facility", facility, "-name", "정문", "-png", picture)
	text := regexp.MustCompile(`'(MJE1[^']+)'`).FindStringSubmatch(out)
	if text == nil || !strings.Contains(out, "▄") {
		t.Fatalf("kiosk code printed %s", out)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for name, img := range map[string]image.Image{"picture": img, "terminal": onTerminal(out)} {
		if got := readQR(t, img); got != text[1] {
			t.Errorf("the %s says %q", name, got)
		}
	}
	u, err := wire.ParseCode(text[1])
	if err != nil {
		t.Fatal(err)
	}

	// The kiosk's side.
	status, raw := s.ask(t, nil, nil, "GET", wire.BundlePath, "", nil)
	bundle, err := pass.OpenBundle(raw, u.Root)
	if status != 200 || err != nil {
		t.Fatalf("%d %v", status, err)
	}
	code, err := u.Verify(bundle.ReceiptKeys())
	if err != nil {
		t.Fatal(err)
	}
	public, key, _ := ed25519.GenerateKey(nil)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.NewEnrol(code, csr, "v1", bundle.Number())
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	status, raw = s.ask(t, nil, nil, "POST", wire.EnrolPath, wire.ContentType, body)
	enrolment, err := wire.OpenEnrolment(raw, bundle.ReceiptKeys(), body, public)
	if status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, raw)
	}
	ca, err := x509.ParseCertificate(enrolment.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	pair := []tls.Certificate{{Certificate: [][]byte{enrolment.Certificate}, PrivateKey: key}}

	pass1, err := pass.Issue(s.issuer, "kko", pass.ID{1}, t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pass.Parse(pass1)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := p.Verify(t0, bundle, pass.Conditions{Skew: pass.Skew, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	batch := wire.Batch{Kiosk: enrolment.Kiosk, Visits: []wire.Visit{{Seq: 1, At: t0.UnixMilli(), Pass: verified.Bytes()}}}
	body, err = batch.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, raw = s.ask(t, roots, pair, "POST", wire.VisitsPath, wire.ContentType, body)
	receipt, err := wire.OpenReceipt(raw, bundle.ReceiptKeys(), body, batch)
	if err != nil || receipt.Results[0].Status != wire.StatusStored {
		t.Fatalf("%v %s", err, raw)
	}

	// The kiosk has seen bundle 41 of a registry that was since restored.
	beat := func(number uint64) {
		t.Helper()
		body, err := wire.Heartbeat{Version: "v1", Bundle: number, Queue: 17}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if status, raw := s.ask(t, roots, pair, "POST", wire.HeartbeatPath, wire.ContentType, body); status != 204 {
			t.Fatalf("%d %s", status, raw)
		}
	}
	beat(41)
	if out := must(t, "bundle", "-config", s.path); !strings.Contains(out, "bundle 42:") {
		t.Error(out)
	}
	if out := must(t, "kiosk", "list", "-config", s.path); !regexp.MustCompile(enrolment.Kiosk + ` +하늘 카페 +정문 +ok +0s +17 `).MatchString(out) {
		t.Error(out)
	}
	beat(1 << 40)
	if _, _, err := do(t, "bundle", "-config", s.path); err == nil || !strings.Contains(err.Error(), enrolment.Kiosk) || !strings.Contains(err.Error(), "-above") {
		t.Errorf("a single kiosk uses the numbers up: %v", err)
	}

	must(t, "kiosk", "revoke", "-config", s.path, enrolment.Kiosk)
	if out := must(t, "kiosk", "list", "-config", s.path); !strings.Contains(out, "revoked") {
		t.Error(out)
	}
	if out := must(t, "bundle", "-config", s.path); !strings.Contains(out, "bundle 43:") {
		t.Errorf("a revoked kiosk's word counts: %s", out)
	}
	if out := must(t, "kiosk", "code", "-config", s.path, "-replace", enrolment.Kiosk); !strings.Contains(out, "하늘 카페") {
		t.Error(out)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// onTerminal is what a terminal with a dark background shows of the QR code in
// out: each character is two modules, one above the other.
func onTerminal(out string) image.Image {
	var rows [][]rune
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "█") {
			rows = append(rows, []rune(line))
		}
	}
	const module = 4
	img := image.NewGray(image.Rect(0, 0, len(rows[0])*module, 2*len(rows)*module))
	for y := range img.Rect.Max.Y {
		for x := range img.Rect.Max.X {
			lit := "█▄"
			if y/module%2 == 0 {
				lit = "█▀"
			}
			if strings.ContainsRune(lit, rows[y/module/2][x/module]) {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	return img
}

// readQR reads a picture of a QR code.
func readQR(t *testing.T, img image.Image) string {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText()
}

func TestIssuerAddRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "registry")
	path := filepath.Join(dir, "registry.toml")
	must(t, "init", dir)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no keys": "[[issuers]]\nid = 'kko'\n", "another table": "[tls]\ncert = 'x'\n", "a setting": "listen = 'x'\n[[issuers]]\nid = 'kko'\n",
		"no toml": "}{", "half a key": "[[issuers]]\nid = 'kko'\n[[issuers.keys]]\npublic = 'AAAA'\n",
	} {
		block := filepath.Join(t.TempDir(), "block.toml")
		if err := os.WriteFile(block, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := do(t, "issuer", "add", "-config", path, block); err == nil {
			t.Errorf("%s: entered", name)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the configuration has changed: %v", err)
	}
}

// A key of an issuer leaves the bundle 35 days after its last signature; its
// next one may stand in a block of its own.
func TestRotation(t *testing.T) {
	_, old, _ := ed25519.GenerateKey(nil)
	_, next, _ := ed25519.GenerateKey(nil)
	f := &file{Issuers: []issuerBlock{
		{ID: "kko", Keys: []keyBlock{{Public: configs.Public(old), NotBefore: t0.AddDate(-1, 0, 0), NotAfter: t0}}},
		{ID: "kko", Keys: []keyBlock{{Public: configs.Public(next), NotBefore: t0.AddDate(0, 0, -35), NotAfter: t0.AddDate(1, 0, 0)}}},
	}}
	for days, want := range map[int]int{0: 2, 35: 2, 36: 1} {
		c, err := f.contents(ed25519.PublicKey(configs.Public(old)), t0.AddDate(0, 0, days))
		if err != nil || len(c.Issuers) != 1 || len(c.Issuers[0].Keys) != want {
			t.Errorf("after %d days: %+v %v", days, c.Issuers, err)
		}
	}
}

func TestListenFor(t *testing.T) {
	for address, want := range map[string]string{
		"https://127.0.0.1:8082": "127.0.0.1:8082", "https://localhost:1": "127.0.0.1:1", "https://registry.example": ":443", "https://registry.example:8443": ":8443", "https://[::1]:5": "127.0.0.1:5",
	} {
		if got := listenFor(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
