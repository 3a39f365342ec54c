package owners

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// t0 is 12:40 on a Sunday in Seoul.
var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

// Numbers whose check digits fit; see TestBusiness.
const (
	business1 = "1248100998"
	business2 = "2208162517"
	password1 = "오늘도 맛있게 드세요"
	password2 = "내일은 비가 옵니다"
)

// house is a registry with the owners' pages over TLS, and its clock.
type house struct {
	t      *testing.T
	db     *store.DB
	book   *devices.Book
	server *Server
	http   *httptest.Server
	outbox *Outbox
	log    *safeBuffer

	mu     sync.Mutex
	clock  time.Time
	bundle *pass.Bundle
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi owners test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newHouse(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, clock: t0, log: &safeBuffer{}}
	h.sign(7, pass.ModeRecord, t0.AddDate(0, -1, 0))
	h.outbox = &Outbox{Now: h.now}
	dir := t.TempDir()
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "문지기 시험 등록소", t0)
	if err != nil {
		t.Fatal(err)
	}
	h.book, err = devices.New(devices.Config{
		SQL: db.SQL(), CA: ca, Receipt: testKey("receipt"), Root: testKey("root").Public().(ed25519.PublicKey),
		Name: "문지기 시험 등록소", Address: "https://registry.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.server, err = New(Config{
		DB: db.SQL(), Devices: h.book, Visits: db, Address: "https://registry.example", Registry: "문지기 시험 등록소",
		Bundles: h, Mail: h.outbox, Cost: cheap, Now: h.now,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewTLSServer(h.server.Handler())
	t.Cleanup(h.http.Close)
	return h
}

// sign makes the newest trust bundle say what restaurants do.
func (h *house) sign(number uint64, mode pass.Mode, since time.Time) {
	h.t.Helper()
	raw, err := pass.SignBundle(testKey("root"), pass.Contents{
		Number: number, Issued: t0.Unix(), Expires: t0.Add(pass.BundleLife).Unix(), Issuers: []pass.Issuer{}, Receipts: [][]byte{},
		Policies: map[string]pass.Policy{"restaurant": {Mode: mode, Since: since.Unix()}, "museum": {Mode: pass.ModeOff, Since: t0.Unix()}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, testKey("root").Public().(ed25519.PublicKey))
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bundle = b
}

// Bundle implements Bundles.
func (h *house) Bundle() *pass.Bundle {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bundle
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

// work does what waits in the background, at once.
func (h *house) work() {
	for {
		select {
		case job := <-h.server.jobs:
			job(context.Background())
		default:
			return
		}
	}
}

// each runs f on both engines.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, newHouse(t, db)) })
}

// lite runs f on SQLite alone: for what the engine has no part in.
func lite(t *testing.T) *house {
	t.Helper()
	return newHouse(t, storetest.Open(t, storetest.File(t), storetest.Keys(t)))
}

// browser is a person at a computer: it keeps cookies and follows nothing.
type browser struct {
	h      *house
	client *http.Client
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	c := *h.http.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{h: h, client: &c, header: http.Header{}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (b *browser) do(method, path, contentType, body string) answer {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, b.h.http.URL+path, strings.NewReader(body))
	if err != nil {
		b.h.t.Fatal(err)
	}
	for k, v := range b.header {
		r.Header[k] = v
	}
	r.Host = r.Header.Get("Host") // empty: the server's
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

func (b *browser) get(path string) answer { b.h.t.Helper(); return b.do("GET", path, "", "") }

func (b *browser) post(path string, fields ...string) answer {
	b.h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// must posts a form that leads on, and returns where to.
func (b *browser) must(path string, fields ...string) string {
	b.h.t.Helper()
	a := b.post(path, fields...)
	if a.status != http.StatusSeeOther {
		b.h.t.Fatalf("POST %s: %d\n%s", path, a.status, problems(a.body))
	}
	return a.location()
}

// see fetches a page that must be there.
func (b *browser) see(path string) string {
	b.h.t.Helper()
	a := b.get(path)
	if a.status != http.StatusOK {
		b.h.t.Fatalf("GET %s: %d %s", path, a.status, a.location())
	}
	return a.body
}

func problems(body string) string {
	return strings.Join(regexp.MustCompile(`(?s)<div class="note bad" role="alert">.*?</div>|<h1>.*?</h1>`).FindAllString(body, -1), "\n")
}

// boss signs a business up and returns its boss's browser.
func (h *house) boss(business, login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.must("/signup", "business", business, "name", "하늘 카페", "representative", "김하늘", "phone", "02-123-4567",
		"person", "김하늘", "login", login, "new-password", password1, "agree", "yes")
	return b
}

// staff is invited by a boss and returns their browser.
func (h *house) staff(boss *browser, login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.must(boss.link("/staff/invite"), "person", "이바다", "login", login, "new-password", password2)
	return b
}

var linkText = regexp.MustCompile(`https://registry\.example(/(?:invite|recover)/[\w-]+)`)

// link makes a link on a page and returns its path.
func (b *browser) link(path string) string {
	b.h.t.Helper()
	a := b.post(path)
	found := linkText.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		b.h.t.Fatalf("POST %s: %d, no link", path, a.status)
	}
	return found[1]
}

// branch makes a branch and returns its address.
func (b *browser) branch(name string) string {
	b.h.t.Helper()
	to := b.must("/branches", "name", name, "kind", "restaurant")
	return strings.TrimSuffix(to, "?done=branch")
}

var codeText = regexp.MustCompile(`id="code">([^<]+)<`)

// code makes an enrolment code.
func (b *browser) code(path string, fields ...string) string {
	b.h.t.Helper()
	a := b.post(path, append(fields, "hours", "1")...)
	found := codeText.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		b.h.t.Fatalf("POST %s: %d\n%s", path, a.status, problems(a.body))
	}
	return strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(found[1])
}

// enrol makes a kiosk of a code, as a device would, and returns its id.
func (h *house) enrol(text, device string) string {
	h.t.Helper()
	kiosk, err := h.tryEnrol(text, device)
	if err != nil {
		h.t.Fatal(err)
	}
	return kiosk
}

func (h *house) tryEnrol(text, device string) (kiosk string, err error) {
	code, err := wire.ParseCode(text)
	if err != nil {
		return "", err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, testKey(device))
	if err != nil {
		return "", err
	}
	e, err := wire.NewEnrol(code.Code, csr, "1.2.3", 7)
	if err != nil {
		return "", err
	}
	answer, err := h.book.Enrol(h.t.Context(), e, h.now())
	return answer.Kiosk, err
}

// well is the heartbeat of a kiosk with nothing to say.
func well() wire.Heartbeat {
	return wire.Heartbeat{Version: "1.2.3", Bundle: 7, Clock: pass.ClockSure, FPS: 298, Temperature: 512, Disk: 8000, Uptime: 86400}
}

func (h *house) beat(kiosk string, b wire.Heartbeat) {
	h.t.Helper()
	if err := h.book.Beat(h.t.Context(), kiosk, b, h.now()); err != nil {
		h.t.Fatal(err)
	}
}

// visits stores n visits of a facility at a time.
func (h *house) visits(facility, kiosk string, at time.Time, n int) {
	h.t.Helper()
	all := make([]store.Visit, n)
	for i := range all {
		all[i] = store.Visit{Kiosk: kiosk, Facility: facility, Issuer: "kko", Issued: at.Truncate(time.Second), Scanned: at, Received: h.now(), Seq: uint64(i)}
		rand.Read(all[i].ID[:])
	}
	if _, err := h.db.Put(h.t.Context(), all); err != nil {
		h.t.Fatal(err)
	}
}

func facilityOf(path string) string { return strings.TrimPrefix(path, "/branches/") }
