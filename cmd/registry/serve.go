package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// serveCommand runs the registry until ctx ends.
func serveCommand(ctx context.Context, c *call, args []string) (err error) {
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	path, now := *c.path, c.now
	f, err := load(path)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, nil))
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	bundles, err := registry.OpenBundleFile(f.Bundle, ed25519.PublicKey(f.Root), log)
	if err != nil {
		return err
	}
	db, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	book, err := f.book(db)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	config := registry.Config{Receipt: receipt, Bundles: bundles, Store: db, Devices: book, Skew: f.Skew, Now: now, Log: log}
	if config.Certificate, err = f.certificate(book.CA, now); err != nil {
		return err
	}
	audit := store.NewAudit(db, receipt, now)
	inquiries, err := f.inquiries(db, audit, receipt, now, log)
	if err != nil {
		return err
	}
	if inquiries != nil {
		config.Inquiry = inquiries.Handler()
	}
	pages, err := f.owners(&config, db, book, bundles)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	server, err := registry.New(config)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l, err := listen(ctx, "listen", f.Listen)
	if err != nil {
		return err
	}
	tasks, ctx := errgroup.WithContext(ctx)
	if f.Admin != "" {
		admin, err := listen(ctx, "admin", f.Admin)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		tasks.Go(func() error { return server.ServeAdmin(ctx, admin) })
	}
	log.Info("registry listens", "address", l.Addr().String(), "url", f.Address, "bundle", bundles.Bundle().Number(), "engine", db.Dialect())
	tasks.Go(func() error { return server.Serve(ctx, l) })
	if inquiries != nil {
		tasks.Go(func() error { return inquiries.Run(ctx) })
	}
	tasks.Go(func() error { return store.NewRetention(db, audit, now, log).Run(ctx) })
	tasks.Go(func() error { return pages.Run(ctx) })
	tasks.Go(func() error { return devices.NewTidier(book, now, log).Run(ctx) })
	return tasks.Wait()
}

// certificate is the server's own: from [tls], or one that the device CA
// vouches for.
func (f *file) certificate(ca *devices.CA, now func() time.Time) (registry.Certificate, error) {
	if f.TLS.Cert != "" {
		if _, err := tls.LoadX509KeyPair(f.TLS.Cert, f.TLS.Key); err != nil {
			return nil, fmt.Errorf("read the tls certificate: %w", err)
		}
		return newReloading(f.TLS.Cert, f.TLS.Key, now).Certificate, nil
	}
	u, err := url.Parse(f.Address)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	own, err := ca.NewServer(u.Hostname(), now)
	if err != nil {
		return nil, err
	}
	return own.Certificate, nil
}

func listen(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen (set %s to a free address): %w", key, err)
	}
	return l, nil
}
