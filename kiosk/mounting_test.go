package kiosk

import (
	"flag"
	"image"
	"math"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
	"github.com/munjigi/munjigi/reader/qr"
)

var mounting = flag.Bool("mounting", false, "print how far away codes are read, for docs/mounting.md")

// A virtual phone's lens sees 60° across; docs/mounting.md has other lenses.
const virtualFocal = 0.8660254 // widths of the picture

// reach is the share of visitors whose code is read within half a second, by
// how many millimetres away they hold it.
func reach(t *testing.T, text string, width int, away float64, visitors int) float64 {
	t.Helper()
	code, err := symbol.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	size := image.Pt(width, width*9/16)
	look := virtual.DefaultLook()
	look.Scale = virtualFocal * 1280 / away
	look.Travel = 0
	read, g := 0, new(image.Gray)
	for seed := range uint64(visitors) {
		phone := virtual.New(virtual.Options{Seed: seed + 1, Size: size, Unpaced: true, Look: look})
		phone.Present(code)
		var at time.Time // the budget is not what is measured
		reader := qr.New(qr.Options{Stream: true, Now: func() time.Time { return at }})
		for range 15 {
			if err := phone.Grab(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			at = at.Add(time.Second / 30)
			symbols, err := reader.Decode(g)
			if err != nil {
				t.Fatal(err)
			}
			if len(symbols) > 0 {
				read++
				break
			}
		}
		phone.Close()
	}
	return float64(read) / float64(visitors)
}

// TestMounting holds docs/mounting.md to what it computes distances by: two
// pixels a module are read, and where there are twice as many it is easy.
func TestMounting(t *testing.T) {
	now := time.Unix(1_795_000_000, 0) // the same code at every run
	plain, err := pass.Issue(testKey("kko"), "kko", pass.ID{1}, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	health := &pass.Health{Complete: true, Doses: []pass.Dose{{Number: 1, Date: time.Unix(0, 0)}, {Number: 2, Date: time.Unix(0, 0)}, {Number: 3, Date: time.Unix(0, 0)}}}
	full, err := pass.Issue(testKey("kko"), "kko", pass.ID{1}, now, health)
	if err != nil {
		t.Fatal(err)
	}
	if *mounting {
		for _, text := range []string{plain, full} {
			code, err := symbol.Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			for away := 70.0; away < 900; away *= 1.2 {
				module := virtualFocal * 1280 / away * 58 / float64(code.Size+8)
				t.Logf("%d modules, %3.0f mm away, %4.1f pixels a module: %3.0f %% read", code.Size, away, module, 100*reach(t, text, 1280, away, 4))
			}
		}
		return
	}
	for _, pixels := range []float64{2, 4} {
		away := virtualFocal * 1280 * 58 / 53 / pixels
		if share := reach(t, plain, 1280, away, 3); share < 1 {
			t.Errorf("at %.1f pixels a module, %.0f mm away, %.0f %% of visitors are read", pixels, math.Round(away), 100*share)
		}
	}
}
