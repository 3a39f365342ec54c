package qr_test

import (
	"image"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// TestTakesNoMemoryLater: behind the first picture of a size none takes memory, though each shows what none before it
// did. What is read is the caller's to keep, so that frames with a text do not count.
func TestTakesNoMemoryLater(t *testing.T) {
	pictures := 14
	if testing.Short() {
		pictures = 4
	}
	mix, err := screens.Mix(5, pictures)
	if err != nil {
		t.Fatal(err)
	}
	decoders := map[string]*qr.Decoder{
		"still":  qr.New(qr.Options{Now: new(clock).now, Max: 2}), // one symbol does not end it
		"stream": qr.New(qr.Options{Now: new(clock).now, Stream: true}),
	}
	grey := image.NewGray(image.Rect(0, 0, screens.Width, screens.Height))
	for _, d := range decoders {
		if _, err := d.Decode(grey); err != nil {
			t.Fatal(err)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	g := new(image.Gray)
	var before, after runtime.MemStats
	for i, c := range mix {
		c.Render(g)
		for name, d := range decoders {
			runtime.ReadMemStats(&before)
			symbols, err := d.Decode(g)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if n := after.Mallocs - before.Mallocs; n > 0 && len(symbols) == 0 {
				t.Errorf("%s, picture %d: %d allocations", name, i, n)
			}
		}
	}
}
