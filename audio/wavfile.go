package audio

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/faiface/beep"
)

// wavOutput writes what would be played to a WAV file (stereo, 16 bit, at the
// built-in prompts' rate), prompt after prompt without the pauses between.
type wavOutput string

const wavRate beep.SampleRate = 22050

func (o wavOutput) open() (device, error) {
	f, err := os.Create(string(o))
	if err != nil {
		return nil, fmt.Errorf("sound.output: %w", err)
	}
	d := &wavFile{f: f}
	if err := d.header(); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

type wavFile struct {
	f    *os.File
	size int // bytes of samples
	buf  []byte
}

func (d *wavFile) name() string          { return "wav:" + d.f.Name() }
func (d *wavFile) rate() beep.SampleRate { return wavRate }
func (d *wavFile) paced() bool           { return false }
func (d *wavFile) tail() time.Duration   { return 0 }
func (d *wavFile) hurry() error          { return nil }
func (d *wavFile) queued() time.Duration { return 0 }
func (d *wavFile) tears() int            { return 0 }
func (d *wavFile) close() error          { return d.f.Close() }

func (d *wavFile) write(frames [][2]float64) error {
	d.buf = int16LE(d.buf, frames)
	if _, err := d.f.WriteAt(d.buf, int64(headerSize+d.size)); err != nil {
		return fmt.Errorf("sound.output: %w", err)
	}
	d.size += len(d.buf)
	return d.header() // whole at any moment, even when killed
}

const headerSize = 44

// header writes the RIFF header for the present size.
func (d *wavFile) header() error {
	const channels, width = 2, 2
	le := binary.LittleEndian
	h := append(make([]byte, 0, headerSize), "RIFF"...)
	h = le.AppendUint32(h, uint32(headerSize-8+d.size))
	h = append(h, "WAVEfmt "...)
	h = le.AppendUint32(h, 16)
	h = le.AppendUint16(h, 1) // PCM
	h = le.AppendUint16(h, channels)
	h = le.AppendUint32(h, uint32(wavRate))
	h = le.AppendUint32(h, uint32(wavRate)*channels*width)
	h = le.AppendUint16(h, channels*width)
	h = le.AppendUint16(h, 8*width)
	h = append(h, "data"...)
	h = le.AppendUint32(h, uint32(d.size))
	_, err := d.f.WriteAt(h, 0)
	return err
}
