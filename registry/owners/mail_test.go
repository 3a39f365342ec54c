package owners

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHook(t *testing.T) {
	m := Mail{To: "haneul@example.com", Phone: "021234567", Subject: "문지기", Text: "안녕하세요\nhttps://registry.example/x"}
	var got Mail
	status, elsewhere := http.StatusNoContent, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere = true
			return
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s", r.Method, r.Header)
		}
		data, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(data, &got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer server.Close()
	h, err := NewHook(server.URL + "/mail?key=geheim")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	for _, status = range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusForbidden, http.StatusBadGateway} {
		if err := h.Send(t.Context(), m); err == nil {
			t.Errorf("%d counts as sent", status)
		}
	}
	if elsewhere {
		t.Error("a mail follows a redirect")
	}
	for _, bad := range []string{"", "mail.example", "http://mail.example/", "ftp://mail.example/", "https://", "file:///tmp/x"} {
		if _, err := NewHook(bad); err == nil {
			t.Errorf("%q is taken for a hook", bad)
		}
	}
}

// flaky fails a few times.
type flaky struct {
	fail int32
	sent atomic.Int32
}

func (f *flaky) Send(context.Context, Mail) error {
	if atomic.AddInt32(&f.fail, -1) >= 0 {
		return errors.New("the hook is away")
	}
	f.sent.Add(1)
	return nil
}

func TestMailIsSentAgain(t *testing.T) {
	for fails, want := range map[int32]int32{0: 1, 3: 1, int32(len(waits)): 1, int32(len(waits)) + 1: 0} {
		synctest.Test(t, func(t *testing.T) {
			f := &flaky{fail: fails}
			s := &Server{Config: Config{Mail: f, Log: slog.New(slog.DiscardHandler)}}
			s.send(t.Context(), Mail{})
			if got := f.sent.Load(); got != want {
				t.Errorf("after %d failures %d are sent, want %d", fails, got, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &Server{Config: Config{Mail: &flaky{fail: 99}, Log: slog.New(slog.DiscardHandler)}}
		done := make(chan struct{})
		go func() { defer close(done); s.send(ctx, Mail{}) }()
		synctest.Wait()
		cancel()
		<-done
	})
}

func TestMailsWaitInBounds(t *testing.T) {
	s := &Server{Config: Config{Log: slog.New(slog.DiscardHandler)}, jobs: make(chan func(context.Context), 2)}
	for range 5 {
		s.later(func(context.Context) {})
	}
	if len(s.jobs) != 2 {
		t.Errorf("%d jobs wait", len(s.jobs))
	}
}

func TestOutbox(t *testing.T) {
	now := t0
	o := &Outbox{Now: func() time.Time { return now }}
	page := func() string {
		w := httptest.NewRecorder()
		o.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8083/outbox", nil))
		if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Error(w.Header())
		}
		return w.Body.String()
	}
	if !strings.Contains(page(), "There are none") {
		t.Error("an empty outbox does not say so")
	}
	for i := range outboxSize + 5 {
		if err := o.Send(t.Context(), Mail{To: "haneul@example.com", Subject: "<b>", Text: strings.Repeat("x", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(o.Messages()); n != outboxSize || len(o.Messages()[0].Text) != outboxSize+4 {
		t.Errorf("%d are kept", n)
	}
	if body := page(); strings.Contains(body, "<b>") || !strings.Contains(body, "&lt;b&gt;") {
		t.Error("a subject is markup")
	}
	for host, want := range map[string]int{"localhost:8083": 200, "[::1]:8083": 200, "10.0.0.7": 200, "evil.example:8083": 403, "localhost.evil.example": 403} {
		r, w := httptest.NewRequest("GET", "/outbox", nil), httptest.NewRecorder()
		r.Host = host
		if o.ServeHTTP(w, r); w.Code != want {
			t.Errorf("asked as %s: %d, want %d", host, w.Code, want)
		}
	}
	now = now.Add(outboxLife)
	if len(o.Messages()) != 0 {
		t.Error("a message outlives its day")
	}
}
