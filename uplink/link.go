package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// LinkConfig says how a device gets to its registry.
type LinkConfig struct {
	Dir string // data folder, see package enrol
	// Adopt, if not nil, is called with the identity before anybody else sees
	// it: at the start of an enrolled device, or when a fresh one was enrolled.
	Adopt func(*enrol.Identity) error
	// Keys are the registry's receipt keys, from the trust bundle: they sign
	// renewed certificates, too.
	Keys func() []ed25519.PublicKey
	// Join, if not nil, enrols a fresh device by the code in its configuration.
	// It is tried with back-off until the code is refused for good.
	Join func(context.Context) error
	// Transport is what tests put in the place of TLS.
	Transport http.RoundTripper
}

// Link is the kiosk's way to its registry: who it is, the certificate that it
// renews, and what the registry thinks of it. A fresh device has one, too; it
// waits until the device is enrolled by whatever way. It is a Task.
type Link struct {
	cfg      LinkConfig
	log      *slog.Logger
	now      func() time.Time
	ready    chan struct{}
	enrolled chan struct{} // closed when peer is set
	renew    chan struct{} // capacity 1: renew now

	peer atomic.Pointer[peer] // nil while fresh

	mu    sync.Mutex
	state LinkState
}

// peer is an identity with its connections.
type peer struct {
	*enrol.Identity
	client, timeless *http.Client
}

// LinkState is how the way to the registry is, in plain facts.
type LinkState struct {
	Kiosk    string    // "" while fresh
	Registry string    // its name
	Expires  time.Time // of the certificate
	// Refused is why the registry refuses this kiosk, "" if it does not:
	// wire.ProblemRevoked and its kind.
	Refused string
	Err     error // why the last renewal failed, nil if it did not
}

// NewLink reads who this device is. That it is fresh is no error.
func NewLink(cfg LinkConfig, now func() time.Time, log *slog.Logger) (*Link, error) {
	l := &Link{cfg: cfg, log: log, now: now, ready: make(chan struct{}), enrolled: make(chan struct{}), renew: make(chan struct{}, 1)}
	if l.cfg.Adopt == nil {
		l.cfg.Adopt = func(*enrol.Identity) error { return nil }
	}
	i, err := enrol.Load(cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = l.adopt(i)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// adopt makes i the device's identity, its first or its renewed one.
func (l *Link) adopt(i *enrol.Identity) error {
	if err := l.cfg.Adopt(i); err != nil {
		return err
	}
	p := &peer{Identity: i}
	p.client, p.timeless = l.client(i)
	old := l.peer.Swap(p)
	l.mu.Lock()
	l.state.Kiosk, l.state.Registry, l.state.Expires = i.Kiosk, i.Registry, i.NotAfter()
	l.mu.Unlock()
	if old == nil {
		close(l.enrolled)
	} else {
		old.client.CloseIdleConnections() // they show the former certificate
		old.timeless.CloseIdleConnections()
	}
	return nil
}

// client is how a kiosk speaks to its registry. It follows no redirect: nobody
// in between may send visits elsewhere.
func (l *Link) client(i *enrol.Identity) (client, timeless *http.Client) {
	made := func(t *http.Transport) *http.Client {
		c := &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		if c.Transport = l.cfg.Transport; c.Transport == nil {
			c.Transport = t
		}
		return c
	}
	transport := func() *http.Transport {
		return &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 20 * time.Second,
			MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		}
	}
	t, timelessT := transport(), transport()
	t.TLSClientConfig, timelessT.TLSClientConfig = i.TLS(l.now), i.TimelessTLS()
	timelessT.DisableKeepAlives = true
	return made(t), made(timelessT)
}

// Identity is who this device is, nil while it is fresh.
func (l *Link) Identity() *enrol.Identity {
	if p := l.peer.Load(); p != nil {
		return p.Identity
	}
	return nil
}

// Enrolled is closed as soon as the device is enrolled.
func (l *Link) Enrolled() <-chan struct{} { return l.enrolled }

// State is how the way to the registry is.
func (l *Link) State() LinkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *Link) String() string { return "registry link" }

// Ready is closed when the task runs.
func (l *Link) Ready() <-chan struct{} { return l.ready }

const (
	// freshEvery is how often a fresh device looks whether somebody enrolled it.
	freshEvery = time.Second
	// renewEvery is the least time between two renewals that went well: a clock
	// gone mad must not ask for a certificate a second.
	renewEvery = 12 * time.Hour
)

// Run waits for the enrolment and then renews the certificate at two thirds of
// its life, until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	close(l.ready)
	if err := l.fresh(ctx); err != nil {
		return err
	}
	retry := backoff{base: time.Minute, max: 6 * time.Hour}
	for {
		wait := max(l.Identity().Due().Sub(l.now()), 0)
		if wait > 0 {
			// The clock may be set meanwhile: look again now and then.
			wait = min(wait, time.Hour)
			if !l.pause(ctx, wait) {
				return ctx.Err()
			}
			continue
		}
		err := l.Renew(ctx)
		wait = renewEvery
		if err != nil {
			wait = retry.next()
			l.log.Warn("the kiosk's certificate could not be renewed, the old one stays", "expires", l.Identity().NotAfter(), "err", err, "again_in", wait)
		} else {
			retry.reset()
		}
		if !l.pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// fresh waits until the device is enrolled, by whoever: the camera, the command
// line, or the code in the configuration.
func (l *Link) fresh(ctx context.Context) error {
	retry, wait := backoff{base: 2 * time.Second, max: 5 * time.Minute}, time.Duration(0)
	for l.peer.Load() == nil {
		if wait -= freshEvery; l.cfg.Join != nil && wait <= 0 {
			err := l.cfg.Join(ctx)
			wait = retry.next()
			switch {
			case err == nil:
			case enrol.NewCodeNeeded(err):
				l.log.Error("the code in registry.code will not do: put a new one there, or show one to the camera", "err", err)
				l.cfg.Join = nil
			default:
				l.log.Warn("the device could not be enrolled by registry.code", "err", err, "again_in", wait)
			}
		}
		if err := l.Look(); err != nil {
			l.log.Error("the device is enrolled and its enrolment cannot be used", "err", err)
			if !sleep(ctx, time.Minute) {
				return ctx.Err()
			}
		}
		if l.peer.Load() == nil && !sleep(ctx, freshEvery) {
			return ctx.Err()
		}
	}
	return nil
}

// pause waits, or until the registry says that the certificate has expired;
// false means that ctx ended first.
func (l *Link) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-l.renew:
		if err := l.Renew(ctx); err != nil {
			l.log.Warn("the registry asks for a new certificate, and it could not be had", "err", err)
		}
		return sleep(ctx, time.Minute) // whatever the registry asks for
	}
	return true
}

// Look reads whether a fresh device was enrolled meanwhile.
func (l *Link) Look() error {
	if l.peer.Load() != nil {
		return nil
	}
	i, err := enrol.Load(l.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = l.adopt(i)
	}
	if err == nil {
		l.log.Info("this kiosk is enrolled", "kiosk", i.Kiosk, "kind", i.Kind, "registry", i.Address)
	}
	return err
}

// Renew asks for a new certificate once.
func (l *Link) Renew(ctx context.Context) error {
	err := l.renewOnce(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Err = err
	return err
}

func (l *Link) renewOnce(ctx context.Context) error {
	i := l.Identity()
	if i == nil {
		return errFresh
	}
	csr, err := i.Request()
	if err != nil {
		return err
	}
	a, err := l.ask(ctx, request{method: http.MethodPost, path: wire.RenewPath, kind: wire.RequestType, body: csr})
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	next, err := i.Renewed(l.cfg.Dir, a.body, l.cfg.Keys(), csr)
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	l.log.Info("the kiosk's certificate was renewed", "expires", next.NotAfter())
	l.welcome()
	return l.adopt(next)
}

var errFresh = errors.New("this kiosk is not enrolled yet: show it the registry's enrolment code, or run kiosk enroll CODE")
