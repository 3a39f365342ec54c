package qr_test

import (
	"flag"
	"image"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	gen "rsc.io/qr"
	"rsc.io/qr/coding"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/reader/qr"
)

var soak = flag.Duration("soak", 0, "for how long to show pictures of all kinds, and to hold each to the budget in CPU time")

// onThread is the CPU time of the thread that asks.
func onThread() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// mangled is a picture that nobody has thought of: codes, stripes, rings and noise of any size over one another.
func mangled(g *image.Gray, code *image.Gray, rng *rand.Rand) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	for i := range g.Pix {
		g.Pix[i] = 128
	}
	for range 1 + rng.IntN(6) {
		kind, k := rng.IntN(6), 1+rng.IntN(12)
		x0, y0 := rng.IntN(w), rng.IntN(h)
		x1, y1 := x0+1+rng.IntN(w-x0), y0+1+rng.IntN(h-y0)
		if rng.IntN(3) == 0 {
			x0, y0, x1, y1 = 0, 0, w, h
		}
		for y := y0; y < y1; y++ {
			row := g.Pix[y*g.Stride:]
			for x := x0; x < x1; x++ {
				switch kind {
				case 0: // noise
					row[x] = uint8(rng.Uint32())
				case 1: // codes, side by side
					row[x] = code.Pix[(y*4/k)%code.Rect.Dy()*code.Stride+(x*4/k)%code.Rect.Dx()]
				case 2: // bars of a finder pattern
					row[x] = uint8(255 * (0x45 >> (x / k % 7) & 1))
				case 3: // rings
					dx, dy := (x%(16*k))-8*k, (y%(16*k))-8*k
					row[x] = uint8(255 * (max(dx, -dx, dy, -dy) / k % 2))
				case 4: // a chessboard
					row[x] = uint8(255 * ((x/k + y/k) % 2))
				default: // light
					row[x] = uint8(min(255, int(row[x])+x*k/4))
				}
			}
		}
	}
	for range rng.IntN(2) * w * h / 20 {
		g.Pix[rng.IntN(len(g.Pix))] = uint8(rng.Uint32())
	}
}

// TestSoak shows pictures of all kinds to single-frame and stream decoders: no error, no memory taken after
// the first ones; with -soak 30m, for as long, also none over the budget.
func TestSoak(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const budget = 25 * time.Millisecond
	var begin, frames time.Duration
	now := func() time.Time { return time.Unix(1000, 0).Add(frames*time.Second/30 + onThread() - begin) }
	decoders := []*qr.Decoder{
		qr.New(qr.Options{Budget: budget, Now: now}),
		qr.New(qr.Options{Budget: budget, Now: now, Max: 3}),
		qr.New(qr.Options{Budget: budget, Now: now, Stream: true}),
	}
	code := draw(encode(t, 10, gen.M, coding.Alpha("MJ1:NOT TO BE READ: OR NOT ALWAYS")), 4, 4, false, false)
	rng := rand.New(rand.NewPCG(1, 2))
	g := image.NewGray(image.Rect(0, 0, 1280, 720))
	end := time.Now().Add(*soak)
	var worst time.Duration
	var before, after runtime.MemStats
	shown := 0
	for ; shown < 12 || time.Now().Before(end); shown++ {
		mangled(g, code, rng)
		for i, d := range decoders {
			least := time.Duration(1 << 62)
			for try := 0; try < 4 && least > budget; try++ { // the machine has bad moments of its own
				frames++
				begin = onThread()
				if _, err := d.Decode(g); err != nil {
					t.Fatalf("picture %d: %v", shown, err)
				}
				least = min(least, onThread()-begin)
			}
			if worst = max(worst, least); *soak > 0 && least > budget {
				t.Errorf("picture %d took decoder %d %v, want %v at most", shown, i, least, budget)
			}
		}
		if shown == 500 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d pictures, worst %v", shown, worst)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); shown > 600 && grown > 1<<20 {
		t.Errorf("memory has grown by %d bytes over %d pictures", grown, shown-500)
	}
}
