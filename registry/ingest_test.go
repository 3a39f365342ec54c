package registry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"
)

func TestStored(t *testing.T) {
	h := newHouse(t)
	v := visit(t, "kko", 1, t0)
	v.Flags = wire.FlagClockUnsure
	if diff := cmp.Diff([]string{"stored"}, h.send(t, "door-1", v)); diff != "" {
		t.Error(diff)
	}
	want := []Visit{{
		Kiosk: h.doors["door-1"].Kiosk, Facility: h.doors["door-1"].Facility, Issuer: "kko", ID: idOf(1), Issued: t0, Scanned: t0.Add(3 * time.Second),
		Received: h.time(), Seq: 1, Flags: wire.FlagClockUnsure,
	}}
	if diff := cmp.Diff(want, h.rows(t, "door-1")); diff != "" {
		t.Error(diff)
	}
	h.quiet(t)
}

// The answer of a committed batch is lost: the kiosk sends it again, with what
// came meanwhile, and nothing is there twice.
func TestResentAfterALostAnswer(t *testing.T) {
	h := newHouse(t)
	body, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0), visit(t, "kko", 2, t0))
	h.Handler().ServeHTTP(&broken{}, h.request("door-1", body))
	if n := len(h.rows(t, "door-1")); n != 2 {
		t.Fatalf("%d rows behind the lost answer, want 2", n)
	}
	got := h.send(t, "door-1", visit(t, "kko", 1, t0), visit(t, "kko", 2, t0), visit(t, "kko", 3, t0))
	if diff := cmp.Diff([]string{"duplicate", "duplicate", "stored"}, got); diff != "" {
		t.Error(diff)
	}
	if n := len(h.rows(t, "door-1")); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// broken loses every answer.
type broken struct{ header http.Header }

func (b *broken) Header() http.Header {
	if b.header == nil {
		b.header = http.Header{}
	}
	return b.header
}
func (b *broken) Write([]byte) (int, error) { return 0, errors.New("connection reset") }
func (b *broken) WriteHeader(int)           {}

func TestPoisonStopsNothing(t *testing.T) {
	h := newHouse(t)
	forged := visit(t, "kko", 5, t0)
	forged.Pass = append([]byte(nil), forged.Pass...)
	forged.Pass[len(forged.Pass)-1] ^= 1
	late := visit(t, "kko", 7, t0)
	late.At = t0.Add(time.Minute).UnixMilli()
	early := visit(t, "kko", 8, t0)
	early.At = t0.Add(-time.Minute).UnixMilli()
	again := visit(t, "kko", 1, t0)
	again.Seq = 10
	far := visit(t, "kko", 12, t0)
	far.At = 1<<63 - 1
	got := h.send(t, "door-1",
		visit(t, "kko", 1, t0),
		wire.Visit{Seq: 2, At: t0.UnixMilli(), Pass: []byte("'; DROP TABLE visits; --")},
		wire.Visit{Seq: 3, At: t0.UnixMilli(), Pass: nil},
		visit(t, "kko", 4, t0),
		forged,
		visit(t, "who", 6, t0), late, early,
		visit(t, "old", 9, t0),
		again,
		wire.Visit{Seq: 11, At: t0.UnixMilli(), Pass: passOf(t, "kko", "nv", 11, t0)},
		far,
		visit(t, "kko", 13, t0),
	)
	want := []string{"stored", "format", "truncated", "stored", "signature", "unknown-key", "expired", "not-yet-valid", "revoked", "duplicate", "issuer", "not-yet-valid", "stored"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var seqs []uint64
	for _, r := range h.rows(t, "door-1") {
		seqs = append(seqs, r.Seq)
	}
	if diff := cmp.Diff([]uint64{1, 4, 13}, seqs); diff != "" {
		t.Error(diff)
	}
	h.quiet(t)
}

func TestSamePassAtTwoDoors(t *testing.T) {
	h := newHouse(t)
	h.send(t, "door-1", visit(t, "kko", 1, t0), visit(t, "kko", 2, t0))
	if got := h.send(t, "door-2", visit(t, "kko", 1, t0)); got[0] != "stored" {
		t.Errorf("the second door's visit is %s", got[0])
	}
	one, two := h.rows(t, "door-1"), h.rows(t, "door-2")
	if !one[0].Relayed || one[1].Relayed || !two[0].Relayed {
		t.Errorf("flags %v %v and %v", one[0].Relayed, one[1].Relayed, two[0].Relayed)
	}
}

func TestPolicyAtTheTimeOfTheScan(t *testing.T) {
	h := newHouse(t)
	before := t0.Add(-2 * time.Hour)
	for _, tt := range []struct{ kiosk, now string }{{"door-m", wire.ReasonVerifyOnly}, {"door-p", wire.ReasonPolicyOff}} {
		got := h.send(t, tt.kiosk, visit(t, "kko", 1, before), visit(t, "kko", 2, t0))
		if diff := cmp.Diff([]string{"stored", tt.now}, got); diff != "" {
			t.Errorf("%s: %s", tt.kiosk, diff)
		}
	}
}

func TestUnsureClockIsTheKiosksWord(t *testing.T) {
	h := newHouse(t)
	v := visit(t, "kko", 1, t0)
	v.Flags = wire.FlagClockUnsure
	v.At = t0.Add(time.Hour).UnixMilli() // unsure, and wrong: no pass is valid then
	if got := h.send(t, "door-1", v); got[0] != "expired" {
		t.Errorf("got %s", got[0])
	}
}

func TestWhatIsNoBatch(t *testing.T) {
	h := newHouse(t)
	good, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	other, _ := h.encode(t, "door-2", visit(t, "kko", 1, t0))
	sql, _ := encode(t, h.doors["door-1"].Kiosk+"' OR '1'='1", visit(t, "kko", 1, t0))
	attested := visit(t, "kko", 1, t0)
	attested.Pass = append(append([]byte(nil), attested.Pass...), make([]byte, 80)...)
	huge := bytes.Repeat([]byte{0xf6}, 10<<20)
	big, err := cose.Marshal(wire.Batch{Kiosk: h.doors["door-1"].Kiosk, Visits: []wire.Visit{attested}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, door string
		body       []byte
		header     []string
		want       int
		kind       string
	}{
		{"no certificate", "", good, nil, 401, wire.ProblemNoCertificate},
		{"a token", "", good, []string{"Authorization", "Bearer ' OR 1=1 --"}, 401, wire.ProblemNoCertificate},
		{"another kiosk", "door-1", other, nil, 403, wire.ProblemOtherKiosk},
		{"sql for a kiosk", "door-1", sql, nil, 403, wire.ProblemOtherKiosk},
		{"empty", "door-1", nil, nil, 400, wire.ProblemMalformed},
		{"json", "door-1", []byte(`{"kiosk":"door-1"}`), nil, 400, wire.ProblemMalformed},
		{"a tail", "door-1", append(append([]byte(nil), good...), 0), nil, 400, wire.ProblemMalformed},
		{"an attestation behind the pass", "door-1", big, nil, 400, wire.ProblemMalformed},
		{"another type", "door-1", good, []string{"Content-Type", "application/json"}, 415, wire.ProblemMediaType},
		{"another encoding", "door-1", good, []string{"Content-Encoding", "zstd"}, 415, wire.ProblemMediaType},
		{"no gzip", "door-1", good, []string{"Content-Encoding", "gzip"}, 400, wire.ProblemMalformed},
		{"torn gzip", "door-1", zip(t, good)[:20], []string{"Content-Encoding", "gzip"}, 400, wire.ProblemMalformed},
		{"10 MB", "door-1", huge, nil, 413, wire.ProblemTooLarge},
		{"a gzip bomb", "door-1", zip(t, huge), []string{"Content-Encoding", "gzip"}, 413, wire.ProblemTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := h.request(tt.door, tt.body)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			w := httptest.NewRecorder()
			h.Handler().ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if kind := problemOf(t, w.Code, w.Header(), w.Body.Bytes()); kind != tt.kind {
				t.Errorf("type %s, want %s", kind, tt.kind)
			}
		})
	}
	if n := len(h.rows(t, "door-1")) + len(h.rows(t, "door-2")); n != 0 {
		t.Errorf("%d rows", n)
	}
	h.quiet(t)
}

func zip(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A bomb is put down as soon as it is one, not after it has gone off.
func TestGzipBombIsNotUnpacked(t *testing.T) {
	h := newHouse(t)
	bomb := bytes.NewReader(zip(t, make([]byte, 50<<20)))
	r := h.request("door-1", nil)
	r.Body = io.NopCloser(bomb)
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, r)
	if read := int(bomb.Size()) - bomb.Len(); w.Code != 413 || read > 8<<10 {
		t.Errorf("status %d, %d of %d bytes read", w.Code, read, bomb.Size())
	}
}

func TestGzip(t *testing.T) {
	h := newHouse(t)
	visits := make([]wire.Visit, wire.MaxVisits)
	for i := range visits {
		visits[i] = visit(t, "kko", uint64(i+1), t0)
	}
	body, batch := h.encode(t, "door-1", visits...)
	resp, answer := h.post(t, h.doors["door-1"].client, wire.VisitsPath, zip(t, body), "Content-Encoding", "gzip")
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	// The receipt is for the batch, not for its wrapping.
	if _, err := wire.OpenReceipt(answer, h.Bundles.Bundle().ReceiptKeys(), body, batch); err != nil {
		t.Error(err)
	}
	if n := len(h.rows(t, "door-1")); n != wire.MaxVisits {
		t.Errorf("%d rows", n)
	}
}

// No receipt without a durable visit.
func TestStoreFails(t *testing.T) {
	h := newHouse(t)
	body, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	resp, answer := h.post(t, h.doors["door-1"].client, wire.VisitsPath, body)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
}

// A registry without keys in force must not refuse for ever what is good.
func TestBundleExpired(t *testing.T) {
	h := newHouse(t)
	h.set(t0.Add(61 * day))
	body, _ := h.encode(t, "door-1", visit(t, "kko", 1, h.time()))
	for _, b := range []Bundles{h.Bundles, fixed{}} {
		h.Bundles = b
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, h.request("door-1", body))
		if w.Code != 503 {
			t.Errorf("visits: %d %s", w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		h.Admin().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if w.Code != 503 {
			t.Errorf("health: %d %s", w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequest("GET", wire.BundlePath, nil))
	if w.Code != 503 {
		t.Errorf("bundle: %d %s", w.Code, w.Body)
	}
}

func TestManyDoorsAtOnce(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	for range 4 {
		for _, door := range []string{"door-1", "door-2"} {
			wg.Go(func() {
				for n := uint64(1); n <= 10; n++ {
					h.send(t, door, visit(t, "kko", n, t0))
				}
			})
		}
	}
	wg.Wait()
	for _, door := range []string{"door-1", "door-2"} {
		rows := h.rows(t, door)
		if len(rows) != 10 {
			t.Errorf("%s: %d rows", door, len(rows))
		}
		for _, r := range rows {
			if !r.Relayed {
				t.Errorf("%s %d is not flagged", door, r.Seq)
			}
		}
	}
}

func FuzzVisits(f *testing.F) {
	kept := &recorder{}
	h := newHouse(f, func(c *Config) { c.Store = kept })
	handler := h.Handler()
	body, _ := h.encode(f, "door-1", visit(f, "kko", 1, t0), visit(f, "kko", 2, t0))
	f.Add(body, false)
	f.Add(zip(f, body), true)
	f.Add([]byte{}, false)
	f.Add([]byte{0xa2, 0x01, 0x66}, false)
	f.Fuzz(func(t *testing.T, body []byte, zipped bool) {
		r := h.request("door-1", body)
		if zipped {
			r.Header.Set("Content-Encoding", "gzip")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 403, 413:
		default:
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		// Only what an issuer signed is ever stored.
		for _, v := range kept.take() {
			if v.ID != idOf(1) && v.ID != idOf(2) {
				t.Fatal("a pass was stored that no issuer made")
			}
		}
	})
}

// recorder keeps visits in memory: a disk would make fuzzing slow.
type recorder struct {
	nowhere
	visits []Visit
}

func (r *recorder) Put(ctx context.Context, visits []Visit) ([]bool, error) {
	r.visits = append(r.visits, visits...)
	return r.nowhere.Put(ctx, visits)
}

func (r *recorder) take() []Visit {
	all := r.visits
	r.visits = nil
	return all
}

// Weeks later a visit is judged by the key and the policy of its own time, and
// by nothing that came since.
func TestKeysOfTheirTime(t *testing.T) {
	retired := t0.Add(-20 * day)
	h := newHouse(t, func(c *Config) {
		contents := contents(9)
		contents.Issuers = []pass.Issuer{{ID: "kko", Keys: []pass.Key{
			pass.NewKey(public("kko"), t0.Add(-400*day), retired),
			pass.NewKey(public("kko 2"), retired.Add(-35*day), t0.Add(300*day)),
		}}, {ID: "old", Keys: []pass.Key{pass.NewKey(public("old"), t0.Add(-60*day), t0.Add(60*day))}, RevokedAt: t0.Add(-5 * day).Unix()}}
		raw, err := pass.SignBundle(key("root"), contents)
		if err != nil {
			t.Fatal(err)
		}
		c.Bundles = fixed{opened(t, raw)}
	})
	by := func(signer, issuer string, n uint64, at time.Time) wire.Visit {
		return wire.Visit{Seq: n, At: at.Add(3 * time.Second).UnixMilli(), Pass: passOf(t, signer, issuer, n, at)}
	}
	got := h.send(t, "door-1",
		by("kko", "kko", 1, retired.Add(-7*day)),        // 27 days ago, by the key of then
		by("kko", "kko", 2, retired.Add(-time.Second)),  // its last second
		by("kko", "kko", 3, retired.Add(time.Second)),   // by a key that was retired
		by("kko 2", "kko", 4, retired.Add(time.Second)), // by the next one
		by("kko 2", "kko", 5, t0),
		by("old", "old", 6, t0.Add(-6*day)), // before it was revoked
		by("old", "old", 7, t0.Add(-4*day)),
		by("kko", "kko", 8, t0.Add(-29*day)), // nobody may keep it any more
	)
	want := []string{"stored", "stored", "unknown-key", "stored", "stored", "stored", "revoked", wire.ReasonRetention}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A registry under load says so in its receipts.
func TestReceiptAnnouncesAPause(t *testing.T) {
	h := newHouse(t)
	body, batch := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	for inUse, want := range map[int64]time.Duration{0: 0, 319: 5 * time.Second} {
		h.inUse.Store(inUse)
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, h.request("door-1", body))
		h.inUse.Store(0)
		receipt, err := wire.OpenReceipt(w.Body.Bytes(), h.Bundles.Bundle().ReceiptKeys(), body, batch)
		if err != nil || receipt.Wait() != want {
			t.Errorf("%d in use: waits %s, %v", inUse, receipt.Wait(), err)
		}
	}
}
