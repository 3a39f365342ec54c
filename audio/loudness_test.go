package audio

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// wave is a clip of 16-bit PCM.
func wave(rate, channels int, pcm []byte) *clip {
	c, err := parseWAV(riff(format(1, channels, 16, rate), chunk("data", pcm)))
	if err != nil {
		panic(err)
	}
	return c
}

func stereo(mono []byte) (out []byte) {
	for i := 0; i < len(mono); i += 2 {
		out = append(out, mono[i], mono[i+1], mono[i], mono[i+1])
	}
	return out
}

func db(v float64) float64 { return math.Pow(10, v/20) }

// TestLoudness holds the meter to EBU Tech 3341, table 1, cases 1 to 5 (the
// last three in a quarter of their time), at two rates, and to a true peak between two samples.
func TestLoudness(t *testing.T) {
	steps := func(rate int, seconds, levels []float64) (pcm []byte) {
		for i, l := range levels {
			pcm = append(pcm, sine(1000, rate, seconds[i], db(l))...)
		}
		return stereo(pcm)
	}
	for _, rate := range []int{22050, 48000} {
		for _, tc := range []struct {
			name            string
			seconds, levels []float64
			want            float64
		}{
			{"1", []float64{20}, []float64{-23}, -23},
			{"2", []float64{20}, []float64{-33}, -33},
			{"3", []float64{2.5, 15, 2.5}, []float64{-36, -23, -36}, -23},
			{"4", []float64{2.5, 2.5, 15, 2.5, 2.5}, []float64{-72, -36, -23, -36, -72}, -23},
			{"5", []float64{5, 5.025, 5}, []float64{-26, -20, -26}, -23},
		} {
			if lufs, _ := loudness(wave(rate, 2, steps(rate, tc.seconds, tc.levels))); math.Abs(lufs-tc.want) > 0.1 {
				t.Errorf("case %s at %d Hz: %.2f LUFS, want %.0f ± 0.1", tc.name, rate, lufs, tc.want)
			}
		}
	}
	// A quarter of the rate, sampled 45° off its peaks, which are 3 dB above.
	var pcm []byte
	for i := range 4800 {
		pcm = int16Mono(pcm, toInt16(0.5*math.Sin(math.Pi/4+math.Pi/2*float64(i))))
	}
	if _, peak := loudness(wave(48000, 1, pcm)); math.Abs(peak-20*math.Log10(0.5)) > 0.4 {
		t.Errorf("true peak %.2f dBTP, want −6.0 (the samples have −9.0)", peak)
	}
	if lufs, _ := loudness(wave(48000, 1, make([]byte, 96000))); !math.IsInf(lufs, -1) {
		t.Errorf("silence: %v LUFS", lufs)
	}
}

// TestLoudnessBesideFFmpeg compares our meter with FFmpeg's ebur128 at
// built-in prompts, where FFmpeg is there.
func TestLoudnessBesideFFmpeg(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg")
	}
	for _, lang := range spoken {
		clips, _, err := load("", lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []Prompt{Accepted, Expired, Closer} { // each is a process
			lufs, peak := loudness(clips[p])
			out, err := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-hide_banner", "-nostats", "-i", filepath.Join("prompts", lang, string(p)+".wav"),
				"-af", "apad=pad_dur=0.4,ebur128=peak=true:dualmono=true:framelog=verbose", "-f", "null", "-").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			theirs := map[string]float64{}
			for line := range strings.Lines(string(out)) {
				if f := strings.Fields(line); len(f) > 1 && (f[0] == "I:" || f[0] == "Peak:") {
					theirs[f[0]], _ = strconv.ParseFloat(f[1], 64)
				}
			}
			if math.Abs(lufs-theirs["I:"]) > 0.15 || math.Abs(peak-theirs["Peak:"]) > 0.3 {
				t.Errorf("%s/%s: %.2f LUFS and %.2f dBTP, FFmpeg says %.1f and %.1f", lang, p, lufs, peak, theirs["I:"], theirs["Peak:"])
			}
		}
	}
}

// TestEqualise: what an owner gives comes out at the loudness of all, however loud
// it was, as far as its peaks leave room.
func TestEqualise(t *testing.T) {
	for _, level := range []float64{-50, -30, -20, -3} {
		c := wave(22050, 1, sine(700, 22050, 1.5, db(level)))
		missing := equalise(c)
		if lufs, _ := loudness(rendered(c)); missing != 0 || math.Abs(lufs-Loudness) > 0.3 {
			t.Errorf("a sine at %.0f dBFS comes out at %.1f LUFS, %.1f missing", level, lufs, missing)
		}
	}
	// Clicks: all peak, little loudness.
	pcm := make([]byte, 2*22050)
	for i := 0; i < 22050; i += 2205 {
		copy(pcm[2*i:], []byte{0, 64, 0, 64})
	}
	c := wave(22050, 1, pcm)
	missing := equalise(c)
	if _, peak := loudness(rendered(c)); missing < 3 || peak > maxPeak+0.1 {
		t.Errorf("clicks rise to %.1f dBTP with %.1f LU missing, want at most %.1f and some missing", peak, missing, maxPeak)
	}
	if c := wave(22050, 1, make([]byte, 1000)); equalise(c) != 0 || c.gain != 0 {
		t.Error("silence was amplified")
	}
}

// rendered is what is heard of a clip.
func rendered(c *clip) *clip {
	return &clip{rate: c.rate, channels: 2, width: 2, pcm: int16LE(nil, play(c))}
}

// TestOwnFormats: an Ogg Vorbis and an MP3 file in an owner's folder are heard at
// the loudness of all, with the chime before them.
func TestOwnFormats(t *testing.T) {
	dir := t.TempDir()
	for name, file := range map[string]string{"en/accepted.ogg": "tone.ogg", "used.mp3": "tone.mp3"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	clips, warnings, err := load(dir, "en")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	for p, first := range map[Prompt]float64{Accepted: 1047, Used: 587} {
		c := clips[p]
		if lufs, peak := loudness(rendered(c)); math.Abs(lufs-Loudness) > 0.3 || peak > maxPeak+0.1 {
			t.Errorf("%s: %.1f LUFS, %.1f dBTP", p, lufs, peak)
		}
		samples := mono(c)
		if hz := pitch(samples[:c.rate.N(60e6)], float64(c.rate)); math.Abs(hz-first) > 40 {
			t.Errorf("%s begins with %.0f Hz, want its chime's %.0f", p, hz, first)
		}
		if hz := pitch(samples[len(samples)*3/4:], float64(c.rate)); math.Abs(hz-440) > 20 {
			t.Errorf("%s ends with %.0f Hz, want the owner's 440", p, hz)
		}
	}
	if bytes.Equal(clips[Accepted].pcm, clips[Used].pcm) {
		t.Error("both are the same")
	}
}
