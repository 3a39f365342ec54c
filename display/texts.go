package display

import (
	"embed"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

//go:embed texts/*.toml
var textFiles embed.FS

// texts are all words of one language.
type texts struct {
	Strip stripWords            `toml:"strip"`
	Staff staffWords            `toml:"staff"`
	Scene map[Scene]*sceneWords `toml:"scene"`
	Hint  map[Hint]*sceneWords  `toml:"hint"`
}

type stripWords struct {
	Camera    string `toml:"camera"`
	Network   string `toml:"network"`
	Queue     string `toml:"queue"`
	KeysHours string `toml:"keys_hours"`
	KeysDays  string `toml:"keys_days"`
	Clock     string `toml:"clock"`
	Sound     string `toml:"sound"`
	Disk      string `toml:"disk"`
}

type staffWords struct {
	Complete   string `toml:"complete"`
	Incomplete string `toml:"incomplete"`
	Passed     string `toml:"passed"`
	NotPassed  string `toml:"not_passed"`
	Doses      string `toml:"doses"`
}

type sceneWords struct {
	Say  string `toml:"say"`   // what is the matter
	SayN string `toml:"say_n"` // the same with State.Seconds, where there is one
	Next string `toml:"next"`  // what to do now
}

// say is the headline for n seconds.
func (w *sceneWords) say(n int) string {
	if n > 0 && w.SayN != "" {
		return number(w.SayN, n)
	}
	return w.Say
}

func number(text string, n int) string {
	return strings.ReplaceAll(text, "{n}", fmt.Sprint(n))
}

// loadTexts reads texts/LANG.toml and refuses unknown keys and missing scenes.
func loadTexts(lang string) (*texts, error) {
	data, err := textFiles.ReadFile("texts/" + lang + ".toml")
	if err != nil {
		return nil, fmt.Errorf("no texts for language %q: %w", lang, err)
	}
	var t texts
	meta, err := toml.Decode(string(data), &t)
	if err != nil {
		return nil, fmt.Errorf("texts/%s.toml: %w", lang, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return nil, fmt.Errorf("texts/%s.toml: unknown key %s", lang, extra[0])
	}
	for _, s := range Scenes() {
		if w := t.Scene[s]; w == nil || w.Say == "" || w.Next == "" {
			return nil, fmt.Errorf("texts/%s.toml: scene.%s needs say and next", lang, s)
		}
	}
	for _, h := range Hints() {
		if w := t.Hint[h]; w == nil || w.Say == "" || w.Next == "" {
			return nil, fmt.Errorf("texts/%s.toml: hint.%s needs say and next", lang, h)
		}
	}
	if len(t.Scene) != len(Scenes()) || len(t.Hint) != len(Hints()) {
		return nil, fmt.Errorf("texts/%s.toml: a scene or hint that does not exist has words", lang)
	}
	return &t, nil
}
