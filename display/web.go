package display

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"image"
	"image/draw"
	"image/jpeg"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Link is one more link on the screen's web page.
type Link struct{ Name, URL string }

// WebOptions describe the web panel.
type WebOptions struct {
	Size image.Point // pixels; zero means 1024×600
	// Remote allows readers beyond this machine. Their picture then has
	// neither the camera's picture nor the staff's field.
	Remote bool
	Links  []Link
}

// Web is a panel that is a web page: the device's own screen, live. Serve it
// with net/http at the root or under http.StripPrefix. Without Remote only
// requests from this machine, by its own name, are answered.
type Web struct {
	options WebOptions
	page    []byte
	mux     http.ServeMux

	mu      sync.Mutex
	img     *image.RGBA // newest picture; nil: none yet
	serial  int         // number of img
	words   string
	changed chan struct{} // closed when serial grows
	coded   []byte        // img as JPEG, once somebody asked for it
}

//go:embed web/index.html
var webIndex string

//go:embed web/screen.js
var webScript []byte

//go:embed web/screen.css
var webStyle []byte

// NewWeb makes the web panel. An error names a link that is none.
func NewWeb(o WebOptions) (*Web, error) {
	if o.Size == (image.Point{}) {
		o.Size = image.Pt(1024, 600)
	}
	for _, l := range o.Links {
		if u, err := url.Parse(l.URL); err != nil || (u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("link %q: %q is not a web address", l.Name, l.URL)
		}
	}
	t, err := template.New("index").Parse(webIndex)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, o); err != nil {
		return nil, err
	}
	w := &Web{options: o, page: page.Bytes(), changed: make(chan struct{})}
	w.mux.HandleFunc("GET /{$}", w.asset("text/html; charset=utf-8", w.page))
	w.mux.HandleFunc("GET /screen.js", w.asset("text/javascript; charset=utf-8", webScript))
	w.mux.HandleFunc("GET /screen.css", w.asset("text/css; charset=utf-8", webStyle))
	w.mux.HandleFunc("GET /frame", w.frame)
	return w, nil
}

// Open is the panel's Opener.
func (w *Web) Open() (Panel, error) { return w, nil }

// Public implements the interface of that name.
func (w *Web) Public() bool { return w.options.Remote }

// Words implements Speaking.
func (w *Web) Words(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = text
}

// Show implements Panel. Nothing is encoded until somebody looks.
func (w *Web) Show(img *image.RGBA, changed []image.Rectangle) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.img == nil {
		w.img = image.NewRGBA(image.Rectangle{Max: img.Rect.Size()})
	}
	for _, r := range changed {
		draw.Draw(w.img, r, img, r.Min, draw.Src)
	}
	w.serial++
	w.coded = nil
	close(w.changed)
	w.changed = make(chan struct{})
	return nil
}

func (w *Web) Size() image.Point { return w.options.Size }
func (w *Web) Close() error      { return nil }
func (w *Web) String() string    { return "web" }

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !w.options.Remote && !(local(r.RemoteAddr) && local(r.Host)) {
		http.Error(rw, "this screen is shown on the device itself only", http.StatusForbidden)
		return
	}
	h := rw.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.mux.ServeHTTP(rw, r)
}

// local tells whether host (with or without a port) is this machine. The name
// is checked beside the address so that a web site whose name was pointed at
// 127.0.0.1 cannot read the screen (DNS rebinding).
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (w *Web) asset(kind string, body []byte) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", kind)
		rw.Write(body)
	}
}

// frameWait is how long /frame waits for a new picture before it says 204.
const frameWait = 10 * time.Second

// frame answers GET /frame?after=N with the picture whose number is not N, as
// soon as there is one: a JPEG with its number in Screen-Serial and the scene's
// words, percent-encoded, in Screen-Words. 204 means: ask again.
func (w *Web) frame(rw http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.FormValue("after"))
	if err != nil {
		after = 0
	}
	timeout := time.NewTimer(frameWait)
	defer timeout.Stop()
	for {
		serial, words, coded, changed := w.newest(after)
		if coded != nil {
			h := rw.Header()
			h.Set("Content-Type", "image/jpeg")
			h.Set("Screen-Serial", strconv.Itoa(serial))
			h.Set("Screen-Words", url.PathEscape(words))
			rw.Write(coded)
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			rw.WriteHeader(http.StatusNoContent)
			return
		case <-r.Context().Done():
			return
		}
	}
}

// newest returns the newest picture if its number is not after.
func (w *Web) newest(after int) (serial int, words string, coded []byte, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serial == after || w.img == nil {
		return 0, "", nil, w.changed
	}
	if w.coded == nil {
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, w.img, &jpeg.Options{Quality: 85}); err != nil {
			return 0, "", nil, w.changed
		}
		w.coded = buf.Bytes()
	}
	return w.serial, w.words, w.coded, w.changed
}
