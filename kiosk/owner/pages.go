package owner

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/munjigi/munjigi/display"
)

//go:embed web texts
var files embed.FS

// languages in the order they are offered; the first is the default.
var languages = []string{"ko", "en"}

// words are all texts of one language: "page.key" to text. {name} stands for a
// value.
type words map[string]string

func loadWords(lang string) (words, error) {
	data, err := files.ReadFile("texts/" + lang + ".toml")
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

// say is the text of a key with values put in: say("today.hour", "hour", 7). A
// key that is missing stands for itself: a test finds those.
func (w words) say(key string, values ...any) string {
	text, ok := w[key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(values); i += 2 {
		text = strings.ReplaceAll(text, "{"+fmt.Sprint(values[i])+"}", fmt.Sprint(values[i+1]))
	}
	return text
}

// moment writes a date and time of day in Seoul.
func (w words) moment(t time.Time) string {
	if t.IsZero() {
		return w["time.never"]
	}
	return t.In(seoul).Format(w["time.moment"])
}

// duration writes how long to wait, roughly.
func (w words) duration(d time.Duration) string {
	if d > 90*time.Second {
		return w.say("time.minutes", "n", int((d+time.Minute-1)/time.Minute))
	}
	return w.say("time.seconds", "n", int((d+time.Second-1)/time.Second))
}

// levels name how a part is in texts and style sheet.
var levels = map[display.Level]string{display.OK: "good", display.Warn: "look", display.Bad: "bad", display.Hidden: "off"}

// pages are the parsed templates, for each language its own.
type pages struct {
	words     map[string]words
	templates map[string]map[string]*template.Template // by language and page
}

func loadPages() (*pages, error) {
	p := &pages{words: map[string]words{}, templates: map[string]map[string]*template.Template{}}
	all, err := files.ReadDir("web")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	for _, lang := range languages {
		w, err := loadWords(lang)
		if err != nil {
			return nil, err
		}
		p.words[lang] = w
		base, err := template.New("base").Funcs(template.FuncMap{
			"t": w.say, "num": thousands, "moment": w.moment, "duration": w.duration,
			"level": func(l display.Level) string { return levels[l] },
			"says":  func(c Condition) string { return w.condition(c, "") },
			"do":    func(c Condition) string { return w.condition(c, "_do") },
		}).ParseFS(files, "web/base.html", "web/parts.html")
		if err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
		p.templates[lang] = map[string]*template.Template{}
		for _, f := range all {
			name, isPage := strings.CutSuffix(f.Name(), ".html")
			if !isPage || name == "base" || name == "parts" {
				continue
			}
			page := template.Must(base.Clone())
			if _, err := page.ParseFS(files, path.Join("web", f.Name())); err != nil {
				return nil, fmt.Errorf("read the pages: %w", err)
			}
			p.templates[lang][name] = page
		}
	}
	return p, nil
}

// condition is a part's state in words, or with "_do" what to do about it;
// empty where nothing is to be done.
func (w words) condition(c Condition, suffix string) string {
	key := "health." + c.Part + "_" + strings.ReplaceAll(c.State, "-", "_") + suffix
	if suffix != "" && w[key] == "" {
		return ""
	}
	return w.say(key, "n", thousands(c.Number), "time", w.moment(c.Time))
}

// Words says whether the page's texts have a condition in every language: what
// a part's test asks, so that no new state goes without.
func Words(c Condition) error {
	for _, lang := range languages {
		w, err := loadWords(lang)
		if err != nil {
			return err
		}
		for _, suffix := range []string{"", "_do"} {
			if text := w.condition(c, suffix); strings.HasPrefix(text, "health.") || text == "" && (suffix == "" || c.Level >= display.Warn) {
				return fmt.Errorf("kiosk/owner/texts/%s.toml: [health] %s_%s%s is missing", lang, c.Part, c.State, suffix)
			}
		}
		if w["health."+c.Part] == "" {
			return fmt.Errorf("kiosk/owner/texts/%s.toml: [health] %s is missing", lang, c.Part)
		}
	}
	return nil
}

const languageCookie = "munjigi-language"

// language is the one asked for by ?lang=, which is remembered, or by the
// cookie, or Korean.
func (p *pages) language(w http.ResponseWriter, r *http.Request) words {
	if lang := r.URL.Query().Get("lang"); slices.Contains(languages, lang) {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
		return p.words[lang]
	}
	if c, err := r.Cookie(languageCookie); err == nil && slices.Contains(languages, c.Value) {
		return p.words[c.Value]
	}
	return p.words[languages[0]]
}

// view is what base.html shows around every page.
type view struct {
	Path     string
	SignedIn bool
	Facility string
	Kiosk    string
	Done     string // key of a text that says what has just been done
	Problem  string // text of what is wrong with a form
	Body     any
}

// done are the things a page may say have just been done; the address names
// one by its key, so that it can say nothing else.
var done = []string{"volume", "muted", "unmuted", "test", "green", "red", "buzzer", "door", "password", "aimed", "restart"}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, v *visit, status int, page string, body any) error {
	data := view{Path: r.URL.Path, SignedIn: v.signedIn, Body: body, Problem: v.problem}
	if i := s.Who(); i != nil && v.signedIn {
		data.Facility, data.Kiosk = i.FacilityName, i.Kiosk
	}
	if key := r.URL.Query().Get("done"); slices.Contains(done, key) {
		data.Done = key
	}
	var made bytes.Buffer
	if err := s.pages.templates[v.words["language.code"]][page].ExecuteTemplate(&made, "base.html", data); err != nil {
		return fmt.Errorf("draw the page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(made.Bytes())
	return nil
}

// fail answers with a page that says what is the matter and what to do.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, v *visit, status int) {
	if err := s.show(w, r, v, status, "fail", status); err != nil {
		s.Log.Error("the owner's page is not drawn", "err", err)
		http.Error(w, http.StatusText(status), status)
	}
}

// assets are what pages load, with their types.
var assets = map[string]string{"owner.css": "text/css; charset=utf-8", "owner.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, err := files.ReadFile("web/" + name)
	if assets[name] == "" || err != nil {
		s.fail(w, r, &visit{words: s.pages.language(w, r)}, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", assets[name])
	w.Header().Set("Cache-Control", "max-age=600")
	w.Write(data)
}
