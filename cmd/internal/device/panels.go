package device

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/http"
	"slices"
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

// panel is one of screen.panels: a device path is a framebuffer, "ssd1306:BUS"
// an OLED, "png:FILE" a picture file, "web:ADDRESS" a page. "staff:" before it
// makes it the staff's own.
type panel struct {
	kind, rest string
	staff      bool
}

func parsePanel(name string) (p panel, err error) {
	rest, staff := strings.CutPrefix(name, "staff:")
	if p.staff = staff; strings.HasPrefix(rest, "/dev/") {
		p.kind, p.rest = "fb", rest
		return p, nil
	}
	p.kind, p.rest, _ = strings.Cut(rest, ":")
	if file := p.kind == "png" || p.kind == "web"; file && staff {
		return p, fmt.Errorf("screen.panels holds %q: health stays on a panel of the device, give staff:/dev/fb1 or staff:ssd1306:BUS", name)
	} else if p.kind == "ssd1306" || file && p.rest != "" {
		return p, nil
	}
	return p, fmt.Errorf("screen.panels holds %q: give /dev/fb0, ssd1306:BUS, png:FILE or web:ADDRESS, and staff: before it for a panel of the staff's own", name)
}

// staffPanel says whether the staff have a panel of their own.
func (s Screen) staffPanel() bool {
	return slices.ContainsFunc(s.Panels, func(name string) bool { return strings.HasPrefix(name, "staff:") })
}

// panels makes the openers of the configured panels, as a screen's options and
// what visitors look at, and a task for each page.
func (c *Config) panels(links []display.Link, log *slog.Logger) (o display.Options, open []display.Opener, pages []tasks.Task, err error) {
	size, err := c.Screen.size()
	if err != nil {
		return o, nil, nil, err
	}
	o = display.Options{Langs: c.Screen.Languages, Texts: c.Screen.Texts, Diagonal: c.Screen.Diagonal}
	for _, name := range c.Screen.Panels {
		p, err := parsePanel(name)
		if err != nil {
			return o, nil, nil, err
		}
		var opener display.Opener
		switch p.kind {
		case "fb":
			opener = display.Framebuffer(p.rest, c.Screen.Rotate)
		case "ssd1306":
			opener = display.OLED(p.rest, c.Screen.Rotate == 180)
		case "png":
			opener = display.PNG(p.rest, size)
		case "web":
			web, err := display.NewWeb(display.WebOptions{Size: size, Links: links})
			if err != nil {
				return o, nil, nil, err
			}
			opener = web.Open
			pages = append(pages, tasks.Func{Name: "screen's page", Do: func(ctx context.Context) error { return serve(ctx, p.rest, web, log) }})
		}
		if p.staff {
			o.Staff = append(o.Staff, opener)
		} else {
			open = append(open, opener)
		}
	}
	return o, open, pages, nil
}

// PagesFree says whether the addresses of the configured pages can be had.
func (c *Config) PagesFree() error {
	for _, name := range c.Screen.Panels {
		p, err := parsePanel(name)
		if err != nil || p.kind != "web" {
			continue
		}
		l, err := net.Listen("tcp", p.rest)
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
