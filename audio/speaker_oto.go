//go:build cgo && linux

package audio

/*
#cgo pkg-config: alsa
#include <alsa/asoundlib.h>

static void hush(const char *file, int line, const char *func, int err, const char *fmt, ...) {}
static void hush_alsa(void) { snd_lib_error_set_handler(hush); }
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faiface/beep"
	"github.com/hajimehoshi/oto"
)

// The loudspeaker is driven through oto, the layer under beep/speaker, because
// beep/speaker v1.1.0 hides write errors (after an unplug it spins and plays
// into nothing) and mixes a whole buffer ahead, so that a prompt would wait up
// to 100 ms more.

const (
	// speakerRate is what every sound card plays; oto would play at the wrong
	// pitch on a card that silently chose another rate.
	speakerRate beep.SampleRate = 48000
)

// card is the process's one sound device. oto allows only one context at a time
// and frees it twice when it is closed by hand (oto v0.7.1, Context.Close), so
// it stays open, muted, until the process ends or the device fails.
var card struct {
	sync.Mutex
	player *oto.Player // nil: none is open, or it hangs
}

type speaker struct{}

func newSpeaker() output { return speaker{} }

// open implements output.
func (speaker) open() (device, error) {
	card.Lock()
	defer card.Unlock()
	if card.player == nil {
		player, err := newPlayer()
		if err != nil {
			return nil, fmt.Errorf(`no loudspeaker (%w): plug one in, or name the card in /etc/asound.conf, or set sound.output = "off"`, err)
		}
		card.player = player
	}
	return &speakerDevice{player: card.player}, nil
}

func newPlayer() (player *oto.Player, err error) {
	// oto panics while an earlier context still hangs in the kernel.
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the sound device hangs")
		}
	}()
	C.hush_alsa() // ALSA would print six lines at each try
	// oto takes the size for that of a period and lets ALSA keep two of them.
	ctx, err := oto.NewContext(int(speakerRate), 2, 2, 4*speakerRate.N(Buffer)/2)
	if err != nil {
		return nil, err
	}
	return ctx.NewPlayer(), nil
}

type speakerDevice struct {
	player  *oto.Player
	buf     []byte
	writing atomic.Bool
}

func (d *speakerDevice) name() string          { return "ALSA default" }
func (d *speakerDevice) rate() beep.SampleRate { return speakerRate }
func (d *speakerDevice) paced() bool           { return true }

// tail covers the device's buffer and the period that oto collects before it.
func (d *speakerDevice) tail() time.Duration { return 2 * Buffer }

func (d *speakerDevice) write(frames [][2]float64) error {
	d.buf = int16LE(d.buf, frames)
	d.writing.Store(true)
	n, err := d.player.Write(d.buf)
	d.writing.Store(false)
	if err == nil && n < len(d.buf) { // what oto says of a context that failed before
		err = io.ErrClosedPipe
	}
	card.Lock()
	defer card.Unlock()
	if err != nil {
		if card.player == d.player {
			card.player = nil
		}
		return fmt.Errorf("the loudspeaker failed (%w): check its plug; it is tried again every %v", err, retryEvery)
	}
	if card.player == nil { // it hung, was given up, and works again
		card.player = d.player
	}
	return nil
}

// close keeps the card for the next open, unless a write hangs in it: after an
// unplug oto never returns from it, and only a new context helps.
func (d *speakerDevice) close() error {
	card.Lock()
	defer card.Unlock()
	if d.writing.Load() && card.player == d.player {
		card.player = nil
	}
	return nil
}
