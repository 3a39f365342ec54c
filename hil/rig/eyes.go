//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/display"
)

// answer is one line of the kiosk's log in which a visitor was told something.
type answer struct {
	at      time.Time // when the line was seen
	verdict string
}

// diary follows the kiosk's log.
type diary struct {
	mu      sync.Mutex
	answers []answer
	camera  bool
	sound   bool
	trust   bool
}

var answered = regexp.MustCompile(`msg="a code was answered" verdict=(\S+)`)

// run reads lines until ctx ends; the file may grow, and may appear later.
func (d *diary) run(ctx context.Context, path string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var in *bufio.Reader
	var line []byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if in == nil {
			f, err := os.Open(path)
			if err != nil {
				continue
			}
			defer f.Close()
			in = bufio.NewReader(f)
		}
		for {
			part, err := in.ReadBytes('\n')
			line = append(line, part...)
			if err != nil {
				break
			}
			d.note(string(line))
			line = line[:0]
		}
	}
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := answered.FindStringSubmatch(line); m != nil {
		d.answers = append(d.answers, answer{time.Now(), m[1]})
	}
	d.camera = d.camera || strings.Contains(line, "camera delivers")
	d.sound = d.sound || strings.Contains(line, "the loudspeaker is open")
	d.trust = d.trust || strings.Contains(line, "the trust bundle is in use")
}

// working says whether camera and loudspeaker have been opened, and a trust
// bundle has been taken: its file is there a while before, on a slow disk.
func (d *diary) working() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.camera && d.sound && d.trust
}

// between returns the verdicts given in [from, to).
func (d *diary) between(from, to time.Time) (in []answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.answers {
		if !a.at.Before(from) && a.at.Before(to) {
			in = append(in, a)
		}
	}
	return in
}

// edge is a change of a line, seen from outside the chip.
type edge struct {
	at   time.Time
	pin  string
	high bool
}

// pins watches the lines of a gpio-sim chip.
type pins struct {
	files map[string]string // name → sysfs file that holds 0 or 1
	mu    sync.Mutex
	edges []edge
	high  map[string]bool
}

func (p *pins) run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for name, file := range p.files {
			data, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("watch line %s: %w", name, err)
			}
			p.mu.Lock()
			if high := bytes.HasPrefix(data, []byte("1")); high != p.high[name] {
				p.high[name] = high
				p.edges = append(p.edges, edge{time.Now(), name, high})
			}
			p.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// allLow says whether nothing is lit and the door is shut.
func (p *pins) allLow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, high := range p.high {
		if high {
			return false
		}
	}
	return true
}

// pulses returns the pulses that began in [from, to), in milliseconds, 0 for
// one that has not ended.
func (p *pins) pulses(name string, from, to time.Time) (ms []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.edges {
		if e.pin != name || !e.high || e.at.Before(from) || !e.at.Before(to) {
			continue
		}
		width := int64(0)
		for _, down := range p.edges[i+1:] {
			if down.pin == name {
				width = down.at.Sub(e.at).Milliseconds()
				break
			}
		}
		ms = append(ms, width)
	}
	return ms
}

// screenshot reads a framebuffer of 32 bits a pixel (XRGB8888) and so many bytes
// a line.
func screenshot(device string, size image.Point, stride int) (*image.RGBA, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		if _, err := f.ReadAt(img.Pix[y*img.Stride:][:img.Stride], int64(y*stride)); err != nil {
			return nil, fmt.Errorf("read the screen: %w", err)
		}
	}
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+2], img.Pix[i+3] = img.Pix[i+2], img.Pix[i], 255
	}
	return img, nil
}

// resize gives the screen another size within its memory, as another monitor's
// would be (FBIOPUT_VSCREENINFO).
func (r *rig) resize(size image.Point) error {
	f, err := os.OpenFile(r.screen, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var v [40]uint32 // struct fb_var_screeninfo: xres, yres, xres_virtual, yres_virtual, …
	const get, put = 0x4600, 0x4601
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), get, uintptr(unsafe.Pointer(&v))); errno != 0 {
		return errno
	}
	v[0], v[1] = uint32(size.X), uint32(size.Y)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), put, uintptr(unsafe.Pointer(&v))); errno != 0 {
		return fmt.Errorf("resize the screen: %w", errno)
	}
	r.shape = size
	return nil
}

// keep writes a screenshot as a PNG.
func keep(img *image.RGBA, path string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(out, img); err != nil {
		return err
	}
	return out.Close()
}

// drawn is a scene as the display's own painter draws it. A phone that is
// "early" is so by a minute.
func drawn(painter *display.Painter, size image.Point, scene display.Scene, kind string) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	state := display.State{Scene: scene}
	if kind == "early" {
		state.Seconds = 60
	}
	painter.Draw(img, state)
	return img
}

// alike is the share of pixels in which a screenshot shows what it should, but
// for the lowest eighth: the status strip.
func alike(shot, want *image.RGBA) float64 {
	n := len(shot.Pix) * 7 / 8 / 4 * 4
	same := 0
	for i := 0; i < n; i += 4 {
		if near(shot.Pix[i], want.Pix[i]) && near(shot.Pix[i+1], want.Pix[i+1]) && near(shot.Pix[i+2], want.Pix[i+2]) {
			same++
		}
	}
	return float64(same) / float64(n/4)
}

func near(a, b uint8) bool { return max(a, b)-min(a, b) <= 8 }
