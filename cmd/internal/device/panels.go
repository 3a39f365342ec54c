package device

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/display"
)

type slogLevel = slog.Level

func (c *Config) level(l *slogLevel) error {
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return fmt.Errorf("log_level is %q: give debug, info, warn or error", c.LogLevel)
	}
	return nil
}

// Level is the level of the log.
func (c *Config) Level() slog.Level {
	var l slog.Level
	_ = c.level(&l) // checked by Load
	return l
}

func (s Screen) size() (image.Point, error) {
	var p image.Point
	if n, err := fmt.Sscanf(s.Size, "%dx%d", &p.X, &p.Y); n != 2 || err != nil || p.X < 160 || p.Y < 120 || p.X > 4096 || p.Y > 4096 {
		return p, fmt.Errorf("screen.size is %q: give width and height like 1024x600", s.Size)
	}
	return p, nil
}

// panelKind splits a panel's name: a device path is a framebuffer, "png:FILE"
// a picture file, "web:ADDRESS" a page.
func panelKind(name string) (kind, rest string, err error) {
	if strings.HasPrefix(name, "/dev/") {
		return "fb", name, nil
	}
	kind, rest, ok := strings.Cut(name, ":")
	if !ok || rest == "" || (kind != "png" && kind != "web") {
		return "", "", fmt.Errorf("screen.panels holds %q: give /dev/fb0, png:FILE or web:ADDRESS", name)
	}
	return kind, rest, nil
}

// panels makes the openers of the configured panels, and a task for each page.
func (c *Config) panels(links []display.Link, log *slog.Logger) (open []display.Opener, pages []tasks.Task, err error) {
	size, err := c.Screen.size()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range c.Screen.Panels {
		kind, rest, err := panelKind(name)
		if err != nil {
			return nil, nil, err
		}
		switch kind {
		case "fb":
			open = append(open, display.Framebuffer(rest, c.Screen.Rotate))
		case "png":
			open = append(open, display.PNG(rest, size))
		case "web":
			web, err := display.NewWeb(display.WebOptions{Size: size, Links: links})
			if err != nil {
				return nil, nil, err
			}
			open = append(open, web.Open)
			pages = append(pages, tasks.Func{Name: "screen's page", Do: func(ctx context.Context) error { return serve(ctx, rest, web, log) }})
		}
	}
	return open, pages, nil
}

// PagesFree says whether the addresses of the configured pages can be had.
func (c *Config) PagesFree() error {
	for _, name := range c.Screen.Panels {
		kind, address, err := panelKind(name)
		if err != nil || kind != "web" {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("screen.panels %q: the address is taken, stop the running kiosk or choose another: %w", name, err)
		}
		l.Close()
	}
	return nil
}

// serve answers HTTP on an address until ctx ends. The page is one panel of
// several: where its address is taken, the door works on and it is tried again.
func serve(ctx context.Context, address string, h http.Handler, log *slog.Logger) error {
	for {
		err := serveOnce(ctx, address, h)
		if ctx.Err() != nil {
			return nil
		}
		log.Warn("the screen's page is not served: choose another address in screen.panels", "address", address, "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
		}
	}
}

func serveOnce(ctx context.Context, address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	return s.Serve(l)
}
