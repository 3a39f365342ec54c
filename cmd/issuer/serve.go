package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/munjigi/munjigi/issuer"
)

// serve runs the issuer until ctx ends.
func serve(ctx context.Context, path string, now func() time.Time, stderr io.Writer) error {
	f, brands, err := load(path)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	server, err := issuer.New(issuer.Config{
		Brands: brands, Helpline: issuer.Helpline(f.Helpline), Secure: f.Secure || f.TLS.Cert != "", Now: now, Log: log,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var certificates *tls.Config
	if f.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.TLS.Cert, f.TLS.Key)
		if err != nil {
			return fmt.Errorf("read the tls certificate: %w", err)
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
	log.Warn("identity verification is not built yet: any browser that consents gets codes")
	return server.Serve(ctx, l)
}
