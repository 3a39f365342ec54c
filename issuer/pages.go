package issuer

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/munjigi/munjigi/configs"
)

//go:embed web
var web embed.FS

// pages are the parsed templates and the files beside them.
type pages struct {
	tmpl  *template.Template
	files map[string][]byte
}

// texts are the sentences of one language, by key: web/ko.toml and web/en.toml.
type texts map[string]string

func readTexts(language string) (texts, error) {
	name := "web/" + language + ".toml"
	data, err := web.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the texts: %w", err)
	}
	var t texts
	return t, configs.Decode(name, data, &t)
}

func newPages(brands []Brand) (*pages, error) {
	ko, err := readTexts("ko")
	if err != nil {
		return nil, err
	}
	en, err := readTexts("en")
	if err != nil {
		return nil, err
	}
	if !slices.Equal(slices.Sorted(maps.Keys(ko)), slices.Sorted(maps.Keys(en))) {
		return nil, fmt.Errorf("web/ko.toml and web/en.toml do not have the same texts")
	}
	both := func(key string) (template.HTML, error) {
		if ko[key] == "" {
			return "", fmt.Errorf("there is no text %q", key)
		}
		return pair(ko[key], en[key]), nil
	}
	p := &pages{files: map[string][]byte{"brands.css": brandsCSS(brands)}}
	p.tmpl, err = template.New("").Funcs(template.FuncMap{
		"both": both, "pair": pair,
		"ko": func(key string) string { return ko[key] }, "en": func(key string) string { return en[key] },
		"paragraphs": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") },
	}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	for _, name := range []string{"issuer.css", "consent.js", "qr.js"} {
		if p.files[name], err = web.ReadFile("web/" + name); err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
	}
	return p, nil
}

// pair is Korean with English beside it.
func pair(ko, en string) template.HTML {
	if ko == en {
		return template.HTML(template.HTMLEscapeString(ko))
	}
	return template.HTML(template.HTMLEscapeString(ko) + ` <span class="en" lang="en">` + template.HTMLEscapeString(en) + `</span>`)
}

// brandsCSS gives each brand its colours; the strict CSP allows no style
// attributes. check has seen that they are colours.
func brandsCSS(brands []Brand) []byte {
	var b bytes.Buffer
	for _, v := range brands {
		fmt.Fprintf(&b, ".brand-%s { --brand: %s; --ink: %s; }\n", v.ID, v.Color, v.Ink)
	}
	return b.Bytes()
}

// file serves the style sheets and the script.
func (p *pages) file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, ok := p.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(data)
}

// view is what every page is given.
type view struct {
	Title    string // key of the page's name
	Brand    *Brand // nil on the first page
	Brands   []Brand
	Helpline Helpline
	Missing  bool // a consent was left out
	Agreed   bool // the session has consented before
	Health   bool // a vaccination record can be shown too
}

// show writes a page. None may be kept: going back never shows an old code.
func (s *Server) show(w http.ResponseWriter, status int, page string, v view) {
	v.Helpline = s.Helpline
	var b bytes.Buffer
	if err := s.pages.tmpl.ExecuteTemplate(&b, page, v); err != nil {
		s.Log.Error("a page is not drawn", "page", page, "error", err)
		http.Error(w, "잠시 후 다시 시도해 주세요. Please try again later.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, "home.html", view{Title: "home", Brands: s.Brands})
}

// brandOf finds the brand in the address, or answers that there is none.
func (s *Server) brandOf(w http.ResponseWriter, r *http.Request) *Brand {
	b := s.brands[r.PathValue("brand")]
	if b == nil {
		s.show(w, http.StatusNotFound, "home.html", view{Title: "home", Brands: s.Brands})
	}
	return b
}

func (s *Server) consentPage(w http.ResponseWriter, r *http.Request) {
	if b := s.brandOf(w, r); b != nil {
		_, agreed := s.sessions.consent(r, b.ID, s.Now())
		s.show(w, http.StatusOK, "consent.html", view{Title: "consent", Brand: b, Agreed: agreed, Health: s.Health != nil})
	}
}

// agree takes the consent: every one must be ticked.
func (s *Server) agree(w http.ResponseWriter, r *http.Request) {
	b := s.brandOf(w, r)
	if b == nil {
		return
	}
	if err := r.ParseForm(); err != nil || len(r.PostForm["agree"]) != len(b.Consents) {
		s.show(w, http.StatusUnprocessableEntity, "consent.html", view{Title: "consent", Brand: b, Missing: true})
		return
	}
	value := s.sessions.consented(r, b.ID, consent{health: r.PostForm.Get("health") == "on"}, s.Now())
	http.SetCookie(w, &http.Cookie{
		Name: sessionName, Value: value, Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure || r.TLS != nil,
	})
	http.Redirect(w, r, "/b/"+b.ID+"/qr", http.StatusSeeOther)
}

func (s *Server) qrPage(w http.ResponseWriter, r *http.Request) {
	b := s.brandOf(w, r)
	if b == nil {
		return
	}
	if _, ok := s.sessions.consent(r, b.ID, s.Now()); !ok {
		http.Redirect(w, r, "/b/"+b.ID, http.StatusSeeOther)
		return
	}
	s.show(w, http.StatusOK, "qr.html", view{Title: "qr", Brand: b})
}
