package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/reader/qr"
)

// decode reads a picture; continues says that it follows the one before in a stream.
type decode func(g *image.Gray, continues bool) []symbol

// served are the readers written in Go: this program starts itself anew for
// each, so that all readers are measured in the same way.
var served = map[string]func() decode{"ours": ours, "gozxing": gozxingDefaults}

func ours() decode {
	d := qr.New(qr.Options{})
	return func(g *image.Gray, continues bool) []symbol {
		found, err := d.Decode(g)
		if err != nil {
			return nil
		}
		var out []symbol
		for _, s := range found {
			out = append(out, symbol{s.Text, s.Bytes})
		}
		return out
	}
}

// serve answers frames until the input ends.
func serve(name string, in io.Reader, out io.Writer) error {
	make, ok := served[name]
	if !ok {
		return fmt.Errorf("no reader %q is built in", name)
	}
	read, r := make(), bufio.NewReader(in)
	g := new(image.Gray)
	for {
		var head [3]uint32
		if err := binary.Read(r, binary.LittleEndian, &head); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		w, h := int(head[0]), int(head[1])
		if cap(g.Pix) < w*h {
			g.Pix = append(g.Pix[:0], newBytes(w*h)...)
		}
		g.Pix, g.Stride, g.Rect = g.Pix[:w*h], w, image.Rect(0, 0, w, h)
		if _, err := io.ReadFull(r, g.Pix); err != nil {
			return err
		}
		var a answer
		allocs, begin := allocated(), cpuTime()
		a.symbols = read(g, head[2] == 1)
		a.cpu = cpuTime() - begin
		a.allocs = allocated() - allocs
		if err := writeAnswer(out, a); err != nil {
			return err
		}
	}
}

func newBytes(n int) []byte { return make([]byte, n) }

// cpuTime of this process, its collector's work included.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// allocated is how many objects this process has ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
