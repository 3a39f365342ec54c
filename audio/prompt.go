package audio

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Prompt names a sentence the kiosk can say. It is the stem of the WAV file
// that holds it: Accepted is accepted.wav.
type Prompt string

// The prompts that are built in. Their words stand in prompts/ko.toml.
const (
	Accepted      Prompt = "accepted"       // 인증되었습니다
	Checked       Prompt = "checked"        // 확인되었습니다: verified, nothing recorded
	Expired       Prompt = "expired"        // renew the code
	Used          Prompt = "used"           // used already: renew the code
	PhoneClock    Prompt = "phone-clock"    // the phone's clock is ahead
	Unreadable    Prompt = "unreadable"     // show it again
	NotAPass      Prompt = "not-a-pass"     // some other QR code
	UnknownIssuer Prompt = "unknown-issuer" // not registered: ask staff
	Refused       Prompt = "refused"        // cannot be verified: renew the code
	NotNeeded     Prompt = "not-needed"     // no check-in needed now
	Wait          Prompt = "wait"           // one moment
	Clock         Prompt = "clock"          // the reader's clock is not set
	OutOfOrder    Prompt = "out-of-order"   // ask staff
)

// Prompts lists every built-in prompt.
func Prompts() []Prompt {
	return []Prompt{
		Accepted, Checked, Expired, Used, PhoneClock, Unreadable, NotAPass,
		UnknownIssuer, Refused, NotNeeded, Wait, Clock, OutOfOrder,
	}
}

//go:embed prompts/*.wav
var builtIn embed.FS

// maxFile bounds an owner's WAV file: a minute of 48 kHz stereo 24-bit sound
// is 17 MB, and nobody waits that long at a door.
const maxFile = 20 << 20

// load returns every prompt's clip. A file of the prompt's name in dir (which
// may be empty) replaces the built-in one; what is wrong with such a file is
// returned as one warning each, and the built-in one is kept.
func load(dir string) (clips map[Prompt]*clip, warnings []error, err error) {
	clips = make(map[Prompt]*clip)
	for _, p := range Prompts() {
		data, err := builtIn.ReadFile("prompts/" + string(p) + ".wav")
		if err != nil {
			return nil, nil, err
		}
		if clips[p], err = parseWAV(data); err != nil {
			return nil, nil, fmt.Errorf("built-in prompt %s: %w", p, err)
		}
		if dir == "" {
			continue
		}
		own, err := readOwn(filepath.Join(dir, string(p)+".wav"))
		switch {
		case err == nil:
			clips[p] = own
		case !errors.Is(err, fs.ErrNotExist):
			warnings = append(warnings, fmt.Errorf("%w; the built-in prompt is used", err))
		}
	}
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			warnings = append(warnings, fmt.Errorf("prompt folder: %w; the built-in prompts are used", err))
		}
	}
	return clips, warnings, nil
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
	c, err := parseWAV(data)
	if err != nil {
		return nil, fmt.Errorf("prompt %s: %w", name, err)
	}
	return c, nil
}
