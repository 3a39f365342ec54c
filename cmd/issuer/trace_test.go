package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass/trace"
)

// spoken is a log that tells an address as soon as it stands there, and whether
// something else does.
type spoken struct {
	mu         sync.Mutex
	text       bytes.Buffer
	what, also *regexp.Regexp
	seen, told chan string
}

var deskAddress = regexp.MustCompile(`answers investigations" address=(\S+)`)

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if m := s.what.FindSubmatch(p); m != nil {
		s.seen <- string(m[1])
	}
	if s.also != nil && s.also.Match(p) {
		s.told <- string(p)
	}
	return len(p), nil
}

// TestTraceDesk starts the issuer as an operator does, with investigations.
func TestTraceDesk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path := filepath.Join(dir, "issuer.toml")
	if _, _, err := do(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := configs.CreateKey(filepath.Join(t.TempDir(), "authority.key"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), `listen = "127.0.0.1:8081"`, `listen = "127.0.0.1:0"`, 1)
	head, _, _ := strings.Cut(text, "[trace]")
	write := func(block string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(head+"[trace]\n"+block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want string) {
		t.Helper()
		if _, _, err := do(t, "serve", "-config", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	write("listen = '127.0.0.1:0'\n")
	refused("authority")
	full := "listen = '127.0.0.1:0'\nauthority = '" + configs.Public(authority).String() + "'\n"
	write(full)
	refused("openssl genpkey")
	if err := os.Mkdir(filepath.Join(dir, "trace"), 0o700); err != nil {
		t.Fatal(err)
	}
	passKey, err := os.ReadFile(filepath.Join(dir, "kko.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trace", "kko.key"), passKey, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("signs passes")
	if err := os.Remove(filepath.Join(dir, "trace", "kko.key")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"kko", "nv", "pas", "tos"} {
		if _, err := configs.CreateKey(filepath.Join(dir, "trace", id+".key")); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	log := &spoken{seen: make(chan string, 1), what: deskAddress}
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"serve", "-config", path}, clock, io.Discard, log) }()
	var address string
	select {
	case address = <-log.seen:
	case err := <-done:
		t.Fatal(err)
	}
	post := func(to string) int {
		t.Helper()
		resp, err := http.Post("http://"+address+to, trace.ContentType, strings.NewReader("junk"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	// There is no roster yet: nobody is answered.
	if got := post(issuer.TracePath); got != http.StatusServiceUnavailable {
		t.Error(got)
	}
	raw, err := trace.SignRoster(authority, trace.Contents{Number: 1, Issued: t0.Unix(), Expires: t0.AddDate(0, 0, 30).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "roster.cbor"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := post(issuer.TracePath); got != http.StatusBadRequest {
		t.Error(got)
	}
	if got := post("/v1/passes"); got != http.StatusNotFound {
		t.Error(got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
