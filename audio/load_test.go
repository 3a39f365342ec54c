package audio

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestBuiltIn: in each language every prompt is there with its words, at the
// right rate, starts at once, and is as loud as the others.
func TestBuiltIn(t *testing.T) {
	for _, lang := range spoken {
		clips, warnings, err := load("", lang)
		if err != nil || len(warnings) > 0 {
			t.Fatal(err, warnings)
		}
		var words map[Prompt]struct {
			Text, Say, Chime string
			Speed            int
		}
		if meta, err := toml.DecodeFile("prompts/"+lang+".toml", &words); err != nil || len(meta.Undecoded()) > 0 {
			t.Fatal(err, meta.Undecoded())
		}
		if len(words) != len(kinds) || len(clips) != len(kinds) {
			t.Errorf("%s: %d prompts have words, %d sound, %d exist", lang, len(words), len(clips), len(kinds))
		}
		total := 0
		for _, k := range kinds {
			p, c := k.prompt, clips[k.prompt]
			if w := words[p]; w.Text == "" || "chime-"+w.Chime != k.chime.name {
				t.Errorf("%s/%s has the words %q and the chime %q, want some and %s", lang, p, w.Text, w.Chime, k.chime.name)
			}
			if c.rate != wavRate || c.channels != 1 || c.width != 2 {
				t.Errorf("%s/%s: %d Hz, %d channels, %d bytes", lang, p, c.rate, c.channels, c.width)
			}
			total += len(c.pcm)
			first := 0
			for math.Abs(c.sample(first*c.width)) < 0.01 {
				first++
			}
			if at := c.rate.D(first); at.Milliseconds() >= 20 {
				t.Errorf("%s/%s: first audible after %v, want within 20 ms", lang, p, at)
			}
			if lufs, peak := loudness(c); math.Abs(lufs-Loudness) > 0.3 || peak > maxPeak {
				t.Errorf("%s/%s: %.1f LUFS and %.1f dBTP, want %.1f ± 0.3 and at most %.1f: run make prompts", lang, p, lufs, peak, Loudness, maxPeak)
			}
		}
		if d := clips[Accepted].lasts(); d > quick {
			t.Errorf("%s: accepted lasts %v, want at most %v", lang, d, quick)
		}
		if total > 2_600_000 {
			t.Errorf("%s: the prompts take %d bytes", lang, total)
		}
	}
}

// sine is 16-bit mono PCM.
func sine(hz float64, rate int, seconds, level float64) (pcm []byte) {
	for i := range int(seconds * float64(rate)) {
		pcm = int16Mono(pcm, toInt16(level*math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

func TestOwnPrompts(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mine := riff(format(1, 1, 16, 8000), chunk("data", sine(400, 8000, 0.25, 0.1)))
	write("ko/accepted.wav", mine)
	write("checked.wav", mine)
	write("en/test.wav", mine) // another language's
	write("used.wav", []byte("no sound at all"))
	if err := os.Mkdir(filepath.Join(dir, "wait.wav"), 0o755); err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Dir: dir, Languages: []string{"ko", "en"}, Output: "off", Volume: 80}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	built, _, _ := load("", "ko")
	for _, p := range []Prompt{Accepted, Checked} {
		c := v.clips[p]
		if c.rate != 8000 {
			t.Errorf("%s is not the owner's: %d Hz", p, c.rate)
		}
		if lead := chimeYes.lead.Milliseconds(); c.lasts().Milliseconds() != lead+250 {
			t.Errorf("%s lasts %v, want the chime's %d ms and 250 ms of words", p, c.lasts(), lead)
		}
	}
	for _, p := range []Prompt{Used, Wait, Test} {
		if v.clips[p].len() != built[p].len() {
			t.Errorf("%s: what is broken or of another language replaced a built-in prompt", p)
		}
	}
	if w := v.Warnings(); len(w) != 2 || !strings.Contains(w[0].Error(), "used.wav: neither") || !strings.Contains(w[1].Error(), "wait.wav") {
		t.Errorf("warnings are %v, want one each for used.wav and wait.wav", w)
	}
	if _, warnings, _ := load(filepath.Join(dir, "nowhere"), "ko"); len(warnings) != 1 {
		t.Errorf("a folder that is not there: %v", warnings)
	}
	if _, warnings, _ := load(dir, "zh"); len(warnings) != 3 || !strings.Contains(warnings[2].Error(), `spoken in "en"`) {
		t.Errorf("a language without a voice: %v", warnings)
	}
}
