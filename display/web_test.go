package display

import (
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, w *Web, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "http://localhost:8080"+path, nil)
	r.RemoteAddr = "127.0.0.1:5000"
	if change != nil {
		change(r)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func TestWebFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWeb(WebOptions{Size: image.Pt(320, 240)})
		if err != nil {
			t.Fatal(err)
		}
		if rec := get(t, w, "/frame", nil); rec.Code != http.StatusNoContent {
			t.Errorf("before the first picture: %d, want 204 after a while", rec.Code)
		}
		painter, _ := NewPainter(Options{})
		img := image.NewRGBA(image.Rectangle{Max: w.Size()})
		show := func(s Scene) {
			painter.Draw(img, State{Scene: s})
			w.Words(painter.Words(State{Scene: s}))
			if err := w.Show(img, []image.Rectangle{img.Rect}); err != nil {
				t.Error(err)
			}
		}
		show(Used)
		rec := get(t, w, "/frame?after=0", nil)
		if rec.Code != http.StatusOK || rec.Header().Get("Screen-Serial") != "1" {
			t.Errorf("first picture: %d, serial %s", rec.Code, rec.Header().Get("Screen-Serial"))
		}
		if pic, err := jpeg.Decode(rec.Body); err != nil || pic.Bounds().Size() != w.Size() {
			t.Errorf("picture: %v", err)
		}
		if words, _ := url.PathUnescape(rec.Header().Get("Screen-Words")); !strings.HasPrefix(words, "이미 사용된 QR코드입니다.") {
			t.Errorf("words are %q", words)
		}
		began := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			show(Accepted)
		}()
		rec = get(t, w, "/frame?after=1", nil)
		if took := time.Since(began); rec.Header().Get("Screen-Serial") != "2" || took != 3*time.Second {
			t.Errorf("second picture: serial %s after %v", rec.Header().Get("Screen-Serial"), took)
		}
		// A page that outlived a restart asks for a number we have not reached.
		if rec = get(t, w, "/frame?after=99", nil); rec.Code != http.StatusOK {
			t.Errorf("a page from before a restart gets %d", rec.Code)
		}
	})
}

func TestWebStaysOnTheDevice(t *testing.T) {
	shut, _ := NewWeb(WebOptions{})
	open, _ := NewWeb(WebOptions{Remote: true})
	for _, tc := range []struct {
		name, addr, host string
		want             int
	}{
		{"itself", "127.0.0.1:1", "localhost:8080", 200},
		{"itself, IPv6", "[::1]:1", "[::1]:8080", 200},
		{"itself, by number", "127.0.0.1:1", "127.0.0.1", 200},
		{"a neighbour", "192.168.0.7:1", "localhost:8080", 403},
		{"a name that was pointed here", "127.0.0.1:1", "evil.example", 403},
	} {
		change := func(r *http.Request) { r.RemoteAddr, r.Host = tc.addr, tc.host }
		if rec := get(t, shut, "/", change); rec.Code != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, rec.Code, tc.want)
		}
		if rec := get(t, open, "/", change); rec.Code != 200 {
			t.Errorf("%s: remote is on and it gets %d", tc.name, rec.Code)
		}
	}
	if shut.Public() || !open.Public() {
		t.Error("Public is not Remote")
	}
}

func TestWebPage(t *testing.T) {
	w, err := NewWeb(WebOptions{Links: []Link{{`휴대전화 <b>`, "http://localhost:8082/?a=1&b=2"}}})
	if err != nil {
		t.Fatal(err)
	}
	rec := get(t, w, "/", nil)
	body := rec.Body.String()
	for _, want := range []string{`lang="ko"`, "문지기", "Munjigi", `aria-live="polite"`, "alt=", "휴대전화 &lt;b&gt;", "a=1&amp;b=2"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if csp := rec.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy is %q", csp)
	}
	for _, path := range []string{"/screen.js", "/screen.css"} {
		if rec := get(t, w, path, nil); rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := get(t, w, "/other", nil); rec.Code != 404 {
		t.Errorf("/other: %d", rec.Code)
	}
	if _, err := NewWeb(WebOptions{Links: []Link{{"x", "javascript:alert(1)"}}}); err == nil {
		t.Error("a script was taken for a link")
	}
}
