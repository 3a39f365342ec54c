// Package owner is the page that a kiosk's owner opens with a phone in the same
// network: today's counts, the screen without the camera's picture, aim mode,
// sound, lamps and door, and what to do about what is red.
//
// It shows numbers and states only. No visitor is on any page: what it reads
// has none, see [Counts]. The camera's picture leaves the device in aim mode
// alone, which admits nobody (DESIGN, law 13).
//
// It serves TLS with a certificate of the kiosk's own, to addresses of the
// local network only, and only once the kiosk is enrolled: a fresh device has
// no owner. docs/owners.md tells owners how to reach it.
package owner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// Counts are how many people entered, by the hour.
type Counts interface {
	Counts(from, until time.Time) ([]journal.Count, error)
}

// Sound is the loudspeaker.
type Sound interface {
	// Volume and SetVolume are about the volume of now, 0…100: that of the quiet
	// hours while they last.
	Volume() int
	SetVolume(percent int)
	Quiet() bool
	Muted() bool
	SetMuted(bool)
	Say(audio.Prompt, func(audio.Outcome))
}

// Lines are lamps, buzzer and door; Try never blocks.
type Lines interface {
	State() lines.State
	Try(lines.Trial)
}

// Aimer is what has an aim mode, during which nobody is admitted. It ends by
// itself half a minute after it was last turned on.
type Aimer interface{ Aim(on bool) }

// Condition is how one part of the kiosk is. The page's texts say it in words:
// every Part and State has an entry [health] in texts/, with what to do.
type Condition struct {
	Part, State string
	Level       display.Level
	Number      int       // {n} in the text, where it has one
	Time        time.Time // {time}
}

// Options are what a Server stands on. All fields but Restart are required.
type Options struct {
	// Dir holds the page's own files: password, certificate, settings.
	Dir string
	// Listen is the address, as in net.Listen; ":8443" is every interface.
	Listen string
	// Who says which kiosk this is; nil while the device is fresh, and nothing
	// is served.
	Who    func() *enrol.Identity
	Counts Counts
	// Mirror serves the screen's picture at /frame, without the camera's: a
	// display.Web with Remote.
	Mirror  http.Handler
	Sound   Sound
	Lines   Lines
	Aimer   Aimer
	Health  func() []Condition
	Restart func() // restarts the kiosk's program; nil: it cannot be
	Version string
	// Now is the system's clock, by which sessions and waits end; Today is the
	// best known time, for days and what is shown.
	Now, Today func() time.Time
	Log        *slog.Logger
}

// Server is the owner's page. It is a Task.
type Server struct {
	Options
	handler      http.Handler
	pages        *pages
	password     passwordFile
	settings     settingsFile
	certificates *certificates
	sessions     sessions
	guard        guard
	aim          aim
	names        names
	hashes       chan struct{} // capacity 1: memory and the door's processor
	ready        chan struct{}

	settling sync.Mutex // while the settings' file is changed

	mu      sync.Mutex
	address string // served at; empty: not
	err     error  // why not
}

// DefaultListen is the address where the configuration names none. Ports below
// 1024 are for root, which the kiosk is not.
const DefaultListen = ":8443"

// New makes the page. What the owner set before is for the caller to see to, by
// [LoadSettings].
func New(o Options) (*Server, error) {
	p, err := loadPages()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Options: o, pages: p, password: passwordFile(o.Dir), settings: settingsFile(o.Dir),
		certificates: &certificates{dir: o.Dir, today: o.Today}, hashes: make(chan struct{}, 1), ready: make(chan struct{}),
	}
	s.sessions.now, s.guard.now, s.aim.now, s.names.now = o.Now, o.Now, o.Now, o.Now
	s.handler = s.routes()
	return s, nil
}

func (s *Server) String() string { return "owner's page" }

// Ready is closed when Run has begun; the page is served once the kiosk is
// enrolled.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Address is where the page is served, empty while it is not, with the reason.
func (s *Server) Address() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address, s.err
}

// Opened says whether anybody has logged in since the start.
func (s *Server) Opened() bool {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return s.sessions.opened
}

const (
	look       = time.Second      // how often it looks whether the kiosk is enrolled
	retryAfter = 10 * time.Second // a port that is taken
	maxConns   = 32               // at once
	maxEach    = 8                // from one address; a browser uses six at most
)

// Run serves until ctx ends. An address or a certificate that cannot be had is
// tried again: the door works without the page.
func (s *Server) Run(ctx context.Context) error {
	close(s.ready)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { s.watchAim(ctx); return nil })
	g.Go(func() error {
		for ctx.Err() == nil {
			i := s.Who()
			if i == nil {
				sleep(ctx, look)
				continue
			}
			err := s.serve(ctx, i.Kiosk)
			s.served("", err)
			if err != nil && ctx.Err() == nil {
				s.Log.Warn("the owner's page is not served, it is tried again", "err", err)
				sleep(ctx, retryAfter)
			}
		}
		return nil
	})
	return g.Wait()
}

func (s *Server) served(address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address, s.err = address, err
}

// serve serves one kiosk: until ctx ends, address or certificate fails, or the
// device is fresh again or another kiosk.
func (s *Server) serve(ctx context.Context, kiosk string) error {
	// In a handshake an error would be seen by nobody.
	s.certificates.use(hostNames(kiosk))
	if _, err := s.certificates.current(); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen for the owner: choose another address than %q in owner.listen: %w", s.Listen, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificates.get},
		// Strangers' broken handshakes would fill the log: phones that refuse the
		// certificate make them, too.
		ErrorLog: log.New(discard{}, "", 0),
	}
	s.served(l.Addr().String(), nil)
	s.Log.Info("the owner's page is served", "address", l.Addr().String(), "name", "munjigi.local")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := server.ServeTLS(redirecting{newNear(l, maxConns, maxEach)}, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	g.Go(func() error { s.names.announce(ctx, kiosk, l.Addr(), s.Log); return nil })
	g.Go(func() error {
		defer cancel() // and the name is not announced any more
		defer server.Close()
		for ctx.Err() == nil && s.still(kiosk) {
			if _, err := s.certificates.current(); err != nil {
				return err // it has ended, and there is no other
			}
			sleep(ctx, look)
		}
		return nil
	})
	return g.Wait()
}

func (s *Server) still(kiosk string) bool {
	i := s.Who()
	return i != nil && i.Kiosk == kiosk
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
