package issuer

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer/guide"
	"github.com/munjigi/munjigi/issuer/identity"
)

//go:embed web
var web embed.FS

// pages are the parsed templates and the files beside them.
type pages struct {
	tmpl   *template.Template
	files  map[string][]byte
	ko, en texts
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
	p := &pages{files: map[string][]byte{"brands.css": brandsCSS(brands)}, ko: ko, en: en}
	p.tmpl, err = template.New("").Funcs(template.FuncMap{
		"both": both, "pair": pair, "minute": minute,
		"ko": func(key string) string { return ko[key] }, "en": func(key string) string { return en[key] },
		"paragraphs": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") },
		"b64":        base64.RawURLEncoding.EncodeToString,
		"list":       func(s ...string) []string { return s },
	}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	entries, err := web.ReadDir("web")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	for _, e := range entries {
		if types[path.Ext(e.Name())] == "" {
			continue
		}
		if p.files[e.Name()], err = web.ReadFile("web/" + e.Name()); err != nil {
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
	for _, app := range slices.Sorted(maps.Keys(apps)) {
		v := apps[app]
		fmt.Fprintf(&b, ".brand-%s { --brand: %s; --ink: %s; }\n", v.ID, v.Color, v.Ink)
	}
	return b.Bytes()
}

var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// file serves the style sheets and the scripts.
func (p *pages) file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, ok := p.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(data)
}

// show writes a page. None may be kept: going back never shows an old code.
func (s *Server) show(w http.ResponseWriter, status int, page string, v view) {
	v.Helpline, v.Demo, v.Carriers = s.Helpline, s.inbox != nil, identity.Carriers
	var b bytes.Buffer
	if err := s.pages.tmpl.ExecuteTemplate(&b, page+".html", v); err != nil {
		s.broken(w, "a page is not drawn", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, "home", view{Title: "home", Brands: s.Brands})
}

func (s *Server) missing(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusNotFound, "home", view{Title: "home", Brands: s.Brands})
}

func (s *Server) help(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, "help", view{Title: "trouble"})
}

func (s *Server) guidePage(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, "guide", view{Title: "guide", Brands: s.Brands})
}

// guideFile prints poster or leaflet, with a QR code to the first page here.
func (s *Server) guideFile(w http.ResponseWriter, r *http.Request) {
	sheet, ok := map[string]func(string) ([]byte, error){"poster.pdf": guide.Poster, "leaflet.pdf": guide.Leaflet}[r.PathValue("file")]
	if !ok {
		s.missing(w, r)
		return
	}
	data, err := sheet(s.origin(r) + "/")
	if err != nil {
		s.broken(w, "a sheet is not printed", err)
		return
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `attachment; filename="munjigi-`+r.PathValue("file")+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(data)
}

// origin is this server as the visitor reached it.
func (s *Server) origin(r *http.Request) string {
	if s.Secure || r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// inboxPage stands for the phones' own messages, where none are sent.
func (s *Server) inboxPage(w http.ResponseWriter, r *http.Request) {
	if s.inbox == nil {
		s.missing(w, r)
		return
	}
	s.show(w, http.StatusOK, "inbox", view{Title: "inbox", Messages: s.inbox.Messages()})
}

// subject is the brand or app in a request's address, nil for neither.
func (s *Server) subject(r *http.Request) (*Brand, identity.App) {
	if id := r.PathValue("brand"); id != "" {
		return s.brands[id], ""
	}
	app := identity.App(r.PathValue("app"))
	return apps[app], app
}

// get shows a page of a brand or an app.
func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	b, app := s.subject(r)
	if b == nil {
		s.missing(w, r)
		return
	}
	c, err := s.open(w, r, b, app)
	if err != nil {
		s.broken(w, "a page is not made", err)
		return
	}
	page := r.PathValue("page")
	switch {
	case page == "picture.png" || page == "picture.wav":
		s.picture(c, page)
		return
	case app != "" && (page == "" || page == "pin"):
		s.render(c, http.StatusOK, page)
		return
	case page == "identity":
		if !c.wanted() {
			http.Redirect(w, r, c.where(), http.StatusSeeOther)
			return
		}
	case app != "":
		s.missing(w, r)
		return
	case page == "":
		if c.next() == stepLogin {
			page = string(stepLogin)
		}
	case slices.Contains([]string{"refuse", "gone", "other"}, page):
	case page == "me" || page == "withdraw":
		if next := c.next(); c.person == nil || next == stepLogin || next == stepIdentity {
			http.Redirect(w, r, c.where(), http.StatusSeeOther)
			return
		}
		if !c.fresh() {
			http.Redirect(w, r, c.base+"/login?then=me", http.StatusSeeOther)
			return
		}
	case page == "login" && c.bound() && !c.fresh():
	case slices.Contains([]step{stepConsent, stepGuardian, stepDevice, stepLogin, stepCode}, step(page)):
		if c.next() != step(page) {
			http.Redirect(w, r, c.where(), http.StatusSeeOther)
			return
		}
	default:
		s.missing(w, r)
		return
	}
	s.render(c, http.StatusOK, page)
}
