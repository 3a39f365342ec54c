// Command bench measures the kiosk from light to verdict and prints, last,
// lines "bench: NAME VALUE UNIT" that other programs read.
//
// The daemon is measured from outside, as a process of its own with a camera
// of pictures; the latencies inside this process, with the virtual phone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/uplink/clock"
)

func main() {
	binary := flag.String("kiosk", "bin/kiosk", "the daemon to measure")
	visitors := flag.Int("visitors", 40, "how many visitors")
	flag.Parse()
	if err := run(context.Background(), *binary, *visitors); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// figure is one line of the end.
type figure struct {
	name  string
	value float64
	unit  string
}

func run(ctx context.Context, binary string, visitors int) error {
	dir, err := os.MkdirTemp("", "munjigi-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s, %d processors, %s\n\n", runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	latency, err := measureLoop(ctx, filepath.Join(dir, "loop"), visitors)
	if err != nil {
		return err
	}
	process, err := measureProcess(ctx, filepath.Join(dir, "process"), binary)
	if err != nil {
		return err
	}
	fmt.Println()
	for _, f := range append(latency, process...) {
		fmt.Printf("bench: %s %.4g %s\n", f.name, f.value, f.unit)
	}
	return nil
}

// measureLoop brings visitors before the virtual camera, in real time.
func measureLoop(ctx context.Context, dir string, visitors int) ([]figure, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	t, err := town.New(ctx, dir, town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, time.Now, log)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	phone := virtual.New(virtual.Options{Seed: 1})
	defer phone.Close()
	events := make(chan kiosk.Event, 16)
	cfg, err := t.Kiosk(ctx, "bench-1", "restaurant")
	if err != nil {
		return nil, err
	}
	cfg.Screen.Panels = []string{"png:" + filepath.Join(dir, "screen.png")}
	d, err := device.New(cfg, device.Options{
		Dial:    func(context.Context) (camera.Source, error) { return phone, nil },
		Clock:   clock.New(func() bool { return true }, false),
		Observe: func(e kiosk.Event) { events <- e },
		Log:     log,
	})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- tasks.Run(ctx, log, func() { close(ready) }, append(t.Tasks(), d.Tasks()...)...)
	}()
	select {
	case <-ready:
	case err := <-done:
		return nil, err
	}
	select {
	case <-d.Link.Enrolled():
	case <-time.After(10 * time.Second):
		return nil, errors.New("the kiosk was not enrolled within 10 s")
	}
	var decode, admit []time.Duration
	start, frames := time.Now(), d.Kiosk.Frames()
	for n := range visitors {
		text, err := t.Pass(town.Good, time.Now())
		if err != nil {
			return nil, err
		}
		code, err := symbol.Encode(text)
		if err != nil {
			return nil, err
		}
		phone.Present(code)
		timeout := time.After(10 * time.Second)
	wait:
		for {
			select {
			case e := <-events:
				if e.Stage == kiosk.Decided {
					if e.Verdict != kiosk.Accepted {
						return nil, fmt.Errorf("visitor %d was told %s", n, e.Verdict)
					}
					decode, admit = append(decode, e.Decoded.Sub(e.Frame)), append(admit, e.At.Sub(e.Frame))
					break wait
				}
			case <-timeout:
				return nil, fmt.Errorf("visitor %d had no answer within 10 s", n)
			}
		}
		phone.Leave()
		for !phone.Away() {
			time.Sleep(10 * time.Millisecond)
		}
	}
	fps := float64(d.Kiosk.Frames()-frames) / time.Since(start).Seconds()
	fmt.Printf("%d visitors before the virtual camera (1280×720, 30 fps, rendered in the same process)\n", visitors)
	row("frame → codes read", decode)
	row("frame → visit on disk", admit)

	// An empty door: what one frame costs in allocations, the whole process over.
	time.Sleep(3 * time.Second)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	frames = d.Kiosk.Frames()
	time.Sleep(3 * time.Second)
	runtime.ReadMemStats(&after)
	n := d.Kiosk.Frames() - frames
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return []figure{
		{"kiosk.frame_to_admit.p95", ms(percentile(admit, 95)), "ms"},
		{"kiosk.frames", fps, "fps"},
		{"kiosk.allocs_per_frame", float64(after.Mallocs-before.Mallocs) / float64(n), "count"},
	}, nil
}

// measureProcess runs the daemon itself before pictures of a door that is
// empty for nine seconds of ten, and looks at it from outside.
func measureProcess(ctx context.Context, dir, binary string) ([]figure, error) {
	pictures := filepath.Join(dir, "pictures")
	if err := os.MkdirAll(pictures, 0o700); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	t, err := town.New(ctx, dir, town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, time.Now, log)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	scene := virtual.NewScene(1, image.Point{}, virtual.Look{})
	code, err := symbol.Encode("HTTPS://EXAMPLE.ORG/MENU")
	if err != nil {
		return nil, err
	}
	frame := new(image.Gray)
	for n := range 20 {
		var screen *virtual.Screen
		if n < 2 {
			screen = scene.NewScreen(code)
		}
		scene.Render(frame, screen, virtual.Pose{X: 640, Y: 360, Scale: 4}, uint64(n))
		data := append([]byte(fmt.Sprintf("P5\n%d %d\n255\n", frame.Rect.Dx(), frame.Rect.Dy())), frame.Pix...)
		if err := os.WriteFile(filepath.Join(pictures, fmt.Sprintf("%03d.pgm", n)), data, 0o600); err != nil {
			return nil, err
		}
	}
	cfg, err := t.Kiosk(ctx, "bench-2", "restaurant")
	if err != nil {
		return nil, err
	}
	const perSecond = 30
	cfg.Camera.Source = fmt.Sprintf("folder:%s?loop&fps=%d", pictures, perSecond)
	cfg.Screen.Panels = []string{"png:" + filepath.Join(dir, "screen.png")}
	cfg.Clock.Unsure = "admit"
	file := filepath.Join(dir, "kiosk.toml")
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(toml.NewEncoder(f).Encode(cfg), f.Close()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go tasks.Run(ctx, log, func() {}, t.Tasks()...)
	cmd := exec.CommandContext(ctx, binary, "run", "-config", file)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the daemon: run make build: %w", err)
	}
	const watch = 20 * time.Second
	time.Sleep(watch)
	rss, err := memory(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	cancel()
	_ = cmd.Wait() // ended by our signal
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	perFrame := ms(cpu) / (perSecond * watch.Seconds())
	fmt.Printf("\nthe daemon for %s at an almost empty door, %d fps: %.0f %% of one processor (%.1f ms a frame), %.0f MB at its largest\n",
		watch, perSecond, 100*cpu.Seconds()/watch.Seconds(), perFrame, rss)
	return []figure{{"kiosk.rss", rss, "MB"}, {"kiosk.cpu", 100 * cpu.Seconds() / watch.Seconds(), "%"}, {"kiosk.cpu_per_frame", perFrame, "ms"}}, nil
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory is a process's largest resident set so far, MB (10⁶ bytes).
func memory(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("the daemon has ended: %w", err)
	}
	m := peak.FindSubmatch(data)
	if m == nil {
		return 0, errors.New("the kernel does not say how large the daemon is")
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	return kb * 1024 / 1e6, err
}

func row(name string, d []time.Duration) {
	fmt.Printf("  %-22s median %6.1f ms   p95 %6.1f ms   largest %6.1f ms\n", name, ms(percentile(d, 50)), ms(percentile(d, 95)), ms(percentile(d, 100)))
}

// percentile is the smallest value that p percent of d do not exceed.
func percentile(d []time.Duration, p float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[max(int(math.Ceil(p/100*float64(len(d))))-1, 0)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
