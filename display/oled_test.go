package display

import (
	"bytes"
	"errors"
	"image"
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

// glass is what an SSD1306 on a recorded bus shows: 8 pages of 128 columns.
type glass struct {
	pixels            [8][128]byte
	page, column      int
	commands, written int
}

func (g *glass) read(t *testing.T, ops []i2ctest.IO) {
	t.Helper()
	for _, op := range ops {
		if op.Addr != 0x3C || len(op.R) != 0 || len(op.W) < 2 {
			t.Fatalf("unexpected on the bus: %+v", op)
		}
		switch op.W[0] {
		case 0x00: // commands: a page, then the column's low and high half
			g.commands++
			if c := op.W[1:]; len(c) == 3 && c[0]&0xF8 == 0xB0 {
				g.page, g.column = int(c[0]&7), int(c[1]&15)|int(c[2]&15)<<4
			}
		case 0x40:
			g.written += len(op.W) - 1
			for _, b := range op.W[1:] {
				g.pixels[g.page][g.column] = b
				g.column++
			}
		default:
			t.Fatalf("neither command nor data: %x", op.W[0])
		}
	}
}

func TestOLED(t *testing.T) {
	bus := &i2ctest.Record{}
	panel, err := newOLED(busCloser{bus}, "ssd1306", false)
	if err != nil {
		t.Fatal(err)
	}
	painter, _ := NewPainter(Options{})
	img := image.NewRGBA(image.Rectangle{Max: panel.Size()})
	if img.Rect.Max != image.Pt(128, 64) {
		t.Fatalf("size is %v", img.Rect)
	}
	var g glass
	show := func(s State) {
		t.Helper()
		bus.Ops = nil
		if damage := painter.Update(img, s); len(damage) > 0 {
			if err := panel.Show(img, damage); err != nil {
				t.Fatal(err)
			}
		}
		g.read(t, bus.Ops)
		lit := 0
		for y := range 64 {
			for x := range 128 {
				want := img.RGBAAt(x, y).R > 128
				if on := g.pixels[y/8][x]>>(y%8)&1 == 1; on != want {
					t.Fatalf("%s: pixel %d,%d is %v, want %v", s.Scene, x, y, on, want)
				} else if on {
					lit++
				}
			}
		}
		if lit < 400 || lit > 4096 {
			t.Errorf("%s: %d of 8192 pixels are lit", s.Scene, lit)
		}
	}
	for _, v := range scenery() {
		if !v.Flash {
			show(v.State)
		}
	}
	// A live picture costs nothing here: no byte goes over the bus.
	idle := scenery()[0].State
	show(idle)
	before := g.written
	for range 10 {
		idle.Camera = testPicture()
		show(idle)
	}
	if g.written != before {
		t.Errorf("%d bytes were sent for a picture that does not change", g.written-before)
	}
}

func TestOLEDMissing(t *testing.T) {
	bus := busCloser{&i2ctest.Playback{DontPanic: true}} // nothing acknowledges
	if _, err := newOLED(bus, "ssd1306:1", false); err == nil || !strings.Contains(err.Error(), "ssd1306:1") {
		t.Errorf("error is %v", err)
	}
	if _, err := OLED("no such bus", false)(); err == nil || !strings.Contains(err.Error(), "i2c_arm") {
		t.Errorf("error is %v", err)
	}
}

// TestOLEDUnplugged: a panel that stops answering is an error from Show and from
// Check, so that it is opened again, which sets it up anew.
func TestOLEDUnplugged(t *testing.T) {
	bus := &failing{}
	panel, err := newOLED(bus, "ssd1306", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := panel.Check(); err != nil {
		t.Fatal(err)
	}
	bus.err = errors.New("no acknowledgement")
	img := image.NewRGBA(image.Rectangle{Max: panel.Size()})
	img.Pix[0] = 255
	if err := panel.Show(img, []image.Rectangle{img.Rect}); !errors.Is(err, bus.err) {
		t.Errorf("Show says %v", err)
	}
	if err := panel.Check(); !errors.Is(err, bus.err) {
		t.Errorf("Check says %v", err)
	}
	if err := panel.Close(); err != nil || !bus.closed {
		t.Errorf("the bus stays open: %v", err)
	}
	again, err := func() (*oled, error) { bus.err, bus.sent = nil, nil; return newOLED(bus, "ssd1306", true) }()
	if err != nil || !bytes.Contains(bus.sent, []byte{0x8D, 0x14}) { // charge pump on
		t.Errorf("%v was not set up anew: %v", again, err)
	}
}
