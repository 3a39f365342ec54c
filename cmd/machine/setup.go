package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/machine"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// Where the card's parts are mounted, below root.
const (
	settings = "boot/munjigi"
	data     = "data"
)

// setup reads what the technician wrote. A kiosk.toml that cannot be used fails, and
// the kiosk does not start; a device.toml that cannot be used does so only on a
// fresh device, as an enrolled one works without network.
func setup(ctx context.Context, root string) error {
	if err := factoryReset(root); err != nil {
		return err
	}
	file := filepath.Join(root, settings, "kiosk.toml")
	cfg, err := device.Load(file)
	if err != nil {
		tell(root, "kiosk.toml", err)
		return err
	}
	m, err := machine.Load(filepath.Join(root, settings, "device.toml"))
	if err != nil {
		tell(root, "device.toml", err)
		if _, fresh := os.Stat(filepath.Join(root, cfg.Data, enrol.BundleFile)); fresh != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "machine:", err, "(the kiosk goes on without network)")
		select { // to be read
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
		}
		m = machine.Defaults()
	}
	if err := resetButton(ctx, root, cfg.LinesConfig(), m.Reset.Button); err != nil {
		return err
	}
	return machine.Write(root, m.Files())
}

// tell shows a mistake on the screen, where there is one.
func tell(root, file string, mistake error) {
	show(root, machine.Explain(file, mistake))
}

// show shows a notice on the screen, where there is one.
func show(root string, n machine.Notice) {
	if err := paint(root, n); err != nil {
		fmt.Fprintln(os.Stderr, "machine: the screen cannot say it:", err)
	}
}

// paint draws on the kernel's first framebuffer, which may take a while to come.
// It has 16 or 32 bits a pixel (Documentation/fb/api.rst in the kernel's sources).
func paint(root string, m machine.Notice) error {
	var fb []byte
	var size image.Point
	var bits, stride int
	sys := filepath.Join(root, "sys/class/graphics/fb0")
	for try := 0; ; try++ {
		err := errors.Join(number(sys, "virtual_size", "%d,%d", &size.X, &size.Y), number(sys, "bits_per_pixel", "%d", &bits), number(sys, "stride", "%d", &stride))
		if err == nil {
			break
		}
		if try == 100 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	if bits != 16 && bits != 32 || size.X <= 0 || size.Y <= 0 || size.X > 8192 || size.Y > 8192 || stride < size.X*bits/8 || stride > 1<<16 {
		return fmt.Errorf("the framebuffer has %v pixels of %d bits, %d bytes a row: none that can be drawn on", size, bits, stride)
	}
	img := image.NewRGBA(image.Rectangle{Max: size})
	if err := machine.Draw(img, m, display.Font()); err != nil {
		return err
	}
	fb = make([]byte, stride*size.Y)
	for y := range size.Y {
		for x := range size.X {
			p, at := img.Pix[img.PixOffset(x, y):], y*stride+x*bits/8
			if bits == 32 {
				fb[at], fb[at+1], fb[at+2], fb[at+3] = p[2], p[1], p[0], 0xff
			} else {
				v := uint16(p[0]>>3)<<11 | uint16(p[1]>>2)<<5 | uint16(p[2]>>3)
				fb[at], fb[at+1] = byte(v), byte(v>>8)
			}
		}
	}
	f, err := os.OpenFile(filepath.Join(root, "dev/fb0"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(fb)
	return errors.Join(err, f.Close())
}

func number(folder, name, format string, to ...any) error {
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	_, err = fmt.Sscanf(string(b), format, to...)
	return err
}
