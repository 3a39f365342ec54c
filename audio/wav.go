package audio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/faiface/beep"
)

// clip is a decoded WAV file: PCM as it stands in the file, decoded sample by
// sample while it plays, so that a prompt in memory costs what it costs on disk.
type clip struct {
	rate     beep.SampleRate
	channels int    // 1 or 2
	width    int    // bytes a sample: 1 (unsigned), 2 or 3 (signed, little endian)
	pcm      []byte // whole frames of channels × width bytes
}

// Rates below a telephone's or above a studio's are taken for a broken header.
const minRate, maxRate = 4000, 192000

var errNotWAV = errors.New("not a WAV file (no RIFF/WAVE header)")

// parseWAV reads a RIFF WAVE file ("Multimedia Programming Interface and Data
// Specifications 1.0", IBM and Microsoft 1991): PCM of 8, 16 or 24 bits, mono
// or stereo, 4 to 192 kHz, also under WAVE_FORMAT_EXTENSIBLE. Chunks it does
// not know are skipped. It is our own because the decoder in beep v1.1.0
// halves the level. The result refers to data.
func parseWAV(data []byte) (*clip, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return nil, errNotWAV
	}
	var c *clip
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), binary.LittleEndian.Uint32(rest[4:8])
		rest = rest[8:]
		if uint64(size) > uint64(len(rest)) {
			return nil, fmt.Errorf("cut off: chunk %q says %d bytes, %d are left", id, size, len(rest))
		}
		body := rest[:size]
		switch id {
		case "fmt ":
			var err error
			if c, err = parseFormat(body); err != nil {
				return nil, err
			}
		case "data":
			if c == nil {
				return nil, errors.New("the data stand before the format")
			}
			frame := c.channels * c.width
			if c.pcm = body[:len(body)/frame*frame]; len(c.pcm) == 0 {
				return nil, errors.New("holds no sound")
			}
			return c, nil
		}
		rest = rest[size:]
		if size%2 == 1 && len(rest) > 0 {
			rest = rest[1:] // chunks are padded to an even length
		}
	}
	return nil, errors.New("holds no sound (no data chunk)")
}

func parseFormat(b []byte) (*clip, error) {
	const pcm, extensible = 1, 0xFFFE
	if len(b) < 16 {
		return nil, fmt.Errorf("format chunk of %d bytes, at least 16 are needed", len(b))
	}
	tag := binary.LittleEndian.Uint16(b)
	if tag == extensible {
		if len(b) < 26 {
			return nil, fmt.Errorf("extensible format chunk of %d bytes, at least 26 are needed", len(b))
		}
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	channels, bits := binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[14:])
	rate := binary.LittleEndian.Uint32(b[4:])
	switch {
	case tag != pcm:
		return nil, fmt.Errorf("format %d, only PCM (1) can be played: convert it, e.g. sox in.wav -e signed -b 16 out.wav", tag)
	case channels != 1 && channels != 2:
		return nil, fmt.Errorf("%d channels, mono or stereo is needed", channels)
	case bits != 8 && bits != 16 && bits != 24:
		return nil, fmt.Errorf("%d bits a sample, 8, 16 or 24 are needed", bits)
	case rate < minRate || rate > maxRate:
		return nil, fmt.Errorf("%d Hz, %d to %d are needed", rate, minRate, maxRate)
	}
	c := &clip{rate: beep.SampleRate(rate), channels: int(channels), width: int(bits / 8)}
	if align := binary.LittleEndian.Uint16(b[12:]); int(align) != c.channels*c.width {
		return nil, fmt.Errorf("frames of %d bytes do not hold %d × %d bits", align, channels, bits)
	}
	return c, nil
}

// len is the number of frames.
func (c *clip) len() int { return len(c.pcm) / (c.channels * c.width) }

// stream plays the clip from its start, at full level, resampled to rate.
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
	s.pos += n
	return n, true
}

// Err implements beep.Streamer: what was parsed cannot fail.
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

// int16LE puts frames into out as interleaved little-endian 16-bit samples and
// returns the bytes used. It is the exact inverse of decoding a 16-bit clip.
func int16LE(out []byte, frames [][2]float64) []byte {
	out = out[:0]
	for _, f := range frames {
		for _, v := range f {
			s := int16(max(-1<<15, min(1<<15-1, v*(1<<15))))
			out = binary.LittleEndian.AppendUint16(out, uint16(s))
		}
	}
	return out
}
