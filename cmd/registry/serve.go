package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/munjigi/munjigi/cmd/internal/tasks"
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
	all := []tasks.Task{
		tasks.Func{Name: "registry", Do: func(ctx context.Context) error { return server.Serve(ctx, l) }},
		store.NewRetention(db, audit, now, log), devices.NewTidier(book, now, log), pages,
	}
	if inquiries != nil {
		all = append(all, inquiries)
	}
	if f.Admin != "" {
		admin, err := listen(ctx, "admin", f.Admin)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		all = append(all, tasks.Func{Name: "admin", Do: func(ctx context.Context) error { return server.ServeAdmin(ctx, admin) }})
	}
	log.Info("registry listens", "address", l.Addr().String(), "url", f.Address, "bundle", bundles.Bundle().Number(), "engine", db.Dialect())
	err = tasks.Run(ctx, log, func() { notify(log, daemon.SdNotifyReady) }, all...)
	notify(log, daemon.SdNotifyStopping)
	return err
}

func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd could not be notified", "state", state, "error", err)
	}
}

// certificate is the server's own: from [tls], or one that the device CA
// vouches for.
func (f *file) certificate(ca *devices.CA, now func() time.Time) (registry.Certificate, error) {
	if f.TLS.Cert != "" {
		if _, err := configs.ReadCertificate(f.TLS.Cert, f.TLS.Key); err != nil {
			return nil, err
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
