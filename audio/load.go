package audio

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/faiface/beep"
)

//go:embed prompts/*.wav prompts/ko/*.wav prompts/en/*.wav
var builtIn embed.FS

// The languages that are built in, the usual one first.
var spoken = []string{"ko", "en"}

// maxFile bounds an owner's file: a minute of 48 kHz stereo 24-bit sound is
// 17 MB.
const maxFile = 20 << 20

// quick is how long the prompt may last that everybody hears, chime included.
const quick = 900 * time.Millisecond

// extensions of an owner's files, in the order they are looked for.
var extensions = []string{".wav", ".ogg", ".mp3"}

// library is where prompts come from: an owner's folder, then what is built in.
type library struct {
	dir      string // "" for none
	lang     string
	warnings []error
}

// load returns every prompt's clip in a language. A file of the prompt's name
// in dir/LANG or dir has the words in place of the built-in ones, and a file
// of a chime's name that chime; what is wrong with such a file is a warning
// each, and the built-in one is kept.
func load(dir, lang string) (clips map[Prompt]*clip, warnings []error, err error) {
	l := &library{dir: dir, lang: lang}
	built := lang
	if _, err := fs.Stat(builtIn, "prompts/"+lang); lang == "" || err != nil {
		built = spoken[0]
		if lang != "" {
			built = spoken[1] // who set another language has visitors from abroad
		}
	}
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			l.warn(fmt.Errorf("prompt folder: %w; the built-in prompts are used", err))
		}
	}
	clips = make(map[Prompt]*clip, len(kinds))
	var missing []string
	for _, k := range kinds {
		if own := l.own(string(k.prompt)); own != nil {
			clips[k.prompt] = l.compose(k, own)
			continue
		}
		missing = append(missing, string(k.prompt))
		if clips[k.prompt], err = builtInClip(built + "/" + string(k.prompt)); err != nil {
			return nil, nil, err
		}
	}
	if lang != "" && lang != built && len(missing) > 0 {
		l.warn(fmt.Errorf("no voice in %q is built in, and %d prompts (%s …) are missing in sound.prompts: they are spoken in %q", lang, len(missing), missing[0], built))
	}
	return clips, l.warnings, nil
}

func (l *library) warn(err error) { l.warnings = append(l.warnings, err) }

func builtInClip(name string) (*clip, error) {
	data, err := builtIn.ReadFile("prompts/" + name + ".wav")
	if err != nil {
		return nil, err
	}
	c, err := parseWAV(data)
	if err != nil {
		return nil, fmt.Errorf("built-in %s: %w", name, err)
	}
	return c, nil
}

// own is the owner's file of a name, at the loudness of all; nil for none.
func (l *library) own(name string) *clip {
	if l.dir == "" {
		return nil
	}
	for _, folder := range []string{filepath.Join(l.dir, l.lang), l.dir} {
		for _, ext := range extensions {
			c, err := readOwn(filepath.Join(folder, name+ext))
			if err == nil {
				if short := equalise(c); short > 3 {
					l.warn(fmt.Errorf("prompt %s is %.0f LU quieter than the others, because its peaks leave no room: limit them", name+ext, short))
				}
				return c
			}
			if !errors.Is(err, fs.ErrNotExist) {
				l.warn(fmt.Errorf("%w; the built-in one is used", err))
			}
		}
	}
	return nil
}

func readOwn(name string) (*clip, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("prompt %s: not a plain file of at most %d MB", name, maxFile>>20)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("prompt %s: %w", name, err)
	}
	return c, nil
}

// compose puts a prompt's chime before an owner's words, as in those built in.
func (l *library) compose(k kind, words *clip) *clip {
	bell := l.own(k.chime.name)
	if bell == nil {
		var err error
		if bell, err = builtInClip(k.chime.name); err != nil {
			return words // cannot be: a test reads each of them
		}
	}
	mixed := mix(bell, words, k.chime.lead)
	equalise(mixed)
	if d := mixed.lasts(); k.prompt == Accepted && d > quick {
		l.warn(fmt.Errorf("prompt accepted lasts %v with its chime, which takes %v: the next visitor waits for what is beyond %v", d.Round(10*time.Millisecond), k.chime.lead, quick))
	}
	return mixed
}

// mix lays words over a bell, from lead on, at the words' rate. It leaves both
// room for their sum.
func mix(bell, words *clip, lead time.Duration) *clip {
	at := words.rate.N(lead)
	frames := make([][2]float64, max(at+words.len(), words.rate.N(bell.lasts())))
	add := func(s beep.Streamer, to [][2]float64, gain float64) {
		var block [512][2]float64
		for len(to) > 0 {
			n, ok := s.Stream(block[:min(len(block), len(to))])
			if !ok {
				return
			}
			for i, v := range block[:n] {
				to[i][0] += gain * v[0]
				to[i][1] += gain * v[1]
			}
			to = to[n:]
		}
	}
	add(bell.stream(words.rate), frames, 0.5)
	add(words.stream(words.rate), frames[at:], 0.5)
	return &clip{rate: words.rate, channels: 2, width: 2, pcm: int16LE(nil, frames)}
}
