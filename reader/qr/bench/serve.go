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
	"github.com/munjigi/munjigi/reader/qr/bench/screens"
)

// reading is a reader written in Go.
type reading interface {
	// read looks at a picture: the part that is measured.
	read(g *image.Gray, at place)
	// symbols is what it has read in the last one.
	symbols() []symbol
}

// served are the readers written in Go: this program starts itself anew for
// each, so that all readers are measured in the same way.
var served = map[string]func() reading{
	"ours":          func() reading { return newOurs(qr.Options{}) },
	"ours-thorough": func() reading { return newOurs(qr.Options{Thorough: true}) },
	"gozxing":       func() reading { return new(gozxingDefaults) },
}

// ours keeps one Decoder for all pictures that stand alone, and takes a new
// one, told that it is a stream, where a stream begins. Its clock goes by CPU
// time and by the stream's frames: a busy machine reads as much as an idle one.
type ours struct {
	options qr.Options
	still   *qr.Decoder
	stream  *qr.Decoder
	found   []qr.Symbol
	frames  time.Duration // how many pictures so far
	begin   time.Duration // CPU time when this one began
}

func newOurs(options qr.Options) *ours {
	o := &ours{options: options}
	o.options.Now = func() time.Time {
		return time.Unix(0, int64(o.frames*time.Second/screens.FPS+cpuTime()-o.begin))
	}
	o.still = qr.New(o.options)
	return o
}

func (o *ours) read(g *image.Gray, at place) {
	o.frames++
	o.begin = cpuTime()
	d := o.still
	if at == first {
		options := o.options
		options.Stream = true
		o.stream = qr.New(options)
	}
	if at != alone {
		d = o.stream
	}
	o.found, _ = d.Decode(g) // an error is a picture that was not read
}

func (o *ours) symbols() (out []symbol) {
	for _, s := range o.found {
		out = append(out, symbol{s.Text, s.Bytes})
	}
	return out
}

// serve answers frames until the input ends.
func serve(name string, in io.Reader, out io.Writer) error {
	newReader, ok := served[name]
	if !ok {
		return fmt.Errorf("no reader %q is built in", name)
	}
	reader, r := newReader(), bufio.NewReader(in)
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
		reader.read(g, place(head[2]))
		a.cpu = cpuTime() - begin
		runtime.ReadMemStats(&after)
		a.allocs = after.Mallocs - before.Mallocs
		a.symbols = reader.symbols()
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
