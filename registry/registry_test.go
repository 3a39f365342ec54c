package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/rate"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC) // 12:40 in Seoul, a Sunday

const day = 24 * time.Hour

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi registry test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

// fixed is a bundle that stays.
type fixed struct{ b *pass.Bundle }

func (f fixed) Bundle() *pass.Bundle { return f.b }

func contents(number uint64) pass.Contents {
	return pass.Contents{
		Number: number, Issued: t0.Add(-day).Unix(), Expires: t0.Add(60 * day).Unix(),
		Issuers: []pass.Issuer{
			{ID: "kko", Keys: []pass.Key{pass.NewKey(public("kko"), t0.Add(-60*day), t0.Add(60*day))}},
			{ID: "old", Keys: []pass.Key{pass.NewKey(public("old"), t0.Add(-60*day), t0.Add(60*day))}, RevokedAt: t0.Add(-day).Unix()},
		},
		Policies: map[string]pass.Policy{
			"museum": {Mode: pass.ModeVerifyOnly, Since: t0.Add(-time.Hour).Unix()},
			"park":   {Mode: pass.ModeOff, Since: t0.Add(-time.Hour).Unix()},
		},
		Receipts: [][]byte{public("receipt")},
	}
}

func signed(t testing.TB, number uint64) []byte {
	t.Helper()
	raw, err := pass.SignBundle(key("root"), contents(number))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func opened(t testing.TB, raw []byte) *pass.Bundle {
	t.Helper()
	b, err := pass.OpenBundle(raw, public("root"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// door is a kiosk that is enrolled, under the name tests know it by.
type door struct {
	wire.Enrolment
	key    ed25519.PrivateKey
	cert   *x509.Certificate
	client *http.Client
}

// house is a registry with its doors, at a time that tests move.
type house struct {
	*Server
	store *store.DB
	book  *devices.Book
	doors map[string]*door
	log   *safeBuffer
	url   string
	root  *http.Client // trusts the house, and shows no certificate

	mu  sync.Mutex
	now time.Time
}

func (h *house) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) set(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// kinds are the facilities of the house's doors, by kind.
var kinds = map[string]string{"door-1": "restaurant", "door-2": "restaurant", "door-m": "museum", "door-p": "park"}

func newHouse(t testing.TB, edit ...func(*Config)) *house {
	t.Helper()
	h := &house{now: t0.Add(time.Minute), log: &safeBuffer{}, doors: map[string]*door{}}
	h.store = storetest.Open(t, database(t), storetest.Keys(t))
	dir := t.TempDir()
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "문지기 test", t0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "https://" + l.Addr().String()
	h.book, err = devices.New(devices.Config{SQL: h.store.SQL(), CA: ca, Receipt: key("receipt"), Root: public("root"), Name: "문지기 test", Address: h.url})
	if err != nil {
		t.Fatal(err)
	}
	own, err := ca.NewServer("127.0.0.1", h.time)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Receipt: key("receipt"), Bundles: fixed{opened(t, signed(t, 7))}, Store: h.store, Devices: h.book, Certificate: own.Certificate,
		Limits: Limits{Kiosk: rate.Limit{PerSecond: 1e9, Burst: 1e9}, Public: rate.Limit{PerSecond: 1e9, Burst: 1e9}},
		Now:    h.time, Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range edit {
		f(&c)
	}
	if h.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	h.root = h.client()
	t.Cleanup(h.root.CloseIdleConnections)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		h.doors[name] = h.enrol(t, name, kinds[name])
	}
	return h
}

// client trusts the house's CA, and shows the certificates given.
func (h *house) client(certs ...tls.Certificate) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: h.book.CA.Pool(), Certificates: certs, Time: h.time, MinVersion: tls.VersionTLS13,
	}}}
}

// enrol makes a facility with one kiosk, named for tests.
func (h *house) enrol(t testing.TB, name, kind string) *door {
	t.Helper()
	ctx := t.Context()
	f, err := h.book.AddFacility(ctx, name+"'s", kind, "", h.time())
	if err != nil {
		t.Fatal(err)
	}
	_, code, err := h.book.NewCode(ctx, f.ID, "", "", time.Hour, h.time())
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.NewEnrol(code, csr(t, name), "v1", 1)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.book.Enrol(ctx, e, h.time())
	if err != nil {
		t.Fatal(err)
	}
	return h.admit(t, name, answer)
}

func (h *house) admit(t testing.TB, name string, answer wire.Enrolment) *door {
	t.Helper()
	cert, err := x509.ParseCertificate(answer.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Enrolment: answer, key: key(name), cert: cert}
	d.client = h.client(tls.Certificate{Certificate: [][]byte{answer.Certificate}, PrivateKey: d.key})
	t.Cleanup(d.client.CloseIdleConnections)
	return d
}

func csr(t testing.TB, name string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key(name))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// visit is the n-th visitor's pass, scanned three seconds after it was made.
func visit(t testing.TB, issuer string, n uint64, at time.Time) wire.Visit {
	t.Helper()
	return wire.Visit{Seq: n, At: at.Add(3 * time.Second).UnixMilli(), Pass: passOf(t, issuer, issuer, n, at)}
}

// passOf is the signed bytes of a pass, without going through a reader.
func passOf(t testing.TB, signer, issuer string, n uint64, at time.Time) []byte {
	t.Helper()
	text, err := pass.Issue(key(signer), issuer, idOf(n), at, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := contents(1)
	c.Policies, c.Issuers = nil, []pass.Issuer{{ID: issuer, Keys: []pass.Key{pass.NewKey(public(signer), at.Add(-day), at.Add(day))}}}
	c.Issued, c.Expires = at.Add(-day).Unix(), at.Add(day).Unix()
	raw, err := pass.SignBundle(key("root"), c)
	if err != nil {
		t.Fatal(err)
	}
	u, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Verify(at, opened(t, raw), pass.Conditions{Skew: pass.Skew, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	return p.Bytes()
}

func idOf(n uint64) (id pass.ID) {
	copy(id[:], "visitor:")
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// encode makes a door's batch.
func (h *house) encode(t testing.TB, name string, visits ...wire.Visit) ([]byte, wire.Batch) {
	t.Helper()
	return encode(t, h.doors[name].Kiosk, visits...)
}

func encode(t testing.TB, kiosk string, visits ...wire.Visit) ([]byte, wire.Batch) {
	t.Helper()
	b := wire.Batch{Kiosk: kiosk, Visits: visits}
	body, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body, b
}

// request is a batch of a door's, for a handler without a network.
func (h *house) request(name string, body []byte) *http.Request {
	r := httptest.NewRequest("POST", wire.VisitsPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", wire.ContentType)
	if d := h.doors[name]; d != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{d.cert}}
	}
	return r
}

// post sends a body to an address and returns status and answer.
func (h *house) post(t testing.TB, client *http.Client, path string, body []byte, header ...string) (*http.Response, []byte) {
	t.Helper()
	return h.do(t, client, "POST", path, body, append([]string{"Content-Type", wire.ContentType}, header...)...)
}

func (h *house) get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	return h.do(t, h.root, "GET", path, nil, header...)
}

func (h *house) do(t testing.TB, client *http.Client, method, path string, body []byte, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, h.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}

// send posts a door's batch and opens the receipt: "stored", "duplicate" or
// the reason of refusal, by visit.
func (h *house) send(t testing.TB, name string, visits ...wire.Visit) []string {
	t.Helper()
	body, batch := h.encode(t, name, visits...)
	resp, answer := h.post(t, h.doors[name].client, wire.VisitsPath, body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, answer)
	}
	receipt, err := wire.OpenReceipt(answer, h.Bundles.Bundle().ReceiptKeys(), body, batch)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Received != h.time().UnixMilli() {
		t.Errorf("received at %d, want %d", receipt.Received, h.time().UnixMilli())
	}
	var words []string
	for _, r := range receipt.Results {
		if r.Status == wire.StatusRefused {
			words = append(words, r.Reason)
		} else {
			words = append(words, r.Status.String())
		}
	}
	return words
}

func (h *house) rows(t testing.TB, name string) []Visit {
	t.Helper()
	rows, err := h.store.Visits(t.Context(), h.doors[name].Facility, t0.Add(-60*day), t0.Add(60*day))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b Visit) int { return cmp.Compare(a.Seq, b.Seq) })
	return rows
}

// problemOf is the type of an answer that must be a problem of RFC 9457, and
// tells what to do.
func problemOf(t testing.TB, status int, header http.Header, body []byte) string {
	t.Helper()
	p, ok := wire.ParseProblem(body)
	if !ok || p.Status != status || p.Detail == "" || p.Title == "" || header.Get("Content-Type") != wire.ProblemMedia {
		t.Errorf("status %d with no problem of RFC 9457: %s", status, body)
	}
	return p.Type
}

// quiet fails where the log holds a pass id in any spelling.
func (h *house) quiet(t testing.TB) {
	t.Helper()
	for _, s := range []string{"visitor:", idOf(1).String()[:16]} {
		if strings.Contains(h.log.String(), s) {
			t.Errorf("the log holds %q:\n%s", s, h.log)
		}
	}
}
