package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/configs"
)

// TestInvestigationDayOne goes from the operator's commands alone to an inquiry
// at a real registry, over its own TLS, and verifies the audit log by command.
func TestInvestigationDayOne(t *testing.T) {
	s := newStation(t)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	facility := strings.TrimSpace(must(t, "facility", "add", "-config", s.path, "-name", "하늘 카페", "-kind", "restaurant"))
	dir := t.TempDir()
	out := must(t, "officer", "authority", filepath.Join(dir, "authority"))
	authority := regexp.MustCompile(`authority = "(.+)"`).FindStringSubmatch(out)[1]
	config, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), `roster = "roster.cbor"`, "authority = \""+authority+"\"\nroster = \""+filepath.Join(dir, "authority", rosterName)+"\"", 1)
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	log := &watched{seen: make(chan string, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-config", s.path}, clock, strings.NewReader(""), io.Discard, log)
	}()
	url := ""
	select {
	case address := <-log.seen:
		url = "https://" + address
	case err := <-done:
		t.Fatal(err)
	}

	add := func(role, out string) {
		t.Helper()
		must(t, "officer", "add", "-as", role, "-authority", filepath.Join(dir, "authority"), cardForm.FindString(out))
	}
	add("registry", must(t, "officer", "card", "-id", "registry", "-key", filepath.Join(s.dir, "receipt.key")))
	for _, id := range []string{"seoul-1", "seoul-2"} {
		add("officer", must(t, "officer", "init", "-id", id, "-registry", url, "-authority", authority, "-ca", filepath.Join(s.dir, "ca.crt"), filepath.Join(dir, id)))
	}
	one, two := filepath.Join(dir, "seoul-1"), filepath.Join(dir, "seoul-2")
	if out := must(t, "inquiry", "find", "-officer", one, "카페"); !strings.Contains(out, facility) {
		t.Errorf("%s does not list %s", out, facility)
	}
	at := func(ago time.Duration) string { return clock().Add(-ago).Format(time.RFC3339) }
	out = must(t, "inquiry", "ask", "-officer", one, "-facility", facility, "-from", at(3*time.Hour), "-to", at(2*time.Hour), "-case", "1", "-reason", "r")
	name := regexp.MustCompile(`asked: ([0-9a-f]+)`).FindStringSubmatch(out)[1]
	must(t, "inquiry", "approve", "-officer", two, "-yes", name)
	if out := must(t, "inquiry", "open", "-officer", one, name); !strings.Contains(out, "nobody was there") {
		t.Error(out)
	}
	// Out of the roster, out of the registry: it follows the file by itself.
	must(t, "officer", "revoke", "-authority", filepath.Join(dir, "authority"), "seoul-2")
	if out := must(t, "officer", "list", "-authority", filepath.Join(dir, "authority")); !strings.Contains(out, "REVOKED") {
		t.Error(out)
	}
	if _, _, err := do(t, "inquiry", "list", "-officer", two); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a revoked officer: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	out = must(t, "audit", "verify", "-config", s.path)
	if !strings.Contains(out, "1 inquiries were grouped, each signed by two officers") {
		t.Error(out)
	}
	seen := regexp.MustCompile(`\d+:[0-9a-f]{64}`).FindString(out)
	must(t, "audit", "verify", "-config", s.path, "-seen", seen)
	if out := must(t, "audit", "show", "-config", s.path, "-kind", "inquiry-", "-inquiry", name); strings.Count(out, "\n") != 4 || !strings.Contains(out, facility) {
		t.Error(out)
	}
	f, err := load(s.path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec(`UPDATE audit SET line = (SELECT line FROM audit WHERE seq = 1) WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"verify", "show"} {
		if _, _, err := do(t, "audit", command, "-config", s.path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("audit %s: %v", command, err)
		}
	}
}

func TestOfficerRefuses(t *testing.T) {
	dir := t.TempDir()
	authority := filepath.Join(dir, "authority")
	public := regexp.MustCompile(`authority = "(.+)"`).FindStringSubmatch(must(t, "officer", "authority", authority))[1]
	if _, err := configs.CreateKey(filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	card := cardForm.FindString(must(t, "officer", "card", "-id", "kko", "-key", filepath.Join(dir, "a.key"), "-address", "https://kko.example/v1/trace"))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"an authority again":   {[]string{"officer", "authority", authority}, "kept"},
		"no role":              {[]string{"officer", "add", "-authority", authority, card}, "-as"},
		"no card":              {[]string{"officer", "add", "-as", "issuer", "-authority", authority, "MJC1.AAAA"}, "card"},
		"days without end":     {[]string{"officer", "add", "-as", "issuer", "-days", "9999", "-authority", authority, card}, "-days"},
		"nobody to revoke":     {[]string{"officer", "revoke", "-authority", authority, "seoul-9"}, "roster"},
		"an upper-case id":     {[]string{"officer", "card", "-id", "KKO", "-key", filepath.Join(dir, "a.key")}, "-id"},
		"plain http":           {[]string{"officer", "card", "-id", "kko", "-key", filepath.Join(dir, "a.key"), "-address", "http://kko.example"}, "-address"},
		"an officer's id":      {[]string{"officer", "init", "-id", "A B", "-registry", "https://r.example", "-authority", public, filepath.Join(dir, "x")}, "-id"},
		"no authority":         {[]string{"officer", "init", "-id", "a", "-registry", "https://r.example", filepath.Join(dir, "x")}, "-authority"},
		"a registry in clear":  {[]string{"officer", "init", "-id", "a", "-registry", "http://r.example", "-authority", public, filepath.Join(dir, "x")}, "https"},
		"a folder without one": {[]string{"inquiry", "list", "-officer", filepath.Join(dir, "x")}, "officer init"},
	} {
		if out, _, err := do(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	must(t, "officer", "add", "-as", "issuer", "-authority", authority, card)
	if _, _, err := do(t, "officer", "add", "-as", "officer", "-authority", authority, card); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("one key in two roles: %v", err)
	}
	if out := must(t, "officer", "renew", "-authority", authority); !strings.Contains(out, "roster 3: 0 officers, 1 issuers") {
		t.Error(out)
	}
	// An issuer's new key takes the place of one that was revoked, and only then.
	if _, err := configs.CreateKey(filepath.Join(dir, "b.key")); err != nil {
		t.Fatal(err)
	}
	next := cardForm.FindString(must(t, "officer", "card", "-id", "kko", "-key", filepath.Join(dir, "b.key")))
	if _, _, err := do(t, "officer", "add", "-as", "issuer", "-authority", authority, next); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("an issuer with two keys: %v", err)
	}
	must(t, "officer", "revoke", "-authority", authority, "kko")
	if out := must(t, "officer", "add", "-as", "issuer", "-authority", authority, next); !strings.Contains(out, "roster 5: 0 officers, 1 issuers") {
		t.Error(out)
	}
}

func TestCell(t *testing.T) {
	for text, want := range map[string]string{"김하늘": "김하늘", "": "", "=HYPERLINK(1)": "'=HYPERLINK(1)", "@x": "'@x", "-1": "'-1", "+82": "'+82"} {
		if got := cell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
