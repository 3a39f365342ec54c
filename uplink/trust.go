package uplink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/disk"
)

// Trust keeps the trust bundle: the last good one from disk at once, a newer
// one from the registry when there is a network. What is good is never thrown
// away: a bundle is replaced only by a verified one with a higher number
// (DESIGN, law 7). It is a Task.
type Trust struct {
	cfg     TrustConfig
	log     *slog.Logger
	now     func() time.Time
	current atomic.Pointer[pass.Bundle]
	ready   chan struct{}
	newer   chan struct{} // holds a value when the registry has a newer bundle

	mu    sync.Mutex
	state TrustState
	etag  string
}

// TrustConfig says where bundles come from and go to.
type TrustConfig struct {
	Link  *Link         // to the registry, whose root key is pinned
	File  string        // where the last good bundle is kept
	Every time.Duration // between refreshes, 0 for six hours
}

// TrustState is the bundle's age in plain facts.
type TrustState struct {
	Number    uint64    // 0: no bundle yet
	Issued    time.Time // by the operator
	Expires   time.Time
	Confirmed time.Time // when the registry last said that it is the newest
	Err       error     // why the last refresh failed, nil if it did not
}

// NewTrust reads the last good bundle from disk. A missing or damaged file is
// no error: State tells, and the registry is asked. A fresh device has none.
func NewTrust(cfg TrustConfig, now func() time.Time, log *slog.Logger) *Trust {
	t := &Trust{cfg: cfg, log: log, now: now, ready: make(chan struct{}), newer: make(chan struct{}, 1)}
	if t.cfg.Every == 0 {
		t.cfg.Every = 6 * time.Hour
	}
	t.load()
	return t
}

// load reads the kept bundle, if this device is enrolled.
func (t *Trust) load() {
	id := t.cfg.Link.Identity()
	if id == nil {
		return
	}
	raw, err := os.ReadFile(t.cfg.File)
	if err == nil {
		var b *pass.Bundle
		if b, err = pass.OpenBundle(raw, id.Root); err == nil {
			t.set(b)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.mu.Lock()
		t.state.Err = fmt.Errorf("read the kept trust bundle %s: %w", t.cfg.File, err)
		t.mu.Unlock()
		t.log.Warn("the kept trust bundle is not usable, the registry is asked for a new one", "file", t.cfg.File, "err", err)
	}
}

// Bundle is the newest verified bundle, nil if there was none yet.
func (t *Trust) Bundle() *pass.Bundle { return t.current.Load() }

// State is the bundle's age.
func (t *Trust) State() TrustState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

func (t *Trust) set(b *pass.Bundle) {
	t.current.Store(b)
	t.mu.Lock()
	t.state.Number, t.state.Issued, t.state.Expires = b.Number(), b.Issued(), b.Expires()
	t.mu.Unlock()
	t.log.Info("the trust bundle is in use", "number", b.Number(), "issuers", b.Issuers(), "expires", b.Expires())
}

func (t *Trust) String() string { return "trust bundle" }

// Ready is closed when the task runs; offline is the normal state, so it does
// not wait for a bundle.
func (t *Trust) Ready() <-chan struct{} { return t.ready }

// Run refreshes the bundle at once and then as configured, sooner after a
// failure, until ctx ends. On a fresh device it waits until that is enrolled.
func (t *Trust) Run(ctx context.Context) error {
	close(t.ready)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.cfg.Link.Enrolled():
	}
	if t.Bundle() == nil {
		t.load() // it came with the enrolment
	}
	retry := backoff{base: 5 * time.Second, max: 15 * time.Minute}
	for {
		wait := t.cfg.Every
		err := t.Refresh(ctx)
		if err != nil {
			wait = min(wait, retry.next())
			t.log.Warn("the trust bundle could not be refreshed, the last good one stays", "err", err, "again_in", wait)
		} else {
			retry.reset()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.newer:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Heard says that the registry has bundle number n: where that is newer, Run
// asks for it without waiting for its time.
func (t *Trust) Heard(n uint64) {
	if b := t.Bundle(); b != nil && n <= b.Number() {
		return
	}
	select {
	case t.newer <- struct{}{}:
	default:
	}
}

// Refresh asks the registry once. A failure leaves the bundle and the date it
// was confirmed as they were.
func (t *Trust) Refresh(ctx context.Context) error {
	err := t.refresh(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.Err = err
	if err == nil {
		t.state.Confirmed = t.now()
	}
	return err
}

func (t *Trust) refresh(ctx context.Context) error {
	r := request{method: http.MethodGet, path: wire.BundlePath, limit: pass.MaxBundle}
	if t.etag != "" {
		r.header = http.Header{"If-None-Match": {t.etag}}
	}
	a, err := t.cfg.Link.ask(ctx, r)
	if err != nil {
		return fmt.Errorf("ask the registry for its trust bundle: %w", err)
	}
	if a.status == http.StatusNotModified {
		// Anybody between could say so; it is believed because nothing follows
		// from it but the date, and Expires is signed.
		return nil
	}
	b, err := pass.OpenBundle(a.body, t.cfg.Link.Identity().Root)
	if err != nil {
		return fmt.Errorf("the registry's answer is not its trust bundle (a captive portal?): %w", err)
	}
	old := t.Bundle()
	if old != nil && b.Number() < old.Number() {
		return fmt.Errorf("the registry offers bundle %d, older than number %d here: it is not taken", b.Number(), old.Number())
	}
	if old == nil || b.Number() > old.Number() {
		// On disk before in use: a restart must not know less than this moment.
		if err := disk.Write(t.cfg.File, a.body); err != nil {
			return fmt.Errorf("keep the trust bundle: %w", err)
		}
		t.set(b)
	}
	t.etag = a.header.Get("ETag")
	return nil
}
