package audio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faiface/beep"
)

// output is where sound can go: a loudspeaker or a file.
type output interface {
	// open opens the device, or says at once why it cannot.
	open() (device, error)
}

// device is an opened output. One goroutine writes to it.
type device interface {
	name() string
	rate() beep.SampleRate
	// paced tells whether write takes as long as the sound lasts. A paced
	// device is fed silence between prompts, which keeps it open and its
	// buffer full, so that the next prompt is heard one buffer later.
	paced() bool
	// tail is how much must be written after a sample until that sample has
	// surely been heard.
	tail() time.Duration
	// write takes all frames or fails for good. It may not keep them.
	write(frames [][2]float64) error
	// close may come while a write hangs; nothing is written after it.
	close() error
}

// blockTime is how much is written at a time: a new prompt waits for at most
// one block before its own first sample is written.
const blockTime = 10 * time.Millisecond

// player feeds one device.
type player struct {
	voice *Voice
	dev   device
	block [][2]float64
	taken atomic.Int64 // blocks the device has taken

	mu      sync.Mutex
	ended   bool
	current *utterance // playing, or waiting for its tail to be heard

	// Owned by run's goroutine.
	stream  beep.Streamer // nil when the current prompt's samples are written
	begun   bool          // started was called
	pending int           // frames still to be written until current is heard
}

// run writes blocks until the device fails or ctx ends.
func (p *player) run(ctx context.Context) error {
	for ctx.Err() == nil {
		p.takeUp()
		n := p.fill()
		if n == 0 { // an unpaced device with nothing to play
			select {
			case <-ctx.Done():
			case <-p.voice.wake:
			}
			continue
		}
		if err := p.dev.write(p.block[:n]); err != nil {
			return err
		}
		p.taken.Add(1)
		p.settle(n)
	}
	return ctx.Err()
}

// takeUp starts the newest utterance, if there is one.
func (p *player) takeUp() {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	u, replaced := p.voice.take()
	if u != nil {
		if p.current != nil {
			replaced = append([]*utterance{p.current}, replaced...)
		}
		p.current = u
	}
	p.mu.Unlock()
	for _, r := range replaced {
		r.done(Cut)
	}
	if u == nil {
		return
	}
	p.stream, p.begun, p.pending = nil, false, p.dev.rate().N(p.dev.tail())
	if c := p.voice.clips[u.prompt]; c != nil { // an unknown prompt is a silent one
		p.stream = volume{c.stream(p.dev.rate()), p.voice.gain}
	}
}

// fill puts the next frames into block and returns how many: all of them on a
// paced device, silence where there is no sound.
func (p *player) fill() int {
	n := 0
	for p.stream != nil && n < len(p.block) {
		k, ok := p.stream.Stream(p.block[n:])
		n += k
		if !ok {
			p.stream = nil
		}
	}
	if n == 0 && !p.dev.paced() {
		p.settle(0) // an empty clip is over at once
		return 0
	}
	if p.dev.paced() {
		clear(p.block[n:])
		n = len(p.block)
	}
	return n
}

// settle calls what is due after n frames were written.
func (p *player) settle(n int) {
	p.mu.Lock()
	u := p.current
	if u == nil || p.ended {
		p.mu.Unlock()
		return
	}
	heard := false
	if p.stream == nil {
		// The block that ended the prompt counts from the next one on.
		if p.pending <= 0 {
			heard, p.current = true, nil
		}
		p.pending -= n
	}
	p.mu.Unlock()
	if !p.begun {
		p.begun = true
		u.started()
	}
	if heard {
		u.done(Heard)
	}
}

// end answers what is still playing with o and makes the player mute.
func (p *player) end(o Outcome) {
	p.mu.Lock()
	u := p.current
	p.current, p.ended = nil, true
	p.mu.Unlock()
	if u != nil {
		u.done(o)
	}
}
