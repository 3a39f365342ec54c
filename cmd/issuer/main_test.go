package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/configs"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func clock() time.Time { return t0 }

func do(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, clock, &out, &errs)
	return out.String(), errs.String(), err
}

func TestSampleDocumentsEveryKey(t *testing.T) {
	var f file
	if err := configs.Decode("issuer.toml", configs.Issuer, &f); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range regexp.MustCompile(`toml:"([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !regexp.MustCompile(`(?m)^\[?` + key[1] + `[] =]`).Match(configs.Issuer) {
			t.Errorf("configs/issuer.toml does not document %s", key[1])
		}
	}
}

func TestOperator(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path := filepath.Join(dir, "issuer.toml")
	out, _, err := do(t, "init", dir)
	if err != nil {
		t.Fatal(err)
	}
	var blocks struct {
		Issuers []struct {
			ID   string `toml:"id"`
			Keys []struct {
				Public    configs.PublicKey `toml:"public"`
				NotBefore time.Time         `toml:"not_before"`
				NotAfter  time.Time         `toml:"not_after"`
			} `toml:"keys"`
		} `toml:"issuers"`
	}
	if err := configs.Decode("printed", []byte(out), &blocks); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for i, id := range []string{"kko", "nv", "pas", "tos"} {
		key, err := configs.ReadKey(filepath.Join(dir, id+".key"))
		if err != nil {
			t.Fatal(err)
		}
		b := blocks.Issuers[i]
		if b.ID != id || len(b.Keys) != 1 || b.Keys[0].Public.String() != configs.Public(key).String() || b.Keys[0].NotBefore.After(t0) || !b.Keys[0].NotAfter.After(t0) {
			t.Errorf("%+v", b)
		}
	}
	if again, _, err := do(t, "keys", "-config", path); err != nil || again != out {
		t.Errorf("%v, %s", err, again)
	}
	if _, _, err := do(t, "init", dir); err == nil || !strings.Contains(err.Error(), "kept") {
		t.Errorf("init over what is there: %v", err)
	}

	config := bytes.Replace(configs.Issuer, []byte("127.0.0.1:8081"), []byte("127.0.0.1:0"), 1)
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-config", path}, clock, io.Discard, w)
		w.Close()
	}()
	line := make([]byte, 4096)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, r)
	m := regexp.MustCompile(`address=(\S+)`).FindSubmatch(line[:n])
	if m == nil {
		t.Fatalf("no address in %s", line[:n])
	}
	resp, err := http.Get("http://" + string(m[1]) + "/")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "issuer.toml")
	if _, _, err := do(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"slip":        {"listen =", "lisen =", `did you mean "listen"`},
		"no helpline": {`number   = "02-000-0000"`, "", "helpline"},
		"half of tls": {`cert = ""`, `cert = "x"`, "tls"},
		"two sources": {"file       = \"\"\nurl        = \"\"", "file = \"x\"\nurl = \"y\"", "health"},
		"no brands":   {`brands = "brands"`, `brands = "elsewhere"`, "no brand"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(string(configs.Issuer), tt.old, tt.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := do(t, "keys", "-config", path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "issuer.toml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, configs.Issuer, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "kko.key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "serve", "-config", path); err == nil || !strings.Contains(err.Error(), "kko") {
		t.Errorf("without a key: %v", err)
	}
}

func TestServeNeedsTheDataKey(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := do(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "data.key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "serve", "-config", filepath.Join(dir, "issuer.toml")); err == nil || !strings.Contains(err.Error(), "data.key") {
		t.Errorf("without the data key: %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"sreve"}, {"init"}, {"serve", "-x"}, {"keys", "now"}, {"rotate"}} {
		if _, errs, err := do(t, args...); !errors.Is(err, errUsage) || errs == "" {
			t.Errorf("%q: %v %q", args, err, errs)
		}
	}
	for _, args := range [][]string{{"version"}, {"help"}} {
		if out, _, err := do(t, args...); err != nil || out == "" {
			t.Errorf("%q: %v", args, err)
		}
	}
}
