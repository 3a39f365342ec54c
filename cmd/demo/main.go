// Command demo is the whole of Munjigi in one process, for a laptop with no
// hardware: issuer, registry, and a kiosk before whose virtual camera visitors
// arrive one after another. With CAMERA=/dev/video0 in the environment the
// camera is real and so is the phone: its page's address is printed as a QR.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mdp/qrterminal/v3"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/uplink/clock"
)

// place is the name of the facility with the one kiosk.
const place = "문지기 카페"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv("CAMERA"), os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

type options struct {
	visitors                int
	exit, verbose           bool
	seed                    uint64
	screen, phone, registry string
	sound, data, camera     string

	// What a test on a busy machine wants otherwise.
	now      func() time.Time
	patience time.Duration // a visitor who has had no answer by then leaves
	fps      int           // of the virtual camera, 0 for its own
}

func run(ctx context.Context, args []string, source string, stdout, stderr io.Writer) error {
	return runWith(ctx, options{camera: source, now: time.Now, patience: 10 * time.Second}, args, stdout, stderr)
}

func runWith(ctx context.Context, o options, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.visitors, "visitors", 0, "how many virtual visitors come; 0: until stopped")
	f.BoolVar(&o.exit, "exit", false, "end after the last visitor, with a table; status 0 only if all went right")
	f.BoolVar(&o.verbose, "v", false, "show the log")
	f.Uint64Var(&o.seed, "seed", 1, "chooses how the virtual hands move")
	f.StringVar(&o.screen, "screen", "127.0.0.1:8080", "address of the kiosk's screen")
	f.StringVar(&o.phone, "phone", "127.0.0.1:8081", "address of the phone's page; with CAMERA all addresses of this machine")
	f.StringVar(&o.registry, "registry", "127.0.0.1:8082", "address of the registry")
	f.StringVar(&o.sound, "sound", "speaker", "speaker, off, or wav:FILE")
	f.StringVar(&o.data, "data", "", "folder for journal and database; empty: a new one, removed at the end")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if o.exit && (o.visitors == 0 || o.camera != "") {
		return errors.New("-exit needs virtual visitors: give -visitors N and no CAMERA")
	}
	level := slog.LevelError
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if o.data == "" {
		dir, err := os.MkdirTemp("", "munjigi-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.data = dir
	}
	return demo(ctx, o, stdout, log)
}

func demo(ctx context.Context, o options, stdout io.Writer, log *slog.Logger) (err error) {
	if o.camera != "" {
		if _, port, err := net.SplitHostPort(o.phone); err == nil {
			o.phone = net.JoinHostPort("", port)
		}
	}
	t, err := town.New(ctx, o.data, town.Addresses{Issuer: o.phone, Registry: o.registry}, o.now, log)
	if err != nil {
		return fmt.Errorf("%w (flags: -phone, -registry)", err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()

	cfg, err := t.Kiosk(ctx, place, "restaurant")
	if err != nil {
		return err
	}
	cfg.Screen.Panels = []string{"web:" + o.screen}
	cfg.Sound.Output = o.sound
	if prefix, file, ok := cutPrefix(o.sound, "wav:"); ok {
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		cfg.Sound.Output = prefix + file
	}
	events := make(chan kiosk.Event, 64)
	opt := device.Options{
		// A laptop's clock is taken as it is: the phones are in the same process.
		Clock: clock.New(func() bool { return true }, false), Now: o.now, Log: log,
		Links: []display.Link{{Name: "휴대전화 화면 · phone page", URL: t.IssuerURL}, {Name: "업주 화면 · owners' pages", URL: t.RegistryURL}},
		Observe: func(e kiosk.Event) {
			select {
			case events <- e:
			default:
			}
		},
	}
	show := &show{town: t, events: events, options: o, out: stdout}
	if o.camera == "" {
		phone := virtual.New(virtual.Options{Seed: o.seed, FPS: o.fps})
		defer phone.Close()
		show.phone = phone
		cfg.Camera.Source = "virtual phone"
		opt.Dial = func(context.Context) (camera.Source, error) { return stays{phone}, nil }
	} else {
		cfg.Camera.Source = o.camera
	}
	d, err := device.New(cfg, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	show.device = d

	fmt.Fprintf(stdout, "문지기 Munjigi demo\n\n  kiosk's screen   http://%s\n  phone page       %s\n  owners' pages    %s  (the browser does not know its certificate: go on)\n\n", local(o.screen), t.IssuerURL, t.RegistryURL)
	if o.camera != "" {
		address := phoneAddress(t.IssuerURL)
		fmt.Fprintf(stdout, "open this on a phone in the same network, then hold it to %s:\n%s\n", o.camera, address)
		qrterminal.GenerateHalfBlock(address, qrterminal.M, stdout)
	}
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := append(append(t.Tasks(), d.Tasks()...), tasks.Func{Name: "visitors", Do: func(ctx context.Context) error {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-d.Link.Enrolled(): // by the code in its configuration
		case <-ctx.Done():
			return nil
		}
		err := show.run(ctx)
		if o.exit || err != nil {
			cancel()
		}
		return err
	}})
	err = tasks.Run(ctx, log, func() { close(ready) }, all...)
	if err == nil && o.exit {
		err = show.verdict()
	}
	return err
}

// stays is the phone as a camera that can be dialled again: closing it ends
// only the dial.
type stays struct{ *virtual.Phone }

func (stays) Close() error { return nil }

func cutPrefix(s, prefix string) (string, string, bool) {
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return prefix, s[len(prefix):], true
	}
	return "", s, false
}

func local(address string) string {
	if host, port, err := net.SplitHostPort(address); err == nil && (host == "127.0.0.1" || host == "") {
		return "localhost:" + port
	}
	return address
}

// phoneAddress is the address of this machine that a phone in the same network
// can reach.
func phoneAddress(url string) string {
	_, port, err := net.SplitHostPort(url[len("http://"):])
	if err != nil {
		return url
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return url
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsPrivate() && n.IP.To4() != nil {
			return "http://" + net.JoinHostPort(n.IP.String(), port)
		}
	}
	return url
}
