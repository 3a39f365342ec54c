package audio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/faiface/beep"
)

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
			c.pcm = body
			if err := c.whole(); err != nil {
				return nil, err
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
	case bits != 8 && bits != 16 && bits != 24:
		return nil, fmt.Errorf("%d bits a sample, 8, 16 or 24 are needed", bits)
	}
	c := &clip{rate: beep.SampleRate(rate), channels: int(channels), width: int(bits / 8)}
	if err := c.playable(); err != nil {
		return nil, err
	}
	if align := binary.LittleEndian.Uint16(b[12:]); int(align) != c.channels*c.width {
		return nil, fmt.Errorf("frames of %d bytes do not hold %d × %d bits", align, channels, bits)
	}
	return c, nil
}
