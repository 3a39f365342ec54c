package audio

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/faiface/beep"
	"github.com/google/go-cmp/cmp"
)

// riff builds a file of chunks; each is padded.
func riff(chunks ...[]byte) []byte {
	out := []byte("RIFF\x00\x00\x00\x00WAVE")
	for _, c := range chunks {
		out = append(out, c...)
		if len(c)%2 == 1 {
			out = append(out, 0)
		}
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func chunk(id string, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body))), body...)
}

func format(tag, channels, bits, rate int, more ...byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, uint16(tag))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*channels*bits/8))
	b = le.AppendUint16(b, uint16(channels*bits/8))
	b = le.AppendUint16(b, uint16(bits))
	return chunk("fmt ", append(b, more...))
}

// extensible ends a WAVE_FORMAT_EXTENSIBLE format chunk for PCM.
var extensible = []byte{22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113}

func play(c *clip) (out [][2]float64) {
	s := c.stream(c.rate)
	var block [3][2]float64 // not a divisor of most lengths
	for {
		n, ok := s.Stream(block[:])
		if !ok {
			return out
		}
		out = append(out, block[:n]...)
	}
}

// TestFullLevel: every width and both layouts are decoded to their full level.
func TestFullLevel(t *testing.T) {
	for _, tc := range []struct {
		name string
		file []byte
		want [][2]float64
	}{
		{"8 bit mono", riff(format(1, 1, 8, 8000), chunk("data", []byte{0, 128, 255, 192})), [][2]float64{{-1, -1}, {0, 0}, {127. / 128, 127. / 128}, {.5, .5}}},
		{"16 bit mono", riff(format(1, 1, 16, 8000), chunk("data", []byte{0, 128, 0, 64, 255, 127})), [][2]float64{{-1, -1}, {.5, .5}, {32767. / 32768, 32767. / 32768}}},
		{"16 bit stereo", riff(format(1, 2, 16, 44100), chunk("data", []byte{0, 128, 0, 64})), [][2]float64{{-1, .5}}},
		{"24 bit stereo", riff(format(1, 2, 24, 48000), chunk("data", []byte{0, 0, 128, 0, 0, 64, 1, 0, 0, 255, 255, 255})), [][2]float64{{-1, .5}, {1. / (1 << 23), -1. / (1 << 23)}}},
		{"extensible, other chunks, odd sizes, half a frame at the end",
			riff(chunk("LIST", []byte("abc")), format(0xFFFE, 1, 16, 22050, extensible...), chunk("fact", []byte{1, 2, 3, 4}), chunk("data", []byte{0, 64, 9})),
			[][2]float64{{.5, .5}}},
	} {
		c, err := parseWAV(tc.file)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, play(c)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestBrokenWAV(t *testing.T) {
	data := chunk("data", make([]byte, 8))
	for _, tc := range []struct {
		name string
		file []byte
		want string // part of the error
	}{
		{"empty", nil, "not a WAV"},
		{"an MP3", []byte("ID3\x04 and so on and on"), "not a WAV"},
		{"no chunks", riff(), "no data"},
		{"no sound", riff(format(1, 1, 16, 8000), chunk("data", nil)), "no sound"},
		{"data first", riff(data, format(1, 1, 16, 8000)), "before the format"},
		{"float", riff(format(3, 1, 32, 48000), data), "only PCM"},
		{"surround", riff(format(1, 6, 16, 48000), data), "6 channels"},
		{"12 bits", riff(format(1, 1, 12, 48000), data), "12 bits"},
		{"no rate", riff(format(1, 1, 16, 0), data), "0 Hz"},
		{"short format", riff(chunk("fmt ", make([]byte, 14)), data), "format chunk"},
		{"short extensible", riff(format(0xFFFE, 1, 16, 8000, 0, 0), data), "extensible"},
		{"cut off", riff(format(1, 1, 16, 8000), data)[:50], "cut off"},
		{"endless chunk", riff(format(1, 1, 16, 8000), []byte("data\xff\xff\xff\xff")), "cut off"},
	} {
		if c, err := parseWAV(tc.file); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v; want an error with %q", tc.name, c, err, tc.want)
		}
	}
}

func FuzzParseWAV(f *testing.F) {
	f.Add(riff(format(1, 2, 16, 44100), chunk("data", []byte{1, 2, 3, 4, 5, 6})))
	f.Add(riff(chunk("LIST", []byte("abc")), format(0xFFFE, 1, 24, 22050, extensible...), chunk("data", []byte{1, 2, 3})))
	f.Add(riff(format(1, 1, 8, 8000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseWAV(data)
		if err != nil {
			return
		}
		if n := len(play(c)); n != c.len() || n == 0 || n > len(data) {
			t.Errorf("%d frames played of %d", n, c.len())
		}
		if c.len() < 1000 {
			var block [64][2]float64
			for s := c.stream(speedFor(c)); ; {
				if _, ok := s.Stream(block[:]); !ok {
					return
				}
			}
		}
	})
}

// speedFor is another rate than the clip's, so that it is resampled.
func speedFor(c *clip) beep.SampleRate { return c.rate + 1000 }

func TestConfig(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []Config{{Output: "loud"}, {Output: "wav:"}, {Volume: 101}, {Volume: -1}, {QuietVolume: 101}, {Quiet: "22"}, {Quiet: "22:00-25:00"}, {Quiet: "7:00-07:00"}} {
		if _, err := New(c, log); err == nil || !strings.Contains(err.Error(), "sound.") {
			t.Errorf("%+v: %v, want an error that names the key", c, err)
		}
	}
}
