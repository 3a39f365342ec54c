package owner

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

var noon = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC) // 12:40 in Seoul

// rig is a page on fakes, with a password.
type rig struct {
	t        testing.TB
	s        *Server
	password string
	log      bytes.Buffer

	mu       sync.Mutex
	now      time.Time
	identity *enrol.Identity
	counts   []journal.Count
	volume   int
	quiet    bool
	muted    bool
	said     []audio.Prompt
	tried    []lines.Trial
	aims     []bool
	health   []Condition
	lines    lines.State
	restarts int
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, now: noon, volume: 70, identity: &enrol.Identity{Kiosk: "k-7f3a9c2d", FacilityName: "하늘 식당"}}
	r.lines = lines.State{Lines: []lines.Line{{Part: "green"}, {Part: "red"}, {Part: "door"}}}
	r.health = []Condition{{Part: "camera", State: "live", Level: display.OK}, {Part: "keys", State: "ending", Level: display.Bad, Time: noon.Add(48 * time.Hour)}}
	r.counts = []journal.Count{
		{Hour: noon.Truncate(time.Hour).Add(-4 * time.Hour), Visits: 41}, {Hour: noon.Truncate(time.Hour).Add(-time.Hour), Visits: 102, Staff: 3},
		{Hour: noon.Truncate(time.Hour), Visits: 1250, Staff: 1}, {Hour: noon.Truncate(time.Hour).Add(-25 * time.Hour), Visits: 500},
	}
	dir := t.TempDir()
	var err error
	mirror := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/frame" {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
	})
	r.s, err = New(Options{
		Dir: dir, Listen: "127.0.0.1:0", Who: func() *enrol.Identity { r.mu.Lock(); defer r.mu.Unlock(); return r.identity },
		Counts: r, Mirror: mirror, Sound: r, Lines: r, Aimer: r, Version: "v1",
		Health:  func() []Condition { r.mu.Lock(); defer r.mu.Unlock(); return r.health },
		Restart: func() { r.mu.Lock(); defer r.mu.Unlock(); r.restarts++ },
		Now:     r.clock, Today: r.clock, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.s.certificates.use(hostNames("k-7f3a9c2d"))
	if r.password, err = NewPassword(dir); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }
func (r *rig) wait(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) Counts(from, until time.Time) (out []journal.Count, err error) {
	for _, c := range r.counts {
		if !c.Hour.Before(from) && c.Hour.Before(until) {
			out = append(out, c)
		}
	}
	return out, nil
}
func (r *rig) Volume() int                               { return r.volume }
func (r *rig) SetVolume(n int)                           { r.volume = n }
func (r *rig) Quiet() bool                               { return r.quiet }
func (r *rig) Muted() bool                               { return r.muted }
func (r *rig) SetMuted(m bool)                           { r.muted = m }
func (r *rig) Say(p audio.Prompt, _ func(audio.Outcome)) { r.said = append(r.said, p) }
func (r *rig) State() lines.State                        { return r.lines }
func (r *rig) Try(t lines.Trial)                         { r.tried = append(r.tried, t) }
func (r *rig) Aim(on bool) {
	r.mu.Lock()
	r.aims = append(r.aims, on)
	r.mu.Unlock()
	runtime.Gosched() // somebody else may be as fast
}

// browser is one phone with its cookies and address.
type browser struct {
	rig    *rig
	cookie map[string]string
	from   string
	header map[string]string
	host   string
}

func (r *rig) browser() *browser {
	return &browser{rig: r, cookie: map[string]string{}, from: "192.168.0.20:5000", host: "munjigi.local:8443"}
}

// signedIn is a phone whose owner has logged in.
func (r *rig) signedIn() *browser {
	r.t.Helper()
	b := r.browser()
	if got := b.post("/login", "password", r.password); got.Code != http.StatusSeeOther {
		r.t.Fatalf("log in: %d %s", got.Code, got.Body)
	}
	return b
}

func (b *browser) do(req *http.Request) *httptest.ResponseRecorder {
	req.RemoteAddr, req.Host = b.from, b.host
	for k, v := range b.cookie {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	for k, v := range b.header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.rig.s.handler.ServeHTTP(w, req)
	for _, c := range w.Result().Cookies() {
		b.cookie[c.Name] = c.Value
	}
	return w
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, fields ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func question(name string) dns.Question {
	return dns.Question{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}
}
