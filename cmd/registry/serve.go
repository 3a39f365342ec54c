package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/store"
)

// serve runs the registry until ctx ends.
func serve(ctx context.Context, path string, now func() time.Time, stderr io.Writer) (err error) {
	f, err := load(path)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	kiosks, err := f.kiosks()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	bundles, err := registry.OpenBundleFile(f.Bundle, ed25519.PublicKey(f.Root), log)
	if err != nil {
		return err
	}
	keys, err := store.OpenDayKeys(f.DayKeys)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, f.Database, keys)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	server, err := registry.New(registry.Config{Kiosks: kiosks, Receipt: receipt, Bundles: bundles, Store: db, Skew: f.Skew, Now: now, Log: log})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l, err := listen(ctx, f)
	if err != nil {
		return err
	}
	log.Info("registry listens", "address", l.Addr().String(), "tls", f.TLS.Cert != "", "kiosks", len(kiosks), "bundle", bundles.Bundle().Number())
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return server.Serve(ctx, l) })
	tasks.Go(func() error { return store.NewRetention(db, store.NewAudit(db, receipt, now), now, log).Run(ctx) })
	return tasks.Wait()
}

func listen(ctx context.Context, f *file) (net.Listener, error) {
	var c *tls.Config
	if f.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.TLS.Cert, f.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("read the tls certificate: %w", err)
		}
		c = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen (set listen to a free address): %w", err)
	}
	if c != nil {
		l = tls.NewListener(l, c)
	}
	return l, nil
}
