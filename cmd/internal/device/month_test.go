package device_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/journal"
)

var queued = flag.Int("queue", 2000, "how many visits TestMonthAlone lets wait")

const day = 24 * time.Hour

// TestMonthAlone is 27 days without a network: visits wait, day by day, with a
// nightly Prune and Compact; then the network is back and they are drained in
// order of age, none lost and none twice.
func TestMonthAlone(t *testing.T) {
	l := newLine(t, t.TempDir())
	d := l.enrol("door")
	d.batch = 0
	// Filled where a write costs nothing, then put on the disk; what is measured
	// is measured there.
	fast := filepath.Join(t.TempDir(), "journal.db")
	if shm, err := os.MkdirTemp("/dev/shm", "munjigi-"); err == nil {
		defer os.RemoveAll(shm)
		fast = filepath.Join(shm, "journal.db")
	}
	j, err := journal.Open(fast)
	if err != nil {
		t.Fatal(err)
	}
	scanned := make([]int64, *queued)
	night, filled, slowest := day, time.Now(), time.Duration(0)
	start := l.now()
	for n := range scanned {
		since := 27 * day / time.Duration(len(scanned)) * time.Duration(n)
		l.ahead.Store(int64(since - time.Since(start)))
		if since >= night {
			night += day
			began := time.Now()
			if destroyed, err := j.Prune(l.now(), pass.Skew); err != nil || destroyed != 0 {
				t.Fatalf("destroyed %d, %v", destroyed, err)
			}
			if err := j.Compact(); err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(began))
		}
		now := l.now()
		if _, err := j.Admit(l.fresh(), now); err != nil {
			t.Fatal(err)
		}
		scanned[n] = now.UnixMilli()
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	l.ahead.Store(int64(27*day - time.Since(start)))
	data, err := os.ReadFile(fast)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.cfg.Journal(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	size := len(data)
	data = nil
	t.Logf("%d visits filled in %v; the journal has %d kB, the slowest night's Prune and Compact took %v", len(scanned), time.Since(filled).Round(time.Second), size>>10, slowest.Round(time.Millisecond))

	d.start()
	s, err := d.journal.Stats()
	if err != nil || s.Queue != len(scanned) {
		t.Fatalf("%+v, %v", s, err)
	}
	if state := device.QueueState(l.now(), s); state.Name != "alarm" || state.Level != display.Bad {
		t.Errorf("after 27 days the owner is told %+v", state)
	}
	order := &watcher{way: d.net.way}
	d.net.way = order
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	runtime.GC()
	began := time.Now()
	go func() { done <- d.sender.Run(ctx) }()
	var peak uint64
	for poll := time.NewTicker(50 * time.Millisecond); ; <-poll.C {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		if s := d.sender.State(); int(s.Sent)+int(s.Refused)+int(s.Unkept) >= len(scanned) {
			poll.Stop()
			break
		}
		if time.Since(began) > 15*time.Minute {
			t.Fatalf("not drained within 15 minutes: %+v", d.sender.State())
		}
	}
	took := time.Since(began)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	t.Logf("drained in %v: %.0f visits/s in %d batches over TLS, each settled on disk; heap of kiosk, registry and test together at most %d MB", took.Round(time.Millisecond), float64(len(scanned))/took.Seconds(), order.batches.Load(), peak/1e6)
	if order.unordered.Load() {
		t.Error("younger visits were sent before older ones")
	}
	l.once(len(scanned), d)
	visits, err := l.town.Visits(t.Context(), cafe)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range visits {
		if v.Seq == 0 || v.Seq > uint64(len(scanned)) || v.Scanned.UnixMilli() != scanned[v.Seq-1] {
			t.Fatalf("visit %d was scanned at %v", v.Seq, v.Scanned)
		}
	}
}

// watcher sees the order of what is sent.
type watcher struct {
	way       http.RoundTripper
	last      uint64
	batches   atomic.Int64
	unordered atomic.Bool
}

func (w *watcher) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == wire.VisitsPath {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(z); err != nil {
				return nil, err
			}
		}
		b, err := wire.DecodeBatch(body)
		if err != nil {
			return nil, err
		}
		w.batches.Add(1)
		if b.Visits[0].Seq < w.last { // the same again is no disorder
			w.unordered.Store(true)
		}
		w.last = b.Visits[0].Seq
	}
	return w.way.RoundTrip(req)
}

// TestDay29 is a registry that never comes back: the owner is told from the
// seventh day on, what passes day 28 is destroyed and counted, and the device's
// files then hold nothing of it. What was sent leaves no trace either.
func TestDay29(t *testing.T) {
	l := newLine(t, t.TempDir())
	d := l.open("door")
	var gone [][]byte
	remember := func(p *pass.Pass) *pass.Pass {
		id := p.ID()
		gone = append(gone, p.Bytes(), p.Bytes()[len(p.Bytes())-64:], id[:])
		return p
	}
	for range 5 { // sent on the first day
		d.admit(remember(l.fresh()))
	}
	d.drain()
	for range 20 { // not sent
		d.admit(remember(l.fresh()))
	}
	begin := l.now()
	states := map[int]string{}
	for n := 1; n <= 29; n++ {
		l.ahead.Add(int64(day))
		kept := l.fresh()
		d.admit(kept)
		destroyed, err := d.journal.Prune(l.now(), pass.Skew+5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if n < 28 && destroyed != 0 {
			t.Errorf("day %d: %d destroyed", n, destroyed)
		}
		if err := d.journal.Compact(); err != nil {
			t.Fatal(err)
		}
		s, err := d.journal.Stats()
		if err != nil {
			t.Fatal(err)
		}
		states[n] = device.QueueState(l.now(), s).Name
	}
	for n, want := range map[int]string{1: "waiting", 6: "waiting", 8: "old", 20: "old", 22: "alarm", 27: "alarm"} {
		if states[n] != want {
			t.Errorf("on day %d the queue was called %q, want %q", n, states[n], want)
		}
	}
	s, err := d.journal.Stats()
	if err != nil || s.Destroyed < 20 || s.Queue+int(s.Destroyed) != 20+29 || s.Oldest.Before(begin) {
		t.Errorf("%+v, %v", s, err)
	}
	searched := 0
	err = filepath.WalkDir(d.cfg.Data, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		searched += len(data)
		for i, secret := range gone {
			if bytes.Contains(data, secret) {
				t.Errorf("%s holds something of the first day (%d)", e.Name(), i)
			}
		}
		return err
	})
	if err != nil || searched < 10000 || len(gone) != 75 {
		t.Errorf("searched %d bytes for %d things: %v", searched, len(gone), err)
	}
	// The search finds what is there.
	data, err := os.ReadFile(d.cfg.Journal())
	if err != nil {
		t.Fatal(err)
	}
	if visits, err := d.journal.Pending(0, 1); err != nil || len(visits) != 1 || !bytes.Contains(data, visits[0].Pass) {
		t.Errorf("a visit that is kept was not found: %v", err)
	}
}
