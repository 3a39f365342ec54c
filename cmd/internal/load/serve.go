package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// serve is the registry of a folder that found made, on a free port, which it
// prints. It stands on the same parts as the command registry does.
func serve(ctx context.Context, dir string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	database, err := os.ReadFile(file(dir, "database"))
	if err != nil {
		return err
	}
	receipt, err := configs.ReadKey(file(dir, "receipt.key"))
	if err != nil {
		return err
	}
	w := &world{dir: dir}
	bundles, err := registry.OpenBundleFile(file(dir, "bundle.cbor"), w.root(), log)
	if err != nil {
		return err
	}
	keys, err := store.OpenDayKeys(file(dir, "day-keys"))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, string(database), keys)
	if err != nil {
		return err
	}
	defer db.Close()
	ca, err := devices.LoadCA(file(dir, "ca.crt"), file(dir, "ca.key"))
	if err != nil {
		return err
	}
	book, err := devices.New(devices.Config{SQL: db.SQL(), CA: ca, Receipt: receipt, Root: w.root(), Name: name, Address: "https://" + host})
	if err != nil {
		return err
	}
	own, err := ca.NewServer(host, time.Now)
	if err != nil {
		return err
	}
	server, err := registry.New(registry.Config{Receipt: receipt, Bundles: bundles, Store: db, Devices: book, Now: time.Now, Log: log, Certificate: own.Certificate})
	if err != nil {
		return err
	}
	if _, err := db.Retain(ctx, store.NewAudit(db, receipt, time.Now), time.Now()); err != nil {
		return err
	}
	if path := os.Getenv("LOAD_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return server.Serve(ctx, l)
}

// launch starts the registry of a folder and returns its address and how to end it.
func launch(dir, profile string) (address string, end func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	c := exec.Command(self, "-serve", dir)
	c.Stderr = os.Stderr
	if profile != "" {
		c.Env = append(os.Environ(), "LOAD_PROFILE="+profile)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		c.Process.Kill()
		return "", nil, fmt.Errorf("the registry did not start: %w", c.Wait())
	}
	go io.Copy(io.Discard, out)
	return strings.TrimSpace(string(line[:n])), func() error {
		c.Process.Signal(syscall.SIGTERM)
		return c.Wait()
	}, nil
}
