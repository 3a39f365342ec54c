package owners

import (
	"embed"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

//go:embed texts/*.toml
var textFiles embed.FS

// languages in the order they are offered; the first is the default.
var languages = []string{"ko", "en"}

// words are all texts of one language: "page.key" to text. {name} stands for a
// value.
type words map[string]string

func loadWords(lang string) (words, error) {
	data, err := textFiles.ReadFile("texts/" + lang + ".toml")
	if err != nil {
		return nil, fmt.Errorf("read the texts: %w", err)
	}
	var groups map[string]map[string]string
	if err := toml.Unmarshal(data, &groups); err != nil {
		return nil, fmt.Errorf("read texts/%s.toml: %w", lang, err)
	}
	w := words{}
	for group, texts := range groups {
		for key, text := range texts {
			w[group+"."+key] = text
		}
	}
	return w, nil
}

// say is the text of a key with values put in: say("home.since", "day", "1 May").
// A key that is missing stands for itself: a test finds those.
func (w words) say(key string, values ...any) string {
	text, ok := w[key]
	if !ok {
		return key
	}
	if len(values) == 0 {
		return text
	}
	pairs := make([]string, len(values)&^1)
	for i := range pairs {
		pairs[i] = fmt.Sprint(values[i])
		if i%2 == 0 {
			pairs[i] = "{" + pairs[i] + "}"
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// kind is the name of a kind of facility; one that only the operator's
// configuration knows stands for itself.
func (w words) kind(kind string) string {
	if text, ok := w["kind."+kind]; ok {
		return text
	}
	return kind
}
