package owners

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// pages are the parsed templates, for each language its own.
type pages struct {
	words     map[string]words
	templates map[string]map[string]*template.Template // by language and page
}

// loadPages parses what is embedded.
func loadPages() (*pages, error) {
	p := &pages{words: map[string]words{}, templates: map[string]map[string]*template.Template{}}
	files, err := web.ReadDir("web")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	for _, lang := range languages {
		w, err := loadWords(lang)
		if err != nil {
			return nil, err
		}
		p.words[lang] = w
		base, err := template.New("base").Funcs(w.functions()).ParseFS(web, "web/base.html", "web/parts.html")
		if err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
		p.templates[lang] = map[string]*template.Template{}
		for _, f := range files {
			name, isPage := strings.CutSuffix(f.Name(), ".html")
			if !isPage || name == "base" || name == "parts" {
				continue
			}
			page := template.Must(base.Clone())
			if _, err := page.ParseFS(web, path.Join("web", f.Name())); err != nil {
				return nil, fmt.Errorf("read the pages: %w", err)
			}
			p.templates[lang][name] = page
		}
	}
	return p, nil
}

// functions are what templates may call.
func (w words) functions() template.FuncMap {
	return template.FuncMap{
		"t":      w.say,
		"lang":   func() string { return w["language.code"] },
		"kind":   w.kind,
		"day":    w.day,
		"moment": w.moment,
		"recent": w.recent,
		"num":    thousands,
		"dash":   hyphened,
		"phone":  spoken,
		"dict":   dict,
	}
}

// dict makes a map of pairs, to give a part of a page several values.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no key", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
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
	Path     string // of this page, for the other language
	Query    template.URL
	SignedIn bool
	Boss     bool
	Account  account
	Owner    owner
	Registry string
	Done     string    // key of a text that says what has just been done
	Problems []problem // with a form
	Form     url.Values
	Now      time.Time
	Body     any
}

// problem is what is wrong with one field of a form.
type problem struct{ Field, Text string }

// Problem is the text of what is wrong with a field.
func (v view) Problem(field string) string {
	for _, p := range v.Problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

// Value is what was typed into a field that is shown again.
func (v view) Value(field string) string { return v.Form.Get(field) }

// done are the things a page may say have just been done; the address names
// one by its key, so that it can say nothing else.
var done = []string{"branch", "renamed", "revoked", "role", "removed", "hours", "business", "password", "recovered", "left", "everywhere", "joined", "deleted"}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, v *visitor, status int, page string, body any, problems ...problem) error {
	data := view{
		Path: r.URL.Path, SignedIn: v.session != "", Boss: v.boss(), Account: v.account, Owner: v.owner,
		Registry: s.Registry, Problems: problems, Now: s.Now(), Body: body, Form: url.Values{},
	}
	if key := r.URL.Query().Get("done"); slices.Contains(done, key) {
		data.Done = key
	}
	if day := r.URL.Query().Get("day"); day != "" {
		if _, err := time.Parse(time.DateOnly, day); err == nil {
			data.Query = template.URL("day=" + day + "&")
		}
	}
	for field, values := range r.PostForm {
		if !strings.Contains(field, "password") { // never sent back
			data.Form[field] = values
		}
	}
	var page1 bytes.Buffer
	if err := s.pages.templates[v.words["language.code"]][page].ExecuteTemplate(&page1, "base.html", data); err != nil {
		return fmt.Errorf("draw the page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(page1.Bytes())
	return nil
}

// fail answers with a page that says what is the matter and what to do.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, v *visitor, status int) {
	if err := s.show(w, r, v, status, "fail", status); err != nil {
		s.Log.Error("an owner's page is not served", "error", err)
		http.Error(w, http.StatusText(status), status)
	}
}

// asset serves the style sheet and the icon.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{"owners.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
	name := r.PathValue("file")
	data, err := web.ReadFile("web/" + name)
	if types[name] == "" || err != nil {
		s.fail(w, r, &visitor{words: s.pages.language(w, r)}, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", types[name])
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(data)
}
