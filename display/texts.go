package display

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// texts are all words of one language, from texts/LANG.toml or a file of that
// name in the folder of [Options.Texts].
type texts struct {
	// Font is the path of the language's font, below the file's folder where it
	// is not absolute; "" means the built-in one (Hangul and Latin). Face is the
	// full name of one face in a font collection.
	Font  string                `toml:"font"`
	Face  string                `toml:"face"`
	Strip stripWords            `toml:"strip"`
	Staff staffWords            `toml:"staff"`
	Scene map[Scene]*sceneWords `toml:"scene"`
	Hint  map[Hint]*hintWords   `toml:"hint"`
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
	None       string `toml:"none"`
	Complete   string `toml:"complete"`
	Incomplete string `toml:"incomplete"`
	Passed     string `toml:"passed"`
	NotPassed  string `toml:"not_passed"`
	Doses      string `toml:"doses"`
}

type sceneWords struct {
	Say   string `toml:"say"`   // what is the matter
	SayN  string `toml:"say_n"` // the same with State.Seconds, where there is one
	Next  string `toml:"next"`  // what to do now
	Short string `toml:"short"` // both for a panel as small as a stamp
}

type hintWords struct {
	Say   string `toml:"say"`
	Short string `toml:"short"`
}

// say is the headline for n seconds.
func (w *sceneWords) say(n int) string {
	if n > 0 && w.SayN != "" {
		return strings.ReplaceAll(w.SayN, "{n}", strconv.Itoa(n))
	}
	return w.Say
}

// all calls each with every text and the key it stands under.
func (t *texts) all(each func(key, text string)) {
	for _, p := range []struct{ key, text string }{
		{"strip.camera", t.Strip.Camera}, {"strip.network", t.Strip.Network}, {"strip.queue", t.Strip.Queue},
		{"strip.keys_hours", t.Strip.KeysHours}, {"strip.keys_days", t.Strip.KeysDays}, {"strip.clock", t.Strip.Clock},
		{"strip.sound", t.Strip.Sound}, {"strip.disk", t.Strip.Disk},
		{"staff.none", t.Staff.None}, {"staff.complete", t.Staff.Complete}, {"staff.incomplete", t.Staff.Incomplete},
		{"staff.passed", t.Staff.Passed}, {"staff.not_passed", t.Staff.NotPassed}, {"staff.doses", t.Staff.Doses},
	} {
		each(p.key, p.text)
	}
	for _, s := range Scenes() {
		w := t.Scene[s]
		if w == nil {
			w = new(sceneWords)
		}
		key := "scene." + string(s)
		each(key+".say", w.Say)
		each(key+".next", w.Next)
		each(key+".short", w.Short)
		if s == NotYetValid {
			each(key+".say_n", w.SayN)
		}
	}
	for _, h := range Hints() {
		w := t.Hint[h]
		if w == nil {
			w = new(hintWords)
		}
		each("hint."+string(h)+".say", w.Say)
		each("hint."+string(h)+".short", w.Short)
	}
}

// check refuses a language that would leave somebody without words.
func (t *texts) check() error {
	var missing []string
	keys := 0
	t.all(func(key, text string) {
		keys++
		if strings.TrimSpace(text) == "" {
			missing = append(missing, key)
		}
	})
	switch n := len(missing); {
	case n > 5:
		return fmt.Errorf("%s and %d more texts are missing: copy the file of a language that is complete and translate it", strings.Join(missing[:3], ", "), n-3)
	case n > 0:
		return fmt.Errorf("%s missing: add it", strings.Join(missing, ", "))
	}
	for _, p := range []struct{ key, text string }{
		{"strip.queue", t.Strip.Queue}, {"strip.keys_hours", t.Strip.KeysHours}, {"strip.keys_days", t.Strip.KeysDays},
		{"staff.doses", t.Staff.Doses}, {"scene.not-yet-valid.say_n", t.Scene[NotYetValid].SayN},
	} {
		if !strings.Contains(p.text, "{n}") {
			return fmt.Errorf("%s is %q: put {n} where the number stands", p.key, p.text)
		}
	}
	for s := range t.Scene {
		if !slices.Contains(Scenes(), s) {
			return fmt.Errorf("scene.%s: there is no such scene, take it out", s)
		}
	}
	for h := range t.Hint {
		if !slices.Contains(Hints(), h) {
			return fmt.Errorf("hint.%s: there is no such hint, take it out", h)
		}
	}
	return nil
}
