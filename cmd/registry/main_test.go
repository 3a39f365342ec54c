package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/configs"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func clock() time.Time { return t0 }

// do runs the command and returns what it printed.
func do(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, clock, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, err := do(t, args...)
	if err != nil {
		t.Fatalf("registry %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

func TestSampleIsReadInFull(t *testing.T) {
	f, err := load("../../configs/registry.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Issuers) == 0 || len(f.Issuers[0].Keys) == 0 || len(f.Policies) == 0 {
		t.Errorf("%+v", f)
	}
	sample, err := os.ReadFile("../../configs/registry.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range regexp.MustCompile(`toml:"([^"]+)"`).FindAllStringSubmatch(source(t), -1) {
		if !regexp.MustCompile(`(?m)^(# )?\[*(\w+\.)?` + key[1] + `[] .=]`).Match(sample) {
			t.Errorf("configs/registry.toml does not document %s", key[1])
		}
	}
}

func source(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Numbers only grow, and late keys are named.
func TestBundleNumbers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "registry")
	path := filepath.Join(dir, "registry.toml")
	if out := must(t, "init", dir); !strings.Contains(out, "root = ") {
		t.Errorf("init printed %s", out)
	}
	if _, _, err := do(t, "init", dir); err == nil {
		t.Error("init overwrites")
	}
	_, issuer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config = fmt.Appendf(config, "\n[[issuers]]\nid = 'kko'\n[[issuers.keys]]\npublic = '%s'\nnot_before = 2026-11-01T00:00:00Z\nnot_after = 2027-11-01T00:00:00Z\n", configs.Public(issuer))
	config = fmt.Appendf(config, "[[issuers.keys]]\npublic = '%s'\nnot_before = 2026-12-01T00:00:00Z\nnot_after = 2027-11-01T00:00:00Z\n", configs.Public(issuer))
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}

	if _, errs, err := do(t, "facility", "add", "-config", path, "-name", "x", "-kind", "zoo"); err != nil || !strings.Contains(errs, "no policy") {
		t.Errorf("%v %s", err, errs)
	}

	out, errs, err := do(t, "bundle", "-config", path)
	if err != nil || !strings.Contains(out, "bundle 1:") || !strings.Contains(errs, "less than 35 days") {
		t.Fatalf("%v %s %s", err, out, errs)
	}
	if out := must(t, "bundle", "-config", path); !strings.Contains(out, "bundle 2:") {
		t.Error(out)
	}
	if out := must(t, "bundle", "-config", path, "-above", "40"); !strings.Contains(out, "bundle 41:") {
		t.Error(out)
	}
}

// watched tells the address as soon as the log says it.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan string
}

var addressIn = regexp.MustCompile(`address=(\S+)`)

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if m := addressIn.FindSubmatch(p); m != nil {
		w.seen <- string(m[1])
	}
	return len(p), nil
}

func TestBundleRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "registry.toml")
	must(t, "init", dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ config, want string }{
		"another root":   {strings.Replace(string(good), `root = "`, `root = "AAAA`, 1), "root"},
		"an unknown key": {"bundel = 'x'\n" + string(good), `did you mean "bundle"`},
		"no mode":        {string(good) + "\n[policies.x]\nmode = 'recrod'\nsince = 2026-11-01T00:00:00Z\n", `"x"`},
		"no since":       {string(good) + "\n[policies.x]\nmode = 'off'\n", "since"},
		"keyless issuer": {string(good) + "\n[[issuers]]\nid = 'kko'\n", "no key"},
		"too long":       {strings.Replace(string(good), "bundle_days = 90", "bundle_days = 91", 1), "bundle_days"},
		"half of tls":    {strings.Replace(string(good), `cert = ""`, `cert = "x"`, 1), "tls"},
	} {
		if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := do(t, "bundle", "-config", path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "registry.toml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bundle.cbor"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "bundle", "-config", path); err == nil || !strings.Contains(err.Error(), "-above") {
		t.Errorf("over a torn bundle: %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"sreve"}, {"init"}, {"kiosk"}, {"kiosk", "add"}, {"kiosk", "revoke"}, {"facility"}, {"issuer", "add"}, {"serve", "-x"}, {"bundle", "now"}} {
		if _, errs, err := do(t, args...); !errors.Is(err, errUsage) || errs == "" {
			t.Errorf("%q: %v %q", args, err, errs)
		}
	}
	for _, args := range [][]string{{"version"}, {"help"}} {
		if must(t, args...) == "" {
			t.Errorf("%q prints nothing", args)
		}
	}
	for _, args := range [][]string{
		{"kiosk", "code", "-days", "8"},
		{"init", "-name", "x\"\nroot = 1", "somewhere"},
		{"init", "-address", "http://registry.example", "somewhere"},
		{"serve", "-config", "/nonexistent/registry.toml"},
	} {
		if _, _, err := do(t, args...); err == nil || errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "next.key")
	made := must(t, "key", "-new", path)
	if again := must(t, "key", path); again != made || len(strings.TrimSpace(made)) != 44 {
		t.Errorf("%q %q", made, again)
	}
	if _, _, err := do(t, "key", "-new", path); err == nil {
		t.Error("a key was overwritten")
	}
}

// Whoever reads the device CA's key can stand in for the registry.
func TestOpenCAKeyIsRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "registry")
	must(t, "init", folder)
	if err := os.Chmod(filepath.Join(folder, "ca.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "facility", "list", "-config", filepath.Join(folder, "registry.toml")); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}
