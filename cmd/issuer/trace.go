package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/pass/trace/rosterfile"
)

// traceBlock is [trace] of issuer.toml: where investigations are answered.
type traceBlock struct {
	Listen    string            `toml:"listen"`
	Authority configs.PublicKey `toml:"authority"`
	Roster    string            `toml:"roster"`
	Keys      string            `toml:"keys"`
	Log       string            `toml:"log"`
}

// traceDesk answers investigations at an address of its own, away from the
// visitors' pages.
type traceDesk struct {
	listener net.Listener
	notes    *issuer.TraceFile
	server   *http.Server
}

// openTraceDesk is nil where [trace] listens nowhere: nothing is answered then.
func openTraceDesk(ctx context.Context, f *file, brands []issuer.Brand, db *store.DB, now func() time.Time, log *slog.Logger) (*traceDesk, error) {
	if f.Trace.Listen == "" {
		return nil, nil
	}
	if len(f.Trace.Authority) != ed25519.PublicKeySize {
		return nil, errors.New("trace: authority is missing: the public key that the investigating authority hands out")
	}
	rosters, err := rosterfile.Open(f.Trace.Roster, ed25519.PublicKey(f.Trace.Authority), log)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	tracer := &issuer.Tracer{Roster: rosters.Roster, Issued: db, Now: now, Log: log}
	for _, b := range brands {
		path := filepath.Join(f.Trace.Keys, b.ID+".key")
		key, err := configs.ReadKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("trace: %w (make it: openssl genpkey -algorithm ed25519 -out %s && chmod 600 %s)", err, path, path)
		}
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		if key.Equal(b.Key) {
			return nil, fmt.Errorf("trace: %s signs passes: make another key for investigations", path)
		}
		me, err := trace.NewIdentity(b.ID, key)
		if err != nil {
			return nil, fmt.Errorf("trace: brand %q: %w", b.ID, err)
		}
		tracer.Brands = append(tracer.Brands, me)
	}
	d := &traceDesk{}
	if d.notes, err = issuer.OpenTraceFile(f.Trace.Log); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	tracer.Notes = d.notes
	if d.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", f.Trace.Listen); err != nil {
		return nil, errors.Join(fmt.Errorf("trace: listen (set listen to a free address): %w", err), d.notes.Close())
	}
	d.server = &http.Server{
		Handler: tracer.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("issuer answers investigations", "address", d.listener.Addr().String(), "brands", len(brands))
	return d, nil
}

// run answers until ctx ends; requests under way get 10 s to finish.
func (d *traceDesk) run(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- d.server.Shutdown(limit)
	})
	err := d.server.Serve(d.listener)
	if stop() { // nobody asked for the end
		return errors.Join(fmt.Errorf("answer investigations: %w", err), d.notes.Close())
	}
	return errors.Join(<-stopped, d.notes.Close())
}
