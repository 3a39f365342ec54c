package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/faiface/beep"
	"github.com/hajimehoshi/go-mp3"
	"github.com/jfreymuth/oggvorbis"
)

// clip is a sound: PCM as it stands in its file, decoded sample by sample while
// it plays, so that a prompt in memory costs what it costs on disk.
type clip struct {
	rate     beep.SampleRate
	channels int     // 1 or 2
	width    int     // bytes a sample: 1 (unsigned), 2 or 3 (signed, little endian)
	pcm      []byte  // whole frames of channels × width bytes
	gain     float64 // what it is played with; 0 is 1
}

// maxClip is the longest sound that is decoded: nobody waits that long at a door.
const maxClip = time.Minute

// decode reads a WAV, Ogg Vorbis or MP3 file, told apart by how it begins.
func decode(data []byte) (c *clip, err error) {
	// Decoders of others' formats get files of anybody's.
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, errors.New("broken inside: convert it, e.g. ffmpeg -i in out.wav")
		}
	}()
	switch {
	case bytes.HasPrefix(data, []byte("RIFF")):
		return parseWAV(data)
	case bytes.HasPrefix(data, []byte("OggS")):
		return decodeVorbis(data)
	case bytes.HasPrefix(data, []byte("ID3")), len(data) > 1 && data[0] == 0xFF && data[1]&0xE0 == 0xE0:
		return decodeMP3(data)
	}
	return nil, errors.New("neither WAV nor Ogg Vorbis nor MP3: convert it, e.g. ffmpeg -i in out.wav")
}

func decodeVorbis(data []byte) (*clip, error) {
	r, err := oggvorbis.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not Ogg Vorbis: %w", err)
	}
	c := &clip{rate: beep.SampleRate(r.SampleRate()), channels: r.Channels(), width: 2}
	if err := c.playable(); err != nil {
		return nil, err
	}
	limit := c.rate.N(maxClip) * c.channels * c.width
	block := make([]float32, 4096*c.channels)
	for {
		n, err := r.Read(block)
		for _, v := range block[:n] {
			c.pcm = binary.LittleEndian.AppendUint16(c.pcm, uint16(toInt16(float64(v))))
		}
		switch {
		case errors.Is(err, io.EOF):
			return c, c.whole()
		case err != nil:
			return nil, fmt.Errorf("broken Ogg Vorbis: %w", err)
		case len(c.pcm) > limit:
			return nil, fmt.Errorf("longer than %v", maxClip)
		}
	}
}

func decodeMP3(data []byte) (*clip, error) {
	d, err := mp3.NewDecoder(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not MP3: %w", err)
	}
	c := &clip{rate: beep.SampleRate(d.SampleRate()), channels: 2, width: 2}
	if err := c.playable(); err != nil {
		return nil, err
	}
	limit := c.rate.N(maxClip) * c.channels * c.width
	if c.pcm, err = io.ReadAll(io.LimitReader(d, int64(limit)+1)); err != nil {
		return nil, fmt.Errorf("broken MP3: %w", err)
	}
	if len(c.pcm) > limit {
		return nil, fmt.Errorf("longer than %v", maxClip)
	}
	return c, c.whole()
}

// Rates below a telephone's or above a studio's are taken for a broken header.
const minRate, maxRate = 4000, 192000

func (c *clip) playable() error {
	switch {
	case c.channels != 1 && c.channels != 2:
		return fmt.Errorf("%d channels, mono or stereo is needed", c.channels)
	case c.rate < minRate || c.rate > maxRate:
		return fmt.Errorf("%d Hz, %d to %d are needed", c.rate, minRate, maxRate)
	}
	return nil
}

// whole drops half a frame at the end.
func (c *clip) whole() error {
	frame := c.channels * c.width
	if c.pcm = c.pcm[:len(c.pcm)/frame*frame]; len(c.pcm) == 0 {
		return errors.New("holds no sound")
	}
	return nil
}

// len is the number of frames.
func (c *clip) len() int { return len(c.pcm) / (c.channels * c.width) }

// lasts is how long the clip is.
func (c *clip) lasts() time.Duration { return c.rate.D(c.len()) }

// stream plays the clip from its start, with its gain, resampled to rate.
func (c *clip) stream(rate beep.SampleRate) beep.Streamer {
	s := &pcmStream{clip: c}
	if rate == c.rate {
		return s
	}
	return beep.Resample(4, c.rate, rate, s)
}

// pcmStream is a clip being played.
type pcmStream struct {
	clip *clip
	pos  int // frames
}

// Stream implements beep.Streamer.
func (s *pcmStream) Stream(samples [][2]float64) (n int, ok bool) {
	c := s.clip
	left := c.len() - s.pos
	if left <= 0 {
		return 0, false
	}
	n = min(len(samples), left)
	at := s.pos * c.channels * c.width
	for i := range n {
		samples[i][0] = c.sample(at)
		at += c.width
		samples[i][1] = samples[i][0]
		if c.channels == 2 {
			samples[i][1] = c.sample(at)
			at += c.width
		}
	}
	if c.gain != 0 {
		scale(samples[:n], c.gain)
	}
	s.pos += n
	return n, true
}

// Err implements beep.Streamer: what was decoded cannot fail.
func (s *pcmStream) Err() error { return nil }

// sample decodes the sample at byte at: −1 ≤ v < 1.
func (c *clip) sample(at int) float64 {
	b := c.pcm[at:]
	switch c.width {
	case 1: // offset binary
		return float64(int(b[0])-128) / (1 << 7)
	case 2:
		return float64(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	default:
		return float64(int32(b[0])<<8|int32(b[1])<<16|int32(int8(b[2]))<<24) / (1 << 31)
	}
}

func scale(samples [][2]float64, gain float64) {
	for i := range samples {
		samples[i][0] *= gain
		samples[i][1] *= gain
	}
}

func toInt16(v float64) int16 { return int16(max(-1<<15, min(1<<15-1, v*(1<<15)))) }

// int16LE puts frames into out as interleaved little-endian 16-bit samples and
// returns the bytes used. It is the exact inverse of decoding a 16-bit clip.
func int16LE(out []byte, frames [][2]float64) []byte {
	out = out[:0]
	for _, f := range frames {
		for _, v := range f {
			out = binary.LittleEndian.AppendUint16(out, uint16(toInt16(v)))
		}
	}
	return out
}
