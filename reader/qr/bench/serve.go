package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/reader/qr"
)

// decode reads a picture.
type decode func(g *image.Gray, at place) []symbol

// served are the readers written in Go: this program starts itself anew for
// each, so that all readers are measured in the same way.
var served = map[string]func() decode{
	"ours":          func() decode { return ours(qr.Options{}) },
	"ours-thorough": func() decode { return ours(qr.Options{Thorough: true}) },
	"gozxing":       gozxingDefaults,
}

// ours keeps one Decoder over all pictures, as a kiosk does, and takes a new
// one where a stream begins. Its budget runs by CPU time, so that a busy
// machine reads as much as an idle one.
func ours(o qr.Options) decode {
	o.Now = func() time.Time { return time.Unix(0, int64(cpuTime())) }
	d := qr.New(o)
	return func(g *image.Gray, at place) []symbol {
		if at == first {
			d = qr.New(o)
		}
		found, err := d.Decode(g)
		if err != nil {
			return nil
		}
		if len(found) == 0 {
			return nil
		}
		out := make([]symbol, len(found))
		for i, s := range found {
			out[i] = symbol{s.Text, s.Bytes}
		}
		return out
	}
}

// serve answers frames until the input ends.
func serve(name string, in io.Reader, out io.Writer) error {
	newReader, ok := served[name]
	if !ok {
		return fmt.Errorf("no reader %q is built in", name)
	}
	read, r := newReader(), bufio.NewReader(in)
	g := new(image.Gray)
	var before, after runtime.MemStats
	for {
		var head [3]uint32
		if err := binary.Read(r, binary.LittleEndian, &head); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		w, h := int(head[0]), int(head[1])
		if cap(g.Pix) < w*h {
			g.Pix = make([]byte, w*h)
		}
		g.Pix, g.Stride, g.Rect = g.Pix[:w*h], w, image.Rect(0, 0, w, h)
		if _, err := io.ReadFull(r, g.Pix); err != nil {
			return err
		}
		var a answer
		runtime.ReadMemStats(&before)
		begin := cpuTime()
		a.symbols = read(g, place(head[2]))
		a.cpu = cpuTime() - begin
		runtime.ReadMemStats(&after)
		a.allocs = after.Mallocs - before.Mallocs
		if err := writeAnswer(out, a); err != nil {
			return err
		}
	}
}

// cpuTime of this process, its collector's work included.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
