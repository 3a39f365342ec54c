package registry

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC) // 12:40 in Seoul, a Sunday

const (
	token  = "token-of-door-1"
	token2 = "token-of-door-2"
	day    = 24 * time.Hour
)

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

// house is a registry with its doors, at a time that tests move.
type house struct {
	*Server
	store *store.DB
	path  string
	now   time.Time
	log   *bytes.Buffer
	http  *httptest.Server
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{now: t0.Add(time.Minute), log: &bytes.Buffer{}}
	h.path = storetest.File(t)
	h.store = storetest.Open(t, h.path, storetest.Keys(t))
	var err error
	h.Server, err = New(Config{
		Kiosks: []Kiosk{
			{ID: "door-1", Facility: "cafe-1", Kind: "restaurant", Token: TokenHash(token)},
			{ID: "door-2", Facility: "cafe-1", Kind: "restaurant", Token: TokenHash(token2)},
			{ID: "door-m", Facility: "museum-1", Kind: "museum", Token: TokenHash("m")},
			{ID: "door-p", Facility: "park-1", Kind: "park", Token: TokenHash("p")},
		},
		Receipt: key("receipt"), Bundles: fixed{opened(t, signed(t, 7))}, Store: h.store,
		Now: func() time.Time { return h.now }, Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewServer(h.Handler())
	t.Cleanup(h.http.Close)
	return h
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

func encode(t testing.TB, kiosk string, visits ...wire.Visit) ([]byte, wire.Batch) {
	t.Helper()
	b := wire.Batch{Kiosk: kiosk, Visits: visits}
	body, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body, b
}

// post sends a body and returns status and answer.
func (h *house) post(t testing.TB, token string, body []byte, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("POST", h.http.URL+wire.VisitsPath, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", wire.ContentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

func (h *house) get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", h.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

func do(t testing.TB, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// send posts a batch and opens the receipt: "stored", "duplicate" or the
// reason of refusal, by visit.
func (h *house) send(t testing.TB, token, kiosk string, visits ...wire.Visit) []string {
	t.Helper()
	body, batch := encode(t, kiosk, visits...)
	resp, answer := h.post(t, token, body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, answer)
	}
	receipt, err := wire.OpenReceipt(answer, h.Bundles.Bundle().ReceiptKeys(), body, batch)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Received != h.now.UnixMilli() {
		t.Errorf("received at %d, want %d", receipt.Received, h.now.UnixMilli())
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

func (h *house) rows(t testing.TB, kiosk string) []Visit {
	t.Helper()
	var rows []Visit
	for _, facility := range h.facilities() {
		all, err := h.store.Visits(t.Context(), facility, t0.Add(-60*day), t0.Add(60*day))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			if v.Kiosk == kiosk {
				rows = append(rows, v)
			}
		}
	}
	slices.SortFunc(rows, func(a, b Visit) int { return cmp.Compare(a.Seq, b.Seq) })
	return rows
}

// quiet fails where the log holds a pass id in any spelling.
func (h *house) quiet(t testing.TB) {
	t.Helper()
	for _, s := range []string{"visitor:", idOf(1).String()[:16], token} {
		if strings.Contains(h.log.String(), s) {
			t.Errorf("the log holds %q:\n%s", s, h.log)
		}
	}
}
