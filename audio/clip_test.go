package audio

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// TestFormats: the same tone comes out of Ogg Vorbis and MP3, at its pitch, level
// and length (an MP3 has padding of up to three frames).
func TestFormats(t *testing.T) {
	for _, tc := range []struct {
		file     string
		channels int
		level    float64 // dBFS; FFmpeg shares a mono sound out among two channels
		slack    time.Duration
	}{
		{"tone.ogg", 1, -24.1, 5 * time.Millisecond},
		{"tone.mp3", 2, -27.1, 90 * time.Millisecond},
	} {
		data, err := os.ReadFile("testdata/" + tc.file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := decode(data)
		if err != nil {
			t.Errorf("%s: %v", tc.file, err)
			continue
		}
		if c.rate != 44100 || c.channels != tc.channels {
			t.Errorf("%s: %d Hz, %d channels", tc.file, c.rate, c.channels)
		}
		if d := c.lasts() - 500*time.Millisecond; d.Abs() > tc.slack {
			t.Errorf("%s lasts %v, want 500 ms", tc.file, c.lasts())
		}
		middle := mono(c)[c.len()/3 : c.len()*2/3]
		if hz := pitch(middle, float64(c.rate)); math.Abs(hz-440) > 8 {
			t.Errorf("%s: %.0f Hz, want 440", tc.file, hz)
		}
		if db := 20 * math.Log10(rms(middle)*math.Sqrt2); math.Abs(db-tc.level) > 0.5 {
			t.Errorf("%s: %.1f dBFS, want %.1f", tc.file, db, tc.level)
		}
		// Cut anywhere, it is shorter or refused, and never more.
		for n := 0; n < len(data); n += 331 {
			if cut, err := decode(data[:n]); err == nil && cut.len() > c.len() {
				t.Errorf("%s cut after %d bytes has %d frames of %d", tc.file, n, cut.len(), c.len())
			}
		}
	}
	if _, err := decode([]byte("FLAC and more")); err == nil || !strings.Contains(err.Error(), "convert it") {
		t.Errorf("a format we do not read: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tone.ogg", "tone.mp3"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil {
			return
		}
		if c.len() == 0 || c.playable() != nil {
			t.Errorf("%d frames, %d Hz, %d channels were taken for a sound", c.len(), c.rate, c.channels)
		}
	})
}

func mono(c *clip) (samples []float64) {
	for _, v := range play(c) {
		samples = append(samples, v[0])
	}
	return samples
}

func rms(samples []float64) float64 {
	sum := 0.0
	for _, v := range samples {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// pitch is the strongest frequency between 300 and 2,000 Hz, by correlation with a
// sine every fiftieth of an octave.
func pitch(samples []float64, rate float64) (best float64) {
	most := 0.0
	for hz := 300.0; hz <= 2000; hz *= 1.014 {
		if p := power(samples, hz, rate); p > most {
			best, most = hz, p
		}
	}
	return best
}

// power is that of one frequency under a Hann window.
func power(samples []float64, hz, rate float64) float64 {
	var re, im float64
	n := float64(len(samples))
	for i, v := range samples {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/n)
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re += w * v * c
		im += w * v * s
	}
	return (re*re + im*im) / (n * n)
}
