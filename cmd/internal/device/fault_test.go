package device_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

const cafe = "카페"

// line is everything between a journal and the registry's database, all of it
// real but for the faults: TLS with the kiosk's own certificate, the registry's
// server, its store.
type line struct {
	t      *testing.T
	town   *town.Town
	bundle *pass.Bundle
	ahead  atomic.Int64 // ns, of every clock
}

func (l *line) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

func newLine(t *testing.T, dir string) *line {
	t.Helper()
	l := &line{t: t}
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if l.town, err = town.New(ctx, dir, town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, l.now, log); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tasks.Run(ctx, log, func() {}, l.town.Tasks()...) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, l.town.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// door is one kiosk: its journal, and its sender behind a fault.
type door struct {
	*line
	cfg     device.Config
	id      *enrol.Identity
	link    *uplink.Link
	batch   int // 0 for the largest
	journal *journal.Journal
	sender  *uplink.Sender
	net     *faulty
}

// open enrols a kiosk and opens its journal.
func (l *line) open(name string) *door {
	l.t.Helper()
	d := l.enrol(name)
	d.start()
	return d
}

func (l *line) enrol(name string) *door {
	l.t.Helper()
	cfg, err := l.town.Kiosk(l.t.Context(), cafe, "restaurant")
	if err != nil {
		l.t.Fatal(err)
	}
	cfg.Data = filepath.Join(l.town.Dir, name)
	d := &door{line: l, cfg: cfg, batch: 8, net: &faulty{line: l}}
	if d.id, err = l.town.Enrol(l.t.Context(), cfg); err != nil {
		l.t.Fatal(err)
	}
	d.net.way = &http.Transport{TLSClientConfig: d.id.TLS(l.now)}
	log := slog.New(slog.DiscardHandler)
	if d.link, err = uplink.NewLink(uplink.LinkConfig{Dir: cfg.Data, Keys: l.keys, Transport: d.net}, l.now, log); err != nil {
		l.t.Fatal(err)
	}
	l.bundle = uplink.NewTrust(uplink.TrustConfig{Link: d.link, File: cfg.Bundle()}, l.now, log).Bundle()
	return d
}

func (d *door) start() {
	d.t.Helper()
	var err error
	if d.journal, err = journal.Open(d.cfg.Journal()); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { d.journal.Close() })
	if _, err := d.journal.Claim(d.id.Kiosk); err != nil {
		d.t.Fatal(err)
	}
	d.sender = uplink.NewSender(uplink.SenderConfig{Link: d.link, Batch: d.batch, Keys: d.keys}, &queue{Journal: d.journal, net: d.net}, d.now, slog.New(slog.DiscardHandler))
}

func (l *line) keys() []ed25519.PublicKey { return l.bundle.ReceiptKeys() }

// fresh is a pass made now.
func (l *line) fresh() *pass.Pass {
	l.t.Helper()
	now := l.now()
	text, err := l.town.Pass(town.Good, now)
	if err != nil {
		l.t.Fatal(err)
	}
	u, err := pass.Parse(text)
	if err != nil {
		l.t.Fatal(err)
	}
	p, err := u.Verify(now, l.bundle, pass.Conditions{Skew: pass.Skew, Facility: "restaurant", Clock: pass.ClockSure})
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (d *door) admit(p *pass.Pass) {
	d.t.Helper()
	if _, err := d.journal.Admit(p, d.now()); err != nil {
		d.t.Fatal(err)
	}
}

// fault is what happens to an exchange. persisted says whether the registry
// has taken the batch all the same.
type fault func(f *faulty, req *http.Request, persisted bool) (*http.Response, error)

// faulty is the way to the registry, on which the first batches meet a fault.
type faulty struct {
	*line
	way       http.RoundTripper
	fault     fault
	persisted bool
	left      int // faults to come
	settle    int // receipts the journal fails to settle
	receipts  [][]byte
}

func (f *faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == wire.VisitsPath && f.fault != nil && f.left > 0 {
		f.left--
		return f.fault(f, req, f.persisted)
	}
	resp, err := f.way.RoundTrip(req)
	if err != nil || req.URL.Path != wire.VisitsPath {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	f.receipts = append(f.receipts, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// pass lets the exchange through to the registry, if it is to persist, and
// returns its receipt.
func (f *faulty) pass(req *http.Request, persisted bool) []byte {
	f.t.Helper()
	if !persisted {
		return nil
	}
	resp, err := f.way.RoundTrip(req)
	if err != nil {
		f.t.Errorf("the registry was to take it: %v", err)
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		f.t.Errorf("the registry was to take it: status %d, %v", resp.StatusCode, err)
	}
	return body
}

func answer(status int, body []byte, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body))}
}

// queue is the journal with a disk that fails now and then.
type queue struct {
	*journal.Journal
	net *faulty
}

func (q *queue) Settle(results []wire.Result) error {
	if q.net.settle == 0 {
		return q.Journal.Settle(results)
	}
	q.net.settle--
	if q.net.persisted {
		if err := q.Journal.Settle(results); err != nil {
			return err
		}
	}
	return syscall.ENOSPC
}

// stranger is a TLS server with another CA's certificate.
func stranger(f *faulty, req *http.Request) (*http.Response, error) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	way := f.way.(*http.Transport).Clone()
	defer way.CloseIdleConnections()
	way.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		d := tls.Dialer{Config: way.TLSClientConfig.Clone()}
		d.Config.ServerName = "127.0.0.1"
		return d.DialContext(ctx, network, s.Listener.Addr().String())
	}
	return way.RoundTrip(req)
}

var faults = map[string]struct {
	fault fault
	once  string // "failed": it cannot persist
}{
	"the answer is lost": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return nil, syscall.ECONNRESET
	}},
	"500": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return answer(500, []byte("proxy error")), nil
	}},
	"503 and Retry-After": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return answer(503, nil, "Retry-After", "7"), nil
	}},
	"timeout": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return nil, context.DeadlineExceeded
	}},
	"half a response": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		body := f.pass(req, persisted)
		if body == nil {
			body = []byte("a receipt of sorts")
		}
		resp := answer(200, nil)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
		return resp, nil
	}},
	"half a response that looks whole": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		body := f.pass(req, persisted)
		return answer(200, body[:len(body)/2]), nil
	}},
	"TLS error": {once: "failed", fault: func(f *faulty, req *http.Request, _ bool) (*http.Response, error) {
		return stranger(f, req)
	}},
	"captive portal": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return answer(200, []byte("<html>무료 와이파이 로그인</html>"), "Content-Type", "text/html"), nil
	}},
	"wrong receipt signature": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		body := f.pass(req, persisted)
		_, forger, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		forged, err := wire.SignReceipt(forger, []byte("batch"), "k", f.now(), 0, []wire.Result{{Seq: 1, Status: wire.StatusStored}})
		if len(body) > 70 { // the registry's own, with a bit of the signature changed
			forged = body
			forged[len(forged)-3] ^= 1
		}
		return answer(200, forged), err
	}},
	"replayed receipt": {fault: func(f *faulty, req *http.Request, persisted bool) (*http.Response, error) {
		f.pass(req, persisted)
		return answer(200, f.receipts[0]), nil
	}},
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// drain empties the journal, as the sender's task does but without its pauses.
func (d *door) drain() (failed int) {
	d.t.Helper()
	for range 100 {
		left, err := d.sender.Drain(d.t.Context())
		if err == nil && !left {
			return failed
		}
		failed++
	}
	d.t.Fatalf("the journal is not empty after a hundred tries: %v", d.sender.State().Err)
	return failed
}

// once holds that every visit of the doors' facility is there, and just once.
func (l *line) once(want int, doors ...*door) {
	l.t.Helper()
	visits, err := l.town.Visits(l.t.Context(), cafe)
	if err != nil {
		l.t.Fatal(err)
	}
	seen := map[string]int{}
	for _, v := range visits {
		seen[v.Kiosk+" "+v.ID.String()]++
	}
	for _, n := range seen {
		if n != 1 {
			l.t.Errorf("a visit is there %d times", n)
		}
	}
	if len(visits) != want {
		l.t.Errorf("%d visits in the registry, want %d", len(visits), want)
	}
	for _, d := range doors {
		if s, err := d.journal.Stats(); err != nil || s.Queue != 0 || s.Aside != 0 || s.Destroyed != 0 || s.Unkept != 0 {
			l.t.Errorf("the journal of %s: %+v, %v", d.id.Kiosk, s, err)
		}
	}
}

// TestFaultTable breaks the first three batches in every way, once before the
// registry has them and once after it: everything arrives exactly once.
func TestFaultTable(t *testing.T) {
	for name, c := range faults {
		for _, persisted := range []bool{false, true} {
			if persisted && c.once != "" {
				continue
			}
			state := map[bool]string{false: "failed", true: "failed but persisted"}[persisted]
			t.Run(name+", "+state, func(t *testing.T) {
				l := newLine(t, t.TempDir())
				d := l.open("door")
				d.admit(l.fresh())
				d.drain() // one in peace, whose receipt can be replayed
				for range 20 {
					d.admit(l.fresh())
				}
				d.net.fault, d.net.persisted, d.net.left = c.fault, persisted, 3
				if failed := d.drain(); failed < 3 {
					t.Errorf("only %d of 3 faults were noticed", failed)
				}
				l.once(21, d)
				if s := d.sender.State(); s.Sent != 21 || s.Err != nil {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestDisksFull fails the journal's write after a good receipt, and the
// registry's before it, each lost and each on disk after all.
func TestDisksFull(t *testing.T) {
	for _, persisted := range []bool{false, true} {
		t.Run(fmt.Sprintf("journal, persisted %v", persisted), func(t *testing.T) {
			l := newLine(t, t.TempDir())
			d := l.open("door")
			for range 20 {
				d.admit(l.fresh())
			}
			d.net.settle, d.net.persisted = 3, persisted
			if failed := d.drain(); failed != 3 {
				t.Errorf("%d of 3 faults were noticed", failed)
			}
			l.once(20, d)
		})
		t.Run(fmt.Sprintf("registry, persisted %v", persisted), func(t *testing.T) {
			l := newLine(t, t.TempDir())
			full := &fullStore{Store: l.town.Store, persisted: persisted}
			full.left.Store(3)
			l.town.Registry.Store = full
			d := l.open("door")
			for range 20 {
				d.admit(l.fresh())
			}
			if failed := d.drain(); failed != 3 {
				t.Errorf("%d of 3 faults were noticed", failed)
			}
			l.once(20, d)
		})
	}
}

// fullStore is the registry's database on a disk that fails now and then.
type fullStore struct {
	registry.Store
	persisted bool
	left      atomic.Int32
}

func (s *fullStore) Put(ctx context.Context, visits []store.Visit) ([]bool, error) {
	if s.left.Add(-1) < 0 {
		return s.Store.Put(ctx, visits)
	}
	if s.persisted {
		if _, err := s.Store.Put(ctx, visits); err != nil {
			return nil, err
		}
	}
	return nil, syscall.ENOSPC
}

// TestClockJumps sets every clock a day ahead and a day back with visits on
// their way and an answer lost at the same time.
func TestClockJumps(t *testing.T) {
	for name, jumps := range map[string][]time.Duration{
		"a day ahead": {24 * time.Hour}, "a day back": {-24 * time.Hour}, "ahead and back": {24 * time.Hour, -24 * time.Hour}, "back and ahead": {-24 * time.Hour, 24 * time.Hour},
	} {
		for _, persisted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, persisted %v", name, persisted), func(t *testing.T) {
				l := newLine(t, t.TempDir())
				d := l.open("door")
				for range 20 {
					d.admit(l.fresh())
				}
				for _, jump := range jumps {
					d.net.fault, d.net.persisted, d.net.left = faults["the answer is lost"].fault, persisted, 1
					if _, err := d.sender.Drain(t.Context()); err == nil {
						t.Error("a fault went unnoticed")
					}
					l.ahead.Add(int64(jump))
					if n, err := d.journal.Prune(l.now(), pass.Skew); n != 0 || err != nil {
						t.Errorf("destroyed %d, %v", n, err)
					}
				}
				d.drain()
				l.once(20, d)
			})
		}
	}
}

// TestTwoDoors shows the same passes at two doors that do not know of each
// other, with faults at both: both visits are kept, once each, and flagged.
func TestTwoDoors(t *testing.T) {
	for _, persisted := range []bool{false, true} {
		l := newLine(t, t.TempDir())
		a, b := l.open("a"), l.open("b")
		for range 10 {
			p := l.fresh()
			a.admit(p)
			b.admit(p)
		}
		for _, d := range []*door{a, b} {
			d.net.fault, d.net.persisted, d.net.left = faults["the answer is lost"].fault, persisted, 2
		}
		a.drain()
		b.drain()
		l.once(20, a, b)
		visits, err := l.town.Visits(t.Context(), cafe)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range visits {
			if !v.Relayed {
				t.Errorf("a pass seen at two doors is not flagged: kiosk %s", v.Kiosk)
			}
		}
	}
}

// TestPoison holds that a record the registry will never take stops nothing, and
// that what policy keeps nowhere is kept nowhere.
func TestPoison(t *testing.T) {
	l := newLine(t, t.TempDir())
	d := l.open("door")
	d.admit(l.fresh())
	l.ahead.Store(int64(40 * time.Second))
	late := l.fresh()
	l.ahead.Store(0)
	if _, err := d.journal.Admit(late, l.now()); err != nil { // scanned before it was made
		t.Fatal(err)
	}
	d.admit(l.fresh())
	d.drain()
	if s, err := d.journal.Stats(); err != nil || s.Queue != 0 || s.Aside != 1 || d.sender.State().Refused != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if visits, err := l.town.Visits(t.Context(), cafe); err != nil || len(visits) != 2 {
		t.Errorf("%d visits, %v", len(visits), err)
	}
	// The order to record ended a minute ago; the kiosk has not heard of it.
	if err := l.town.Publish(2, func(c *pass.Contents) {
		c.Policies["restaurant"] = pass.Policy{Mode: pass.ModeOff, Since: l.now().Add(-time.Minute).Unix()}
	}); err != nil {
		t.Fatal(err)
	}
	d.admit(l.fresh())
	d.drain()
	if s, err := d.journal.Stats(); err != nil || s.Queue != 0 || s.Aside != 1 || s.Unkept != 1 || d.sender.State().Unkept != 1 {
		t.Errorf("after the policy's end: %+v, %v", s, err)
	}
	if visits, err := l.town.Visits(t.Context(), cafe); err != nil || len(visits) != 2 {
		t.Errorf("%d visits, %v", len(visits), err)
	}
}
