package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/store"
)

// serve runs the issuer until ctx ends.
func serve(ctx context.Context, path string, now func() time.Time, stderr io.Writer) (err error) {
	f, brands, err := load(path)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	keys, err := store.OpenKeys(f.DataKey, f.DayKeys)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	db, err := store.Open(ctx, f.Database, keys)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := issuer.Config{
		Brands: brands, Helpline: issuer.Helpline(f.Helpline), Store: db,
		Secure: f.Secure || f.TLS.Cert != "", Forwarded: f.Behind, Now: now, Log: log,
	}
	if c.Gateway, err = f.gateway(); err != nil {
		return fmt.Errorf("%s: sms: %w", path, err)
	}
	if c.Subscribers, err = f.subscribers(); err != nil {
		return fmt.Errorf("%s: subscribers: %w", path, err)
	}
	if c.Health, err = f.health(); err != nil {
		return fmt.Errorf("%s: health: %w", path, err)
	}
	server, err := issuer.New(c)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	desk, err := openTraceDesk(ctx, f, brands, db, now, log)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var certificates *tls.Config
	if f.TLS.Cert != "" {
		pair, err := configs.ReadCertificate(f.TLS.Cert, f.TLS.Key)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		certificates = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return fmt.Errorf("listen (set listen to a free address): %w", err)
	}
	if certificates != nil {
		l = tls.NewListener(l, certificates)
	}
	log.Info("issuer listens", "address", l.Addr().String(), "tls", certificates != nil, "brands", len(brands))
	if c.Gateway == nil {
		log.Warn("sms.url is not set: every code by sms can be read by anybody on the page /app/sms")
	}
	if c.Subscribers == nil {
		log.Warn("subscribers.url is not set: no carrier is asked whether a line is the person's")
	}
	numbers := newMetrics()
	all := []tasks.Task{
		tasks.Func{Name: "server", Do: func(ctx context.Context) error { return server.Serve(ctx, l) }},
		tasks.Func{Name: "keys", Do: func(ctx context.Context) error { return follow(ctx, server, brands, numbers, now, log) }},
		issuer.NewRetention(server),
	}
	if desk != nil {
		all = append(all, tasks.Func{Name: "trace desk", Do: desk.run})
	}
	if f.Metrics != "" {
		m, err := new(net.ListenConfig).Listen(ctx, "tcp", f.Metrics)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics (set metrics to a free address): %w", err), l.Close())
		}
		log.Info("issuer gives metrics", "address", m.Addr().String())
		all = append(all, tasks.Func{Name: "metrics", Do: func(ctx context.Context) error { return numbers.serve(ctx, m, log) }})
	}
	return tasks.Run(ctx, log, func() {}, all...)
}

// client is for those who are asked about people: they have 5 s, and nobody is
// spoken of where an answer leads elsewhere.
func client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// gateway is nil where messages are to stand on a page.
func (f *file) gateway() (identity.Gateway, error) {
	if f.SMS.URL == "" {
		return nil, nil
	}
	token, err := f.SMS.token()
	if err != nil {
		return nil, err
	}
	return &identity.HTTPGateway{URL: f.SMS.URL, Token: token, Client: client()}, nil
}

// subscribers is nil where no carrier is asked.
func (f *file) subscribers() (identity.Subscribers, error) {
	if f.Subscribers.URL == "" {
		return nil, nil
	}
	token, err := f.Subscribers.token()
	if err != nil {
		return nil, err
	}
	return &identity.HTTPSubscribers{URL: f.Subscribers.URL, Token: token, Client: client()}, nil
}

// health is nil where there is no source of records.
func (f *file) health() (issuer.HealthSource, error) {
	if f.Health.File != "" {
		return issuer.FileHealth{Path: f.Health.File}, nil
	}
	if f.Health.URL == "" {
		return nil, nil
	}
	token, err := f.Health.token()
	if err != nil {
		return nil, err
	}
	return &issuer.HTTPHealth{URL: f.Health.URL, Token: token, Client: client()}, nil
}
