package display

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
)

//go:embed texts/*.toml
var textFiles embed.FS

// language is one language's words and font. It is read-only: painters share it.
type language struct {
	name  string
	words *texts
	fonts []*opentype.Font // the language's own, if it has one, then the built-in one
	// A letter by whose height the language's size is told: a syllable or an
	// ideograph, or a capital H for an alphabet (EN 301 549 §5.1.4).
	measure rune
	height  float64 // of that letter's ink, in parts of an em
	// How far the ink of any of the words reaches from the base line.
	above, below float64
}

// loadLanguage reads LANG.toml from folder if it is there and "" is not its
// name, otherwise from what is built in. An error names file, key and what to do.
func loadLanguage(lang, folder string) (*language, error) {
	if lang == "" || strings.ContainsAny(lang, `./\`) {
		return nil, fmt.Errorf("language %q: give a name like ko or en", lang)
	}
	file := lang + ".toml"
	data, err := fs.ReadFile(textFiles, "texts/"+file)
	where := "built-in texts/" + file
	if folder != "" {
		own, ownErr := os.ReadFile(filepath.Join(folder, file))
		if ownErr == nil || !errors.Is(ownErr, fs.ErrNotExist) {
			data, err, where = own, ownErr, filepath.Join(folder, file)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no texts for language %q: put %s into the folder that screen.texts names", lang, file)
	}
	if err != nil {
		return nil, fmt.Errorf("texts for language %q: %w", lang, err)
	}
	l, err := parseLanguage(lang, folder, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return l, nil
}

func parseLanguage(lang, folder string, data []byte) (*language, error) {
	var t texts
	meta, err := toml.Decode(string(data), &t)
	if err != nil {
		return nil, err
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return nil, fmt.Errorf("unknown key %s: take it out", extra[0])
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	builtin, err := opentype.Parse(nanumSquare)
	if err != nil {
		return nil, fmt.Errorf("built-in font: %w", err)
	}
	l := &language{name: lang, words: &t, fonts: []*opentype.Font{builtin}}
	if t.Font != "" {
		path := t.Font
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		own, err := openFont(path, t.Face)
		if err != nil {
			return nil, fmt.Errorf("font: %w", err)
		}
		l.fonts = []*opentype.Font{own, builtin}
	}
	if err := l.covers(); err != nil {
		return nil, err
	}
	l.measure = 'H'
	for _, r := range t.Scene[Idle].Say {
		switch {
		case unicode.Is(unicode.Hangul, r):
			l.measure = '한'
		case unicode.Is(unicode.Han, r) || kana(r):
			l.measure = 'あ'
		}
	}
	face := newTypeface(l.fonts...)
	up, down := face.reach(l.measure)
	l.height = up + down
	t.all(func(_, text string) {
		for _, r := range text {
			up, down := face.reach(r)
			l.above, l.below = max(l.above, up), max(l.below, down)
		}
	})
	return l, nil
}

// covers tells whether there is a glyph for every letter. Some fonts, the built-in
// one among them, list letters whose glyph is empty.
func (l *language) covers() (err error) {
	var faces []*typeface
	for _, f := range l.fonts {
		faces = append(faces, newTypeface(f))
	}
	l.words.all(func(key, text string) {
		for _, r := range text + "0123456789·" {
			found := unicode.IsSpace(r)
			for _, f := range faces {
				above, below := f.reach(r)
				found = found || f.has(0, r) && above+below > 0
			}
			if !found && err == nil {
				err = fmt.Errorf("%s: the font has no letter %q: name a font that has it, as font = \"/path/to/font.ttf\"", key, r)
			}
		}
	})
	return err
}

// openFont opens one face of a font file. The file stays open for as long as
// the font is used, so that one of many megabytes need not be in memory.
func openFont(path, face string) (*opentype.Font, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: install it, or name another", err)
	}
	fonts, err := opentype.ParseCollectionReaderAt(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is no TrueType or OpenType font: %w", path, err)
	}
	var names []string
	for i := range fonts.NumFonts() {
		font, err := fonts.Font(i)
		if err != nil {
			continue
		}
		name, _ := font.Name(nil, sfnt.NameIDFull)
		if face == "" || face == name {
			return font, nil
		}
		names = append(names, name)
	}
	f.Close()
	return nil, fmt.Errorf("%s has no face %q: it has %s", path, face, strings.Join(names, ", "))
}
