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
	// device is fed silence between prompts, which keeps it open and playing, so
	// that the next prompt is heard a lull later.
	paced() bool
	// tail is how much must be written after a sample until that sample has
	// surely been heard.
	tail() time.Duration
	// queued is how much was written and is not heard yet; 0 where nobody knows,
	// or where the device does not play.
	queued() time.Duration
	// hurry is called before the first write, by the goroutine that writes: it
	// lets it go before others where sound would tear otherwise.
	hurry() error
	// tears is how often the device had run dry so far.
	tears() int
	// write takes all frames or fails for good. It may not keep them.
	write(frames [][2]float64) error
	// close may come while a write hangs; nothing is written after it.
	close() error
}

// blockTime is how much is written at a time: a new prompt waits for at most
// one block before its own first sample is written.
const blockTime = 10 * time.Millisecond

// lull is how much silence a paced device is given ahead between prompts: the
// next prompt is heard that much later. Within one the whole buffer is filled,
// against tearing; silence that tears is silence.
const lull = 40 * time.Millisecond

// player feeds one device.
type player struct {
	voice *Voice
	dev   device
	block [][2]float64
	taken atomic.Int64 // blocks the device has taken
	torn  atomic.Int64 // times it had run dry in the middle of a prompt

	mu      sync.Mutex
	ended   bool
	current *utterance // playing, or waiting for its tail to be heard

	// Owned by run's goroutine.
	stream  beep.Streamer // nil when the current prompt's samples are written
	fade    fading        // what was cut off
	aim     aim
	gain    float64 // of the last sample that was written
	begun   bool    // started was called
	tears   int     // of the device, as far as they were seen
	pending int     // frames still to be written until current is heard
}

// fadeTime is what a prompt that is cut off still gets, so that it does not crack.
const fadeTime = 20 * time.Millisecond

// run writes blocks until the device fails or ctx ends.
func (p *player) run(ctx context.Context) error {
	p.gain = p.voice.gain()
	if err := p.dev.hurry(); err != nil {
		p.voice.log.Info("sound may tear on a slow processor", "err", err)
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for ctx.Err() == nil {
		p.takeUp()
		if ahead := p.ahead(); ahead > 0 {
			pause.Reset(ahead)
			select {
			case <-ctx.Done():
			case <-p.voice.wake:
			case <-pause.C:
			}
			continue
		}
		n, own := p.fill()
		if n == 0 { // an unpaced device with nothing to play
			select {
			case <-ctx.Done():
			case <-p.voice.wake:
			}
			continue
		}
		p.level(p.block[:n])
		if err := p.dev.write(p.block[:n]); err != nil {
			return err
		}
		p.taken.Add(1)
		if n := p.dev.tears(); n > p.tears {
			p.tears = n
			if p.begun && p.stream != nil { // nobody hears it in a pause
				p.torn.Add(1)
			}
		}
		p.settle(n, own)
	}
	return ctx.Err()
}

// ahead is how long nothing need be written: 0 within a prompt.
func (p *player) ahead() time.Duration {
	p.mu.Lock()
	busy := p.current != nil || p.ended
	p.mu.Unlock()
	if busy {
		return 0
	}
	return p.dev.queued() - lull
}

// takeUp starts the newest utterance, if there is one.
func (p *player) takeUp() {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	u, replaced := p.voice.take(p.current)
	if u != nil {
		p.current = u
	}
	p.mu.Unlock()
	for _, r := range replaced {
		r.done(Cut)
	}
	if u == nil {
		return
	}
	p.fade.begin(p.stream, p.dev.rate().N(fadeTime))
	p.aim.stop()
	p.stream, p.begun, p.pending = nil, false, p.dev.rate().N(p.dev.tail())
	if c := p.voice.clips[u.prompt]; c != nil { // an unknown prompt is a silent one
		p.stream = c.stream(p.dev.rate())
	}
}

// fill puts the next frames into block and returns how many: all of them on a
// paced device, with the aiming tone or silence where there is no prompt. own
// tells whether the current prompt has a part in them.
func (p *player) fill() (n int, own bool) {
	n = p.fade.read(p.block)
	own = n < len(p.block)
	for p.stream != nil && n < len(p.block) {
		k, ok := p.stream.Stream(p.block[n:])
		n += k
		if !ok {
			p.stream = nil
		}
	}
	if n == 0 && !p.dev.paced() {
		p.settle(0, true) // an empty clip is over at once
		return 0, false
	}
	if p.dev.paced() {
		p.rest(p.block[n:])
		n = len(p.block)
	}
	return n, own
}

// rest fills what no prompt needs.
func (p *player) rest(samples [][2]float64) {
	near, aimed := p.voice.takeAim()
	p.mu.Lock()
	busy := p.current != nil
	p.mu.Unlock()
	if busy {
		clear(samples)
		return
	}
	if aimed {
		p.aim.call(near, p.dev.rate())
	}
	p.aim.stream(samples, p.dev.rate())
}

// level applies the volume; where it changes, by and by, as a step would crack.
func (p *player) level(samples [][2]float64) {
	from, to := p.gain, p.voice.gain()
	p.gain = to
	if from == to {
		if to != 1 {
			scale(samples, to)
		}
		return
	}
	step := (to - from) / float64(len(samples))
	for i := range samples {
		g := from + step*float64(i+1)
		samples[i][0] *= g
		samples[i][1] *= g
	}
}

// settle calls what is due after n frames were written.
func (p *player) settle(n int, own bool) {
	p.mu.Lock()
	u := p.current
	if u == nil || p.ended || !own {
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
	if !p.begun { // before end, which may come from elsewhere meanwhile, says done
		p.begun = true
		u.started()
	}
	p.mu.Unlock()
	if heard {
		u.done(Heard)
	}
}

// fading is the end of a prompt that was cut off.
type fading struct {
	stream      beep.Streamer
	left, whole int // frames
}

func (f *fading) begin(s beep.Streamer, frames int) { *f = fading{s, frames, frames} }

// read puts what is left into samples and returns how many.
func (f *fading) read(samples [][2]float64) (n int) {
	for f.stream != nil && n < len(samples) {
		k, ok := f.stream.Stream(samples[n : n+min(f.left, len(samples)-n)])
		for i := range samples[n : n+k] {
			g := float64(f.left) / float64(f.whole)
			samples[n+i][0] *= g
			samples[n+i][1] *= g
			f.left--
		}
		n += k
		if !ok || f.left == 0 {
			f.stream = nil
		}
	}
	return n
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
