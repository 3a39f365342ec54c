package uplink

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/enrol"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi uplink test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// queue is a journal in memory.
type queue struct {
	mu     sync.Mutex
	visits []wire.Visit
	added  chan struct{}
	broken error
}

func newQueue(n int) *queue {
	q := &queue{added: make(chan struct{}, 1)}
	for i := range n {
		q.visits = append(q.visits, wire.Visit{Seq: uint64(i + 1), At: t0.UnixMilli(), Pass: []byte{byte(i)}})
	}
	return q
}

func (q *queue) Added() <-chan struct{} { return q.added }

func (q *queue) Pending(after uint64, limit int) ([]wire.Visit, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []wire.Visit
	for _, v := range q.visits {
		if v.Seq > after && len(out) < limit {
			out = append(out, v)
		}
	}
	return out, nil
}

func (q *queue) Settle(results []wire.Result) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return q.broken
	}
	for _, r := range results {
		for i, v := range q.visits {
			if v.Seq == r.Seq {
				q.visits = append(q.visits[:i:i], q.visits[i+1:]...)
				break
			}
		}
	}
	return nil
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.visits)
}

// registry answers as a registry would, after what fault does to the exchange.
type registry struct {
	mu     sync.Mutex
	stored map[uint64]int // by sequence: how often it was stored (must be once)
	calls  int
	pause  time.Duration
	at     []time.Time // of the calls
	fault  func(call int, batch wire.Batch, answer *http.Response) (*http.Response, error)
}

func (r *registry) RoundTrip(req *http.Request) (*http.Response, error) {
	in := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	batch, err := wire.DecodeBatch(body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	r.at = append(r.at, time.Now())
	var results []wire.Result
	for _, v := range batch.Visits {
		status := wire.StatusStored
		if r.stored[v.Seq] > 0 {
			status = wire.StatusDuplicate
		} else {
			r.stored[v.Seq]++
		}
		results = append(results, wire.Result{Seq: v.Seq, Status: status})
	}
	receipt, err := wire.SignReceipt(testKey("receipt"), body, batch.Kiosk, t0, r.pause, results)
	if err != nil {
		return nil, err
	}
	answer := respond(http.StatusOK, receipt)
	if r.fault != nil {
		return r.fault(r.calls, batch, answer)
	}
	return answer, nil
}

func respond(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
}

// newLink is a link of an enrolled kiosk over r.
func newLink(r http.RoundTripper) *Link {
	l := &Link{
		log: slog.New(slog.DiscardHandler), now: func() time.Time { return t0 },
		ready: make(chan struct{}), enrolled: make(chan struct{}), renew: make(chan struct{}, 1),
	}
	client := &http.Client{Transport: r}
	l.peer.Store(&peer{Identity: &enrol.Identity{Address: "https://registry.test", Kiosk: "cafe-1", Root: public(testKey("root"))}, client: client, timeless: client})
	close(l.enrolled)
	return l
}

func receiptKeys() []ed25519.PublicKey { return []ed25519.PublicKey{public(testKey("receipt"))} }

func newSender(q Queue, r http.RoundTripper) *Sender {
	return NewSender(SenderConfig{Link: newLink(r), Batch: 8, Keys: receiptKeys}, q, func() time.Time { return t0 }, slog.New(slog.DiscardHandler))
}

// TestFaults breaks every exchange of the first few calls in one way; in the
// end everything has arrived once and the queue is empty.
func TestFaults(t *testing.T) {
	first := func(n int, do func(*http.Response) (*http.Response, error)) func(int, wire.Batch, *http.Response) (*http.Response, error) {
		return func(call int, _ wire.Batch, answer *http.Response) (*http.Response, error) {
			if call <= n {
				return do(answer)
			}
			return answer, nil
		}
	}
	for name, fault := range map[string]func(int, wire.Batch, *http.Response) (*http.Response, error){
		"none":           nil,
		"answer lost":    first(3, func(*http.Response) (*http.Response, error) { return nil, errors.New("connection reset") }),
		"500":            first(3, func(*http.Response) (*http.Response, error) { return respond(500, nil), nil }),
		"unauthorised":   first(2, func(*http.Response) (*http.Response, error) { return respond(401, nil), nil }),
		"captive portal": first(4, func(*http.Response) (*http.Response, error) { return respond(200, []byte("<html>로그인")), nil }),
		"half an answer": first(3, func(a *http.Response) (*http.Response, error) {
			b, _ := io.ReadAll(a.Body)
			return respond(200, b[:len(b)/2]), nil
		}),
		"too large a batch": first(2, func(*http.Response) (*http.Response, error) { return respond(413, nil), nil }),
		"another's receipt": first(3, func(*http.Response) (*http.Response, error) {
			forged, err := wire.SignReceipt(testKey("portal"), []byte("x"), "cafe-1", t0, 0, nil)
			return respond(200, forged), err
		}),
		"a batch nobody can read": func(call int, b wire.Batch, answer *http.Response) (*http.Response, error) {
			for _, v := range b.Visits {
				if v.Seq == 5 && call < 20 {
					return respond(400, nil), nil
				}
			}
			return answer, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, r := newQueue(30), &registry{stored: map[uint64]int{}, fault: fault}
				s := newSender(q, r)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				time.Sleep(time.Hour) // virtual
				cancel()
				<-done
				if n := q.len(); n != 0 {
					t.Errorf("%d visits left", n)
				}
				for seq := uint64(1); seq <= 30; seq++ {
					if r.stored[seq] != 1 {
						t.Errorf("visit %d was stored %d times", seq, r.stored[seq])
					}
				}
				if st := s.State(); st.Err != nil || st.Sent != 30 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// TestNobodyReadsAnything holds that a proxy which refuses every batch is not
// asked without end, and that the trouble shows.
func TestNobodyReadsAnything(t *testing.T) {
	q, r := newQueue(1000), &registry{stored: map[uint64]int{}}
	r.fault = func(int, wire.Batch, *http.Response) (*http.Response, error) { return respond(400, nil), nil }
	s := newSender(q, r)
	if _, err := s.Drain(t.Context()); err == nil || s.State().Err == nil || r.calls > 20 {
		t.Errorf("%v, state %v, after %d calls", err, s.State().Err, r.calls)
	}
	if q.len() != 1000 {
		t.Errorf("%d visits left of 1000", q.len())
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var second time.Duration
		q, r := newQueue(1), &registry{stored: map[uint64]int{}}
		r.fault = func(call int, _ wire.Batch, answer *http.Response) (*http.Response, error) {
			if call == 1 {
				busy := respond(503, nil)
				busy.Header.Set("Retry-After", "120")
				return busy, nil
			}
			second = time.Since(start)
			return answer, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		go newSender(q, r).Run(ctx)
		time.Sleep(time.Hour)
		cancel()
		if second < 2*time.Minute || second > 3*time.Minute {
			t.Errorf("came back after %v", second)
		}
	})
}

// TestReceiptKeptByNobody fails the journal's own write after a good receipt.
func TestReceiptKeptByNobody(t *testing.T) {
	q, r := newQueue(3), &registry{stored: map[uint64]int{}}
	q.broken = errors.New("disk full")
	s := newSender(q, r)
	if _, err := s.Drain(t.Context()); err == nil || s.State().Err == nil {
		t.Errorf("a lost receipt went unnoticed: %v", err)
	}
	q.broken = nil
	if _, err := s.Drain(t.Context()); err != nil || q.len() != 0 || r.stored[1] != 1 {
		t.Errorf("%v, %d left, stored %v", err, q.len(), r.stored)
	}
}

// TestPauseIsObeyed holds the sender to the rate that a receipt announces, and
// a receipt to a bound.
func TestPauseIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, r := newQueue(24), &registry{stored: map[uint64]int{}, pause: 7 * time.Second}
		if _, err := newSender(q, r).Drain(t.Context()); err != nil || q.len() != 0 {
			t.Fatalf("%v, %d left", err, q.len())
		}
		for i := 1; i < len(r.at); i++ {
			if d := r.at[i].Sub(r.at[i-1]); d < 7*time.Second || d > 8*time.Second {
				t.Errorf("batch %d came after %v", i, d)
			}
		}
		if len(r.at) != 3 {
			t.Errorf("%d batches", len(r.at))
		}
	})
}

// TestReplayedReceipt answers the second batch with the first one's receipt.
func TestReplayedReceipt(t *testing.T) {
	q, r := newQueue(16), &registry{stored: map[uint64]int{}}
	var first []byte
	r.fault = func(call int, _ wire.Batch, answer *http.Response) (*http.Response, error) {
		body, err := io.ReadAll(answer.Body)
		if call == 1 {
			first = body
		}
		return respond(200, first), err
	}
	if _, err := newSender(q, r).Drain(t.Context()); !errors.Is(err, wire.ErrReceipt) || q.len() != 8 {
		t.Errorf("%v, %d left", err, q.len())
	}
}

// TestHeartbeat holds it to once a minute; one that is refused ends nothing.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies [][]byte
		l := newLink(roundTrip(func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			if bodies = append(bodies, b); len(bodies) == 1 {
				return respond(500, nil), err
			}
			resp := respond(204, nil)
			resp.Header.Set(wire.BundleHeader, "8")
			return resp, err
		}))
		var heard []uint64
		want := wire.Heartbeat{Version: "v1", Queue: 3, Oldest: t0.UnixMilli(), Bundle: 7, Clock: pass.ClockSure, FPS: 299, Temperature: 455, Disk: 900, Uptime: 60}
		h := NewHeartbeat(l, func() wire.Heartbeat { return want }, func(n uint64) { heard = append(heard, n) }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go h.Run(ctx)
		time.Sleep(10*time.Minute + time.Second) // virtual
		cancel()
		synctest.Wait()
		if len(bodies) != 11 {
			t.Errorf("%d heartbeats in ten minutes", len(bodies))
		}
		if len(heard) != 10 || heard[0] != 8 {
			t.Errorf("bundles heard of: %v", heard)
		}
		got, err := wire.DecodeHeartbeat(bodies[1])
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestRefused holds that a kiosk that was revoked says so, and says when it is
// welcome again; and that the words of a stranger in between clear nothing.
func TestRefused(t *testing.T) {
	q, r := newQueue(3), &registry{stored: map[uint64]int{}}
	revoked := func(int, wire.Batch, *http.Response) (*http.Response, error) {
		return respond(403, []byte(`{"type":"`+wire.ProblemRevoked+`","title":"revoked","status":403,"detail":"enrol again"}`)), nil
	}
	r.fault = revoked
	s := newSender(q, r)
	if _, err := s.Drain(t.Context()); err == nil || s.cfg.Link.State().Refused != wire.ProblemRevoked || q.len() != 3 {
		t.Errorf("%v, %+v, %d left", err, s.cfg.Link.State(), q.len())
	}
	r.fault = func(int, wire.Batch, *http.Response) (*http.Response, error) { return respond(200, nil), nil }
	if _, err := s.Drain(t.Context()); err == nil || s.cfg.Link.State().Refused == "" {
		t.Errorf("%v, %+v", err, s.cfg.Link.State())
	}
	r.fault = nil
	if _, err := s.Drain(t.Context()); err != nil || s.cfg.Link.State().Refused != "" || q.len() != 0 {
		t.Errorf("%v, %+v, %d left", err, s.cfg.Link.State(), q.len())
	}
}

// witness is a clock that only listens.
type witness struct {
	t, at time.Time
	sure  bool
}

func (w *witness) Signed(t, at time.Time) error { w.t, w.at = t, at; return nil }
func (w *witness) Synchronised() bool           { return w.sure }

// TestSignedTime asks registries that are slow, false and right.
func TestSignedTime(t *testing.T) {
	sign := func(key string, r *http.Request) []byte {
		raw, err := hex.DecodeString(r.URL.Query().Get("nonce"))
		if err != nil || len(raw) != wire.NonceSize {
			t.Fatalf("nonce %q", r.URL.RawQuery)
		}
		body, err := wire.SignTime(testKey(key), [wire.NonceSize]byte(raw), t0)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	old, err := wire.SignTime(testKey("receipt"), [wire.NonceSize]byte{1}, t0)
	if err != nil {
		t.Fatal(err)
	}
	for name, step := range map[string]struct {
		answer func(*http.Request) []byte
		trip   time.Duration
		good   bool
	}{
		"right":        {func(r *http.Request) []byte { return sign("receipt", r) }, 600 * time.Millisecond, true},
		"too slow":     {func(r *http.Request) []byte { return sign("receipt", r) }, maxTrip + time.Second, false},
		"another key":  {func(r *http.Request) []byte { return sign("portal", r) }, time.Millisecond, false},
		"replayed":     {func(r *http.Request) []byte { return old }, time.Millisecond, false},
		"no such time": {func(r *http.Request) []byte { return []byte("<html>") }, time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				w := &witness{}
				l := newLink(roundTrip(func(r *http.Request) (*http.Response, error) {
					time.Sleep(step.trip)
					return respond(200, step.answer(r)), nil
				}))
				err := NewTimekeeper(l, w, receiptKeys, time.Now, slog.New(slog.DiscardHandler)).Ask(t.Context())
				if (err == nil) != step.good {
					t.Fatal(err)
				}
				if step.good && (!w.t.Equal(t0) || w.at.Sub(start) != step.trip/2) {
					t.Errorf("%v at %v after the question", w.t, w.at.Sub(start))
				}
				if !step.good && !w.t.IsZero() {
					t.Error("the clock was told all the same")
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "soon": 0, "999999999": patience,
		t0.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		t0.Add(-time.Hour).Format(http.TimeFormat):       0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, t0); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func signBundle(t *testing.T, root string, number uint64) []byte {
	t.Helper()
	raw, err := pass.SignBundle(testKey(root), pass.Contents{Number: number, Issued: t0.Unix(), Expires: t0.Add(pass.BundleLife).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTrust(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bundle.cbor")
	var answer func(*http.Request) (*http.Response, error)
	now := t0
	load := func() *Trust {
		return NewTrust(TrustConfig{
			Link: newLink(roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r) })), File: file,
		}, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	}
	serve := func(status int, body []byte) {
		answer = func(*http.Request) (*http.Response, error) { return respond(status, body), nil }
	}
	tr := load()
	if tr.Bundle() != nil || tr.State().Err != nil {
		t.Fatalf("a new device: %+v", tr.State())
	}
	number := func() uint64 {
		if b := tr.Bundle(); b != nil {
			return b.Number()
		}
		return 0
	}
	for _, step := range []struct {
		name   string
		status int
		body   []byte
		want   uint64
		fails  string
	}{
		{"captive portal", 200, []byte("<html>"), 0, "captive portal"},
		{"first", 200, signBundle(t, "root", 5), 5, ""},
		{"same", 200, signBundle(t, "root", 5), 5, ""},
		{"not modified", 304, nil, 5, ""},
		{"older", 200, signBundle(t, "root", 4), 5, "older"},
		{"another root", 200, signBundle(t, "evil", 9), 5, "not by a trusted key"},
		{"down", 503, nil, 5, "503"},
		{"cut short", 200, signBundle(t, "root", 6)[:80], 5, "cut short"},
		{"too large", 200, make([]byte, pass.MaxBundle+10), 5, "at most"},
		{"newer", 200, signBundle(t, "root", 8), 8, ""},
	} {
		now = now.Add(time.Hour)
		serve(step.status, step.body)
		err := tr.Refresh(t.Context())
		if (err == nil) != (step.fails == "") || (err != nil && !strings.Contains(fmt.Sprint(err), step.fails) && step.status != 503) {
			t.Errorf("%s: %v", step.name, err)
		}
		if number() != step.want {
			t.Errorf("%s: bundle %d, want %d", step.name, number(), step.want)
		}
		if confirmed := tr.State().Confirmed.Equal(now); confirmed != (step.fails == "") {
			t.Errorf("%s: shown as confirmed at %v", step.name, tr.State().Confirmed)
		}
	}
	// A restart without a network knows what was known.
	if tr = load(); number() != 8 {
		t.Errorf("after a restart: bundle %d", number())
	}
	// A bundle that cannot be kept is not used: a restart would know less.
	serve(200, signBundle(t, "root", 9))
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(file, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tr.Refresh(t.Context()); err == nil || number() != 8 {
		t.Errorf("a bundle that was not kept: %v, number %d", err, number())
	}
	os.RemoveAll(file)
	// A damaged file is told, and mended by the next refresh.
	if err := os.WriteFile(file, kept[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if tr = load(); tr.Bundle() != nil || tr.State().Err == nil {
		t.Errorf("a damaged file: %+v", tr.State())
	}
	if err := tr.Refresh(t.Context()); err != nil || number() != 9 {
		t.Errorf("mended: %v, number %d", err, number())
	}
}

func TestTrustRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		raw := signBundle(t, "root", 1)
		tr := NewTrust(TrustConfig{
			Link: newLink(roundTrip(func(*http.Request) (*http.Response, error) {
				if calls++; calls <= 3 {
					return nil, errors.New("no route to host")
				}
				return respond(200, raw), nil
			})), File: filepath.Join(t.TempDir(), "b"), Every: time.Hour,
		}, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tr.Run(ctx) }()
		<-tr.Ready()
		time.Sleep(10 * time.Hour) // virtual
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if tr.Bundle() == nil || calls < 12 || calls > 15 {
			t.Errorf("%d calls in ten hours", calls)
		}
	})
}

// TestTrustHeard holds that a newer bundle is fetched when it is heard of, and
// that hearing of the present one asks nobody.
func TestTrustHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, raw := 0, signBundle(t, "root", 1)
		tr := NewTrust(TrustConfig{
			Link: newLink(roundTrip(func(*http.Request) (*http.Response, error) {
				calls++
				return respond(200, raw), nil
			})), File: filepath.Join(t.TempDir(), "b"),
		}, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go tr.Run(ctx)
		synctest.Wait()
		tr.Heard(1)
		synctest.Wait()
		if calls != 1 {
			t.Fatalf("%d questions before there was anything new", calls)
		}
		raw = signBundle(t, "root", 2)
		tr.Heard(2)
		tr.Heard(2)
		synctest.Wait()
		if n := tr.Bundle().Number(); n != 2 || calls > 3 {
			t.Errorf("bundle %d after %d questions", n, calls)
		}
	})
}
