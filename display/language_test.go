package display

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
)

// own writes a changed copy of a shipped file into a folder and loads it.
func own(t *testing.T, change func(text string) string) error {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("texts/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"xx.toml": []byte(change(string(text))), "bold.ttf": gobold.TTF} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := NewPainter(Options{Langs: []string{"ko", "xx"}, Texts: dir})
	if err == nil && !strings.Contains(p.Words(State{Scene: Used}), "이미 사용된") {
		t.Error("the Korean words are gone")
	}
	return err
}

// TestOwnLanguage: a dropped file is a language, and what is wrong with one is said
// with its file and key.
func TestOwnLanguage(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not there to be replaced", old)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	for name, tc := range map[string]struct {
		change func(string) string
		want   string // "" for a good file
	}{
		"the same":      {func(s string) string { return s }, ""},
		"own font":      {func(s string) string { return "font = \"bold.ttf\"\nface = \"Go Bold\"\n" + s }, ""},
		"missing":       {replace("say = \"Already used\"\n", ""), "xx.toml: scene.used.say missing: add it"},
		"empty":         {replace("\"Already used\"", "\" \""), "scene.used.say missing"},
		"much missing":  {func(string) string { return "" }, "more texts are missing: copy the file"},
		"no number":     {replace("queue {n}", "queue"), "strip.queue is \"queue\": put {n}"},
		"unknown key":   {replace("[scene.used]\n", "[scene.used]\nsays = \"x\"\n"), "unknown key scene.used.says: take it out"},
		"unknown scene": {func(s string) string { return s + "\n[scene.party]\nsay = \"x\"\n" }, "scene.party: there is no such scene"},
		"unknown hint":  {func(s string) string { return s + "\n[hint.dance]\nsay = \"x\"\n" }, "hint.dance: there is no such hint"},
		"no letter":     {replace("Already used", "已被使用"), "scene.used.say: the font has no letter '已': name a font"},
		"no font":       {func(s string) string { return "font = \"none.ttf\"\n" + s }, "none.ttf: no such file or directory: install it"},
		"no such face":  {func(s string) string { return "font = \"bold.ttf\"\nface = \"Go Fat\"\n" + s }, "has no face \"Go Fat\": it has Go Bold"},
		"no font file":  {func(s string) string { return "font = \"xx.toml\"\n" + s }, "is no TrueType or OpenType font"},
		"no TOML":       {func(s string) string { return s + "\nsay =" }, "xx.toml: toml: line "},
	} {
		err := own(t, tc.change)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: error is %v, want one with %q", name, err, tc.want)
		}
	}
}

func TestLanguages(t *testing.T) {
	for _, langs := range [][]string{{"xx"}, {}, {""}, {"../ko"}, {"ko", "xx"}} {
		if _, err := NewPainter(Options{Langs: langs}); err == nil {
			t.Errorf("the languages %q were taken", langs)
		}
	}
	p, err := NewPainter(Options{Langs: []string{"en"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Words(State{Scene: Used}), "Already used. Please renew your QR code."; got != want {
		t.Errorf("words are %q, want %q", got, want)
	}
	if got, want := p.Words(State{Scene: Seen, Hint: Closer}), "A little closer."; got != want {
		t.Errorf("words are %q, want %q", got, want)
	}
}

// TestShippedLanguages: the files of zh, ja and vi are complete. Whether their font
// has every letter is tested where it is installed.
func TestShippedLanguages(t *testing.T) {
	for _, lang := range []string{"zh", "ja", "vi"} {
		_, err := loadLanguage(lang, shipped)
		if _, missing := os.Stat(foreignFont); missing != nil {
			if err == nil || !strings.Contains(err.Error(), "font: ") {
				t.Errorf("%s: %v", lang, err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"QR코드를 보여 주세요":        {"QR코드를 ", "보여 ", "주세요"},
		"请保持不动，请进":            {"请", "保", "持", "不", "动，", "请", "进"},
		"生成二维码（新）":            {"生", "成", "二", "维", "码", "（新）"},
		"15秒用のコードではありません":     {"15秒用の", "コードではありません"},
		"記録は「なし」です。お入り":       {"記録は", "「なし」", "です。", "お入り"},
		"Đặt vào trong khung": {"Đặt ", "vào ", "trong ", "khung"},
	} {
		if got := breakable(text, false); !slices.Equal(got, want) {
			t.Errorf("%q breaks into %q, want %q", text, got, want)
		}
	}
	if got, want := breakable("https://munjigi-9c2d.local:8443", true), []string{"https://", "munjigi-", "9c2d.", "local:", "8443"}; !slices.Equal(got, want) {
		t.Errorf("an address breaks into %q, want %q", got, want)
	}
	p, _ := NewPainter(Options{})
	f := p.faces[0]
	if lines, ok := f.wrap(50, "QR코드를 보여 주세요", 330, 3); !ok || !slices.Equal(lines, []string{"QR코드를", "보여 주세요"}) {
		t.Errorf("lines are %q, %v: not as even as can be", lines, ok)
	}
	if _, ok := f.wrap(50, "QR코드를 보여 주세요", 100, 3); ok {
		t.Error("words wider than a line were said to fit")
	}
}
