package display

import (
	"fmt"
	"image"
	"io"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/devices/v3/ssd1306"
	"periph.io/x/devices/v3/ssd1306/image1bit"
	"periph.io/x/host/v3"
)

// oled is an SSD1306 of 128×64 pixels, black and white, at address 0x3C of an
// I²C bus. Its driver sends only what has changed; a whole picture is 1 KB, which
// takes 25 ms at 400 kHz.
type oled struct {
	bus  io.Closer
	dev  *ssd1306.Dev
	bits *image1bit.VerticalLSB
	name string
}

// OLED returns an opener for an SSD1306 on an I²C bus: its name or number, or ""
// for the first. Turned is for one that hangs upside down.
func OLED(bus string, turned bool) Opener {
	return func() (Panel, error) {
		name := strings.TrimSuffix("ssd1306:"+bus, ":")
		if _, err := host.Init(); err != nil {
			return nil, fmt.Errorf("display panel %s: %w", name, err)
		}
		b, err := i2creg.Open(bus)
		if err != nil {
			return nil, fmt.Errorf("display panel %s: no such I²C bus (dtparam=i2c_arm=on, module i2c-dev): %w", name, err)
		}
		p, err := newOLED(b, name, turned)
		if err != nil {
			b.Close()
			return nil, err
		}
		return p, nil
	}
}

func newOLED(bus i2c.BusCloser, name string, turned bool) (*oled, error) {
	opts := ssd1306.DefaultOpts
	opts.MirrorVertical, opts.MirrorHorizontal = turned, turned
	dev, err := ssd1306.NewI2C(bus, &opts)
	if err != nil {
		return nil, fmt.Errorf("display panel %s: it does not answer at address 0x3C: %w", name, err)
	}
	return &oled{bus, dev, image1bit.NewVerticalLSB(dev.Bounds()), name}, nil
}

// Show implements Panel. What is brighter than half is lit.
func (p *oled) Show(img *image.RGBA, changed []image.Rectangle) error {
	for _, r := range changed {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				px := img.Pix[img.PixOffset(x, y):][:3]
				p.bits.SetBit(x, y, 299*int(px[0])+587*int(px[1])+114*int(px[2]) > 128_000)
			}
		}
	}
	if err := p.dev.Draw(p.bits.Rect, p.bits, image.Point{}); err != nil {
		return fmt.Errorf("display panel %s: %w", p.name, err)
	}
	return nil
}

// Check sends a command that changes nothing: whoever is not there does not
// acknowledge it.
func (p *oled) Check() error {
	if err := p.dev.SetDisplayStartLine(0); err != nil {
		return fmt.Errorf("display panel %s: %w", p.name, err)
	}
	return nil
}

func (p *oled) Size() image.Point { return p.bits.Rect.Size() }
func (p *oled) String() string    { return p.name }
func (p *oled) Close() error      { return p.bus.Close() }
