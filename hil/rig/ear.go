//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	rate      = 48000
	period    = rate / 100 // frames that arecord hands over at a time: 10 ms, one tick of the guest
	audible   = 328        // 1 % of full scale
	silence   = rate / 5   // frames of quiet before a sound counts as a new one
	decimate  = 6          // sounds are compared at 8 kHz
	alignment = 20 * rate / 1000 / decimate
)

// ear records the far end of the loopback sound card: what a loudspeaker
// behind the kiosk's sound device would have been given.
type ear struct {
	mu     sync.Mutex
	left   []int16
	sounds []sound
	quiet  int       // frames since the last audible one
	last   time.Time // when the last audible period arrived
	stall  time.Duration
	gone   bool      // there is no card
	loud   int       // audible frames so far
	before time.Time // when the last period arrived
}

// sound begins after silence.
type sound struct {
	first int       // index of its first audible sample
	at    time.Time // when the recorder had the period that holds it: at most one period late, never early
}

// run records until ctx ends. A card that goes away is looked for again.
func (e *ear) run(ctx context.Context, device string) error {
	e.quiet = silence
	for ctx.Err() == nil {
		if err := e.record(ctx, device); err != nil {
			return err
		}
		e.mu.Lock()
		e.gone, e.quiet = true, silence
		e.mu.Unlock()
		wait(ctx, 200*time.Millisecond, func() bool { return false })
	}
	return nil
}

// record records until the card is gone.
func (e *ear) record(ctx context.Context, device string) error {
	c := exec.CommandContext(ctx, "arecord", "-q", "-D", device, "-t", "raw", "-f", "S16_LE", "-r", fmt.Sprint(rate), "-c", "2",
		fmt.Sprint("--period-size=", period), fmt.Sprint("--buffer-size=", 200*period))
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("record the loudspeaker: %w", err)
	}
	block := make([]byte, 4*period)
	for {
		if _, err := io.ReadFull(out, block); err != nil {
			c.Wait() // says why
			return nil
		}
		e.hear(block, time.Now())
	}
}

// deaf says that there is no card to record from.
func (e *ear) deaf() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gone
}

func (e *ear) hear(block []byte, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.before.IsZero() {
		e.stall = max(e.stall, at.Sub(e.before))
	}
	e.before, e.gone = at, false
	for i := 0; i < len(block); i += 4 {
		s := int16(binary.LittleEndian.Uint16(block[i:]))
		if s > audible || s < -audible {
			if e.quiet >= silence {
				e.sounds = append(e.sounds, sound{len(e.left), at})
			}
			e.quiet, e.last = 0, at
			e.loud++
		} else {
			e.quiet++
		}
		e.left = append(e.left, s)
	}
}

// heard returns the sounds that began in [from, to).
func (e *ear) heard(from, to time.Time) (in []sound) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sounds {
		if !s.at.Before(from) && s.at.Before(to) {
			in = append(in, s)
		}
	}
	return in
}

// longestStall is the longest time without a period since it was last asked
// for: how long the guest, not the kiosk, kept everybody waiting.
func (e *ear) longestStall() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.stall
	e.stall = 0
	return d
}

// audibly counts the audible frames so far.
func (e *ear) audibly() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.loud
}

// quietSince is when the last audible sample came, and whether it is silent now.
func (e *ear) quietSince() (last time.Time, silent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.quiet >= silence
}

// prompts are the sentences to compare with, at 8 kHz from their first audible
// sample on.
type prompts map[string][]float64

// loadPrompts reads DIR/NAME.s16: mono, 48 kHz, 16 bits.
func loadPrompts(dir string) (prompts, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.s16"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no prompts to compare with in %s", dir)
	}
	all := prompts{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		pcm := make([]int16, len(raw)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		first := 0
		for first < len(pcm) && pcm[first] <= audible && pcm[first] >= -audible {
			first++
		}
		all[strings.TrimSuffix(filepath.Base(f), ".s16")] = thin(pcm[first:])
	}
	return all, nil
}

// thin averages groups of samples.
func thin(pcm []int16) []float64 {
	out := make([]float64, len(pcm)/decimate)
	for i := range out {
		for _, s := range pcm[i*decimate : (i+1)*decimate] {
			out[i] += float64(s)
		}
	}
	return out
}

// name finds the prompt that a sound is: the highest normalised
// cross-correlation over the prompt's whole length, 1 for the same wave.
func (e *ear) name(s sound, all prompts) (best string, match float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	from := max(0, s.first-alignment*decimate)
	heard := thin(e.left[from:])
	at := 0
	for name, want := range all {
		for lag := 0; lag <= 2*alignment && lag+len(want) <= len(heard); lag++ {
			if c := correlate(heard[lag:][:len(want)], want); c > match {
				best, match, at = name, c, lag
			}
		}
	}
	// Once more between the samples of 8 kHz: half of one is much to a high chime.
	want := all[best]
	for fine := max(0, from+(at-1)*decimate); best != "" && fine <= from+(at+1)*decimate && fine+len(want)*decimate <= len(e.left); fine++ {
		match = max(match, correlate(thin(e.left[fine:][:len(want)*decimate]), want))
	}
	return best, match
}

// behind looks for a prompt that cut another off, most after the sound began at
// the latest: it returns how long the other was heard.
func (e *ear) behind(s sound, want []float64, most time.Duration) (after time.Duration, match float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	longest := int(most * rate / decimate / time.Second)
	for fine := range decimate {
		heard := thin(e.left[s.first+fine:])
		for lag := 0; lag < longest && lag+len(want) <= len(heard); lag++ {
			if math.Abs(heard[lag])+math.Abs(heard[lag+1]) == 0 {
				continue
			}
			if c := correlate(heard[lag:][:len(want)], want); c > match {
				after, match = time.Duration(lag)*time.Second*decimate/rate, c
			}
		}
		if match < sameSound/2 {
			break // it is not there, and would not be between the samples
		}
	}
	return after, match
}

// pieces looks for a prompt in pieces of 100 ms, each behind the one before:
// share is how many of them are there, gaps the silence that came in between.
// A guest that gets no time for longer than the sound device's buffer makes
// such gaps.
func (e *ear) pieces(s sound, want []float64) (share float64, gaps time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	const piece, farthest = rate / decimate / 10, 2 * rate / decimate
	at := max(0, s.first-alignment*decimate)
	heard := thin(e.left[at:min(len(e.left), at+20*rate)])
	next, found, all, late := 0, 0, 0, 0
	for from := 0; from+piece <= len(want); from += piece {
		y := want[from:][:piece]
		all++
		for lag := 0; lag < farthest && next+lag+piece <= len(heard); lag++ {
			if correlate(heard[next+lag:][:piece], y) >= sameSound {
				found++
				if lag > 2*alignment {
					late += lag - alignment
				}
				next += lag
				break
			}
		}
		next += piece - 2 // a rounding may bring the next one a sample early
	}
	return float64(found) / float64(max(all, 1)), time.Duration(late) * time.Second * decimate / rate
}

// correlate is the normalised cross-correlation of two sounds of one length.
func correlate(a, b []float64) float64 {
	var xy, xx, yy float64
	for i, y := range b {
		x := a[i]
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	return xy / math.Sqrt(xx*yy+1)
}

// save writes what was heard as a WAV file, mono.
func (e *ear) save(path string) (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	n := uint32(2 * len(e.left))
	w.WriteString("RIFF")
	binary.Write(w, binary.LittleEndian, 36+n)
	w.WriteString("WAVEfmt ")
	binary.Write(w, binary.LittleEndian, struct {
		Size                uint32
		Format, Channels    uint16
		Rate, Bytes         uint32
		BlockAlign, PerItem uint16
	}{16, 1, 1, rate, 2 * rate, 2, 16})
	w.WriteString("data")
	binary.Write(w, binary.LittleEndian, n)
	binary.Write(w, binary.LittleEndian, e.left)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
