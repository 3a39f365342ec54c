//go:build linux && amd64

// Command rig stands around a kiosk in the virtual device: it feeds the camera
// with visitors, records the loudspeaker, watches lamps and door, photographs
// the screen, follows the log, and judges what it saw. docs/hil.md tells how it
// is run.
//
//	rig [flags] [-- COMMAND…]    COMMAND is started once the camera has a picture, and stopped at the end
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

type options struct {
	node, format, size string
	fps                int
	scale              float64
	key, issuer        string
	log, db, out       string
	prompts            string
	gpio, drive        string
	screen             string
	plan               string
	bench              int
	door               time.Duration
	exact              bool
	faults, script     string
	command            []string
}

func main() {
	var o options
	flag.StringVar(&o.node, "node", "/dev/video20", "the camera's writing end")
	flag.StringVar(&o.format, "format", "YUYV", "YUYV, GREY or MJPG")
	flag.StringVar(&o.size, "size", "1280x720", "size of the pictures")
	flag.IntVar(&o.fps, "fps", 15, "pictures a second")
	flag.Float64Var(&o.scale, "scale", 0, "pixels per millimetre at a width of 1280; 0 is the usual")
	flag.StringVar(&o.key, "key", "", "the issuer's private key")
	flag.StringVar(&o.issuer, "issuer", "kko", "the issuer's id")
	flag.StringVar(&o.log, "log", "kiosk.log", "the kiosk's log: COMMAND's is written here")
	flag.StringVar(&o.db, "db", "", "the registry's database")
	flag.StringVar(&o.out, "out", ".", "folder for pictures and sound")
	flag.StringVar(&o.prompts, "prompts", "prompts", "folder with NAME.s16 of every prompt")
	flag.StringVar(&o.gpio, "gpio", "", "green=FILE,red=FILE,door=FILE,buzzer=FILE")
	flag.StringVar(&o.drive, "drive", "", "FILEs that set the kiosk's inputs: staff=FILE,help=FILE,presence=FILE,interlock=FILE; with them -plan may have staff, help, presence and held")
	flag.StringVar(&o.screen, "screen", "", "framebuffer and its size, e.g. /dev/fb0:1024x768")
	flag.StringVar(&o.plan, "plan", "expired,good,again,forged,vaccinated,stranger,early,newer,menu", "the visitors")
	flag.IntVar(&o.bench, "bench", 0, "instead of the plan, measure with so many good visitors")
	flag.DurationVar(&o.door, "door", time.Second, "door_time in kiosk.toml")
	flag.BoolVar(&o.exact, "exact", false, "the guest has a clock of its own and never lacks time: forgive nothing")
	crowded := flag.Bool("crowd", false, "only show codes as fast as COMMAND answers them, and say what it announced")
	again := flag.String("again", "", "with -crowd: a file of codes that are shown first")
	mark := flag.String("mark", "", "with -crowd: the log of writes in which announcements are marked")
	visitors := flag.Int("visitors", 0, "with -crowd: how many, 0 until the power is cut")
	spoken := flag.String("speak", "", "only write every prompt to this folder")
	flag.StringVar(&o.faults, "faults", "", "instead of the plan, bring faults about: short, all, or names")
	flag.StringVar(&o.script, "script", "", "with -faults: the script that knows how")
	soak := flag.String("soak", "", "with -crowd: the journal's folder: sample what COMMAND takes, and judge it")
	most := flag.Int("goroutines", 0, "with -soak: how many a kiosk had after a few visitors; 0 does not judge")
	portalAt := flag.String("portal", "", "only stand where the registry should, at this address, and answer everything with a page")
	expired := flag.String("expired", "", "with -portal: the registry's folder, for a certificate of its CA that has expired")
	vouch := flag.Bool("synchronised", false, "only tell the kernel that its clock is synchronised, as an NTP client does")
	flag.Parse()
	o.command = flag.Args()
	if *vouch {
		if err := synchronised(); err != nil {
			fmt.Fprintln(os.Stderr, "rig:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work := run
	if *spoken != "" {
		work = func(ctx context.Context, _ options) error { return speak(ctx, *spoken) }
	}
	if *portalAt != "" {
		work = func(ctx context.Context, _ options) error { return portal(ctx, *portalAt, *expired) }
	}
	if *crowded {
		work = func(ctx context.Context, o options) error {
			size, err := o.picture()
			if err != nil {
				return err
			}
			key, err := configs.ReadKey(o.key)
			if err != nil {
				return err
			}
			n, err := openNode(o.node, o.format, size, o.fps)
			if err != nil {
				return err
			}
			c := &crowd{node: n, key: key, issuer: o.issuer, answers: make(chan told, 16), mark: *mark, limit: *visitors, soak: *soak, most: *most}
			return c.run(ctx, *again, o.command, o.log)
		}
	}
	if err := work(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		if errors.Is(err, errStarved) {
			os.Exit(75) // EX_TEMPFAIL, sysexits.h: to be done again
		}
		os.Exit(1)
	}
}

// picture is the size of the camera's pictures.
func (o *options) picture() (size image.Point, err error) {
	if _, err := fmt.Sscanf(o.size, "%dx%d", &size.X, &size.Y); err != nil {
		return size, fmt.Errorf("-size is %q: give it like 1280x720", o.size)
	}
	return size, nil
}

// synchronised clears STA_UNSYNC (adjtimex(2)) and touches what timesyncd does,
// for a kiosk that may not ask the kernel.
func synchronised() error {
	t := unix.Timex{Modes: unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR}
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("tell the kernel of its clock: %w", err)
	}
	const file = "/run/systemd/timesync/synchronized"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.RemoveAll(file), os.WriteFile(file, nil, 0o644)); err != nil {
		return fmt.Errorf("say that the clock is synchronised: %w", err)
	}
	return nil
}

// rig is everything that surrounds the kiosk.
type rig struct {
	options
	feeder  *feeder
	ear     *ear
	heart   *heart
	diary   *diary
	pins    *pins
	drives  map[string]string // line → file that sets its level
	painter *display.Painter
	screen  string
	shape   image.Point
	stride  int // bytes a line
}

func run(ctx context.Context, o options) error {
	r := &rig{options: o, ear: &ear{}, heart: &heart{}, diary: &diary{}, drives: map[string]string{}, pins: &pins{files: map[string]string{}, high: map[string]bool{}}}
	size, err := o.picture()
	if err != nil {
		return err
	}
	for pair := range strings.SplitSeq(o.gpio, ",") {
		if name, file, ok := strings.Cut(pair, "="); ok {
			r.pins.files[name] = file
		}
	}
	for pair := range strings.SplitSeq(o.drive, ",") {
		if name, file, ok := strings.Cut(pair, "="); ok {
			r.drives[name] = file
		}
	}
	var ok bool
	if r.screen, _, ok = strings.Cut(o.screen, ":"); ok {
		if _, err := fmt.Sscanf(o.screen[len(r.screen):], ":%dx%d", &r.shape.X, &r.shape.Y); err != nil {
			return fmt.Errorf("-screen is %q: give it like /dev/fb0:1024x768", o.screen)
		}
	}
	r.stride = 4 * r.shape.X
	key, err := configs.ReadKey(o.key)
	if err != nil {
		return err
	}
	known, err := loadPrompts(o.prompts)
	if err != nil {
		return err
	}
	if r.painter, err = display.NewPainter(display.Options{Langs: []string{"ko", "en"}}); err != nil {
		return err
	}
	n, err := openNode(o.node, o.format, size, o.fps)
	if err != nil {
		return err
	}
	hand, hold := virtual.DefaultLook(), 1200*time.Millisecond
	hand.Travel = 400 * time.Millisecond
	if o.scale > 0 {
		hand.Scale = o.scale
	}
	if o.bench > 0 { // the whole code is there from one picture to the next
		hand.Travel, hold = 0, 500*time.Millisecond
	}
	if r.feeder, err = newFeeder(ctx, n, hand, hold); err != nil {
		return err
	}

	var look *gaze
	if o.bench > 0 {
		if look, err = newGaze(r.screen, r.shape, r.painter, display.Accepted, display.Idle, display.Seen, display.Wait); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.feeder.run(ctx) })
	g.Go(func() error { return r.ear.run(ctx, "hw:Loopback,1,0") })
	g.Go(func() error { return r.heart.run(ctx) })
	g.Go(func() error { return r.diary.run(ctx, o.log) })
	g.Go(func() error { return r.pins.run(ctx) })
	if look != nil {
		g.Go(func() error { return look.run(ctx) })
	}
	g.Go(func() error {
		defer cancel()
		stopKiosk, err := r.startKiosk(ctx)
		if err != nil {
			return err
		}
		err = r.settle(ctx)
		if err == nil {
			switch {
			case o.bench > 0:
				err = r.measure(ctx, key, look)
			case o.faults != "":
				err = r.endure(ctx, key, known, o.faults)
			default:
				err = r.receive(ctx, key, known)
			}
		}
		return errors.Join(err, stopKiosk(), r.ear.save(filepath.Join(o.out, "heard.wav")))
	})
	return g.Wait()
}

// startKiosk starts COMMAND, if there is one. stop ends it as systemd would,
// and complains if it does not end well.
func (r *rig) startKiosk(ctx context.Context) (stop func() error, err error) {
	if len(r.command) == 0 {
		return func() error { return nil }, nil
	}
	log, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	c := exec.Command(r.command[0], r.command[1:]...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	return func() error {
		defer log.Close()
		c.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(10*time.Second, func() { c.Process.Kill() })
		defer kill.Stop()
		if err := c.Wait(); err != nil {
			return fmt.Errorf("the kiosk did not end well on SIGTERM: %w", err)
		}
		return nil
	}, nil
}

// settle waits until the kiosk sees, can speak, and knows whom to trust.
func (r *rig) settle(ctx context.Context) error {
	const most = 2 * time.Minute // a registry that was not there yet is asked again ever later
	if !wait(ctx, most, r.diary.working) {
		return fmt.Errorf("within %v the kiosk's log did not say that camera and loudspeaker work and that its trust bundle is in use", most)
	}
	wait(ctx, time.Second, func() bool { return false })
	return ctx.Err()
}

// wait waits until done says so, for so long at most.
func wait(ctx context.Context, most time.Duration, done func() bool) bool {
	end := time.Now().Add(most)
	for time.Now().Before(end) && ctx.Err() == nil {
		if done() {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}
