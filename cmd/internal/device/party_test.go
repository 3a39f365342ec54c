package device_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/uplink/clock"
)

const id = "door-1"

// party is a town with one kiosk in it, and the wire between them.
type party struct {
	t        *testing.T
	dir      string
	town     *town.Town
	wire     *prove.Wire
	cfg      device.Config
	kiosk    string // its id
	enrolled atomic.Bool
	logs     *buffer
	log      *slog.Logger
	end      func() // stops the town; also called at the test's end

	start time.Time
	ahead atomic.Int64 // ns
}

// now is the clock of town and kiosk. It goes at an eighth of its speed, so
// that a code's 15 seconds suffice a busy machine under the race detector.
func (p *party) now() time.Time {
	return p.start.Add(time.Since(p.start)/8 + time.Duration(p.ahead.Load()))
}

// later lets time pass.
func (p *party) later(d time.Duration) { p.ahead.Add(int64(d)) }

// newParty founds a town; fault is what happens on the wire, nil for nothing.
func newParty(t *testing.T, fault func(*http.Request) prove.Fault) *party {
	t.Helper()
	p := &party{t: t, dir: t.TempDir(), logs: new(buffer), start: time.Now()}
	p.log = slog.New(slog.NewTextHandler(p.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0", Public: "https://" + l.Addr().String()}
	if p.town, err = town.New(ctx, p.dir, a, p.now, p.log); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tasks.Run(ctx, p.log, func() {}, p.town.Tasks()...) }()
	if p.cfg, err = p.town.Kiosk(ctx, id, "restaurant"); err != nil {
		t.Fatal(err)
	}
	// Enrolled on an earlier day with a network.
	p.wire = prove.NewWire(func(r *http.Request) prove.Fault {
		if fault == nil || r.URL.Path == wire.EnrolPath || !p.enrolled.Load() {
			return prove.None
		}
		return fault(r)
	})
	p.wire.Join(p.town.RegistryURL, p.cfg.Data)
	certificate, err := p.town.CA.NewServer("127.0.0.1", p.now)
	if err != nil {
		t.Fatal(err)
	}
	stop := p.wire.Start(l, certificate.Certificate)
	p.end = sync.OnceFunc(func() {
		stop()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.town.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.end)
	i, err := p.town.Enrol(ctx, p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.kiosk = i.Kiosk
	p.enrolled.Store(true)
	return p
}

// refresh puts the town's bundle on the device's disk, as a network would.
func (p *party) refresh() {
	p.t.Helper()
	raw, err := os.ReadFile(filepath.Join(p.dir, "registry-bundle.cbor"))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.cfg.Bundle(), raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// reader is a kiosk that runs.
type reader struct {
	*party
	device *device.Device
	events chan kiosk.Event
	stop   func() // also called at the test's end
}

// open switches the kiosk on, with a clock that somebody vouches for.
func (p *party) open(source camera.Source) *reader {
	p.t.Helper()
	return p.openWith(source, clock.New(func() bool { return true }, false), p.now)
}

func (p *party) openWith(source camera.Source, c *clock.Clock, now func() time.Time) *reader {
	p.t.Helper()
	r := &reader{party: p, events: make(chan kiosk.Event, 256)}
	var err error
	if r.device, err = device.New(p.cfg, device.Options{
		Dial:    func(context.Context) (camera.Source, error) { return source, nil },
		Clock:   c,
		Observe: func(e kiosk.Event) { r.events <- e },
		Now:     now,
		Log:     p.log,
	}); err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() { done <- tasks.Run(ctx, p.log, func() { close(ready) }, r.device.Tasks()...) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
		if err := r.device.Close(); err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(r.stop)
	<-ready
	return r
}

// answer waits until a visitor has been told something to the end.
func (r *reader) answer() kiosk.Event {
	r.t.Helper()
	patience := time.After(time.Minute)
	var decided kiosk.Event
	for {
		select {
		case e := <-r.events:
			if e.Stage == kiosk.Decided {
				decided = e
			}
			if e.Stage == kiosk.Ended && e.Verdict == decided.Verdict {
				return decided
			}
		case <-patience:
			r.t.Fatal("no answer for a minute")
		}
	}
}

// arrived waits until n visits are in the registry.
func (p *party) arrived(n int) []store.Visit {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		visits := p.visits()
		if len(visits) >= n {
			return visits
		}
		if time.Now().After(deadline) {
			p.t.Errorf("%d visits reached the registry, want %d", len(visits), n)
			return visits // what else is wrong is worth knowing
		}
		<-time.After(50 * time.Millisecond)
	}
}

// acknowledged waits until the journal is empty: every visit has its receipt.
func (r *reader) acknowledged() {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
		stats, err := r.device.Journal.Stats()
		switch {
		case err != nil:
			r.t.Fatal(err)
		case stats.Aside != 0:
			r.t.Fatalf("%d visits were refused by the registry", stats.Aside)
		case stats.Queue == 0:
			return
		case time.Now().After(deadline):
			r.t.Fatalf("%d visits were not acknowledged", stats.Queue)
		}
	}
}

func (p *party) visits() []store.Visit {
	p.t.Helper()
	visits, err := p.town.Visits(context.Background(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return visits
}

// pass is what a visitor of a kind shows now.
func (p *party) pass(k town.Kind) string {
	p.t.Helper()
	text, err := p.town.Pass(k, p.now())
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}
