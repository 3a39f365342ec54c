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
	"github.com/munjigi/munjigi/issuer"
)

// TestKeysRunOut holds what an operator is told of a brand's keys, and when: on
// the command line, by days, as a copy of the folder keeps them.
func TestKeysRunOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path := filepath.Join(dir, "issuer.toml")
	now := t0
	command := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), args, func() time.Time { return now }, &out, io.Discard)
		return out.String(), err
	}
	if _, err := command("init", dir); err != nil {
		t.Fatal(err)
	}
	for _, e := range []string{"kko", "nv", "pas", "tos"} { // restored from a backup, say
		if err := os.Chtimes(filepath.Join(dir, e+".key"), t0.AddDate(3, 0, 0), t0.AddDate(3, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	end := time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		at    time.Time
		says  string
		wrong bool
	}{
		{t0, "ok    kko: its keys sign until 2027-11-22", false},
		{end.Add(-notice), "ok    kko: its keys sign until 2027-11-22", false},
		{end.Add(-notice + time.Second), "soon  kko: the last key ends on 2027-11-22: run issuer rotate kko before 2027-10-18", false},
		{end.Add(-lead + time.Second), "wrong kko: the last key ends on 2027-11-22, sooner than a next one reaches every kiosk", true},
		{end, "wrong kko: no key signs any more since 2027-11-22", true},
	} {
		now = tt.at
		out, err := command("check", "-config", path)
		if !strings.Contains(out, tt.says) || errors.Is(err, errCheck) != tt.wrong {
			t.Errorf("at %s: %v\n%s", tt.at, err, out)
		}
	}
	if out, _ := command("check", "-config", path); !strings.Contains(out, "demo  sms.url") || !strings.Contains(out, "demo  subscribers.url") {
		t.Error(out)
	}
	// The next key puts it off, once it follows without a gap.
	now = end.Add(-notice + time.Hour)
	for _, id := range []string{"kko", "nv", "pas", "tos"} {
		if _, err := command("rotate", "-config", path, id); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := command("check", "-config", path); err != nil || strings.Contains(out, "soon") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSignsUntil(t *testing.T) {
	day := func(n int) time.Time { return t0.AddDate(0, 0, n) }
	key := func(from, until int) signingKey {
		return signingKey{DatedKey: issuer.DatedKey{From: day(from)}, until: day(until)}
	}
	for name, tt := range map[string]struct {
		keys []signingKey
		want int
	}{
		"one":              {[]signingKey{key(-10, 90)}, 90},
		"one after it":     {[]signingKey{key(-10, 90), key(50, 415)}, 415},
		"a gap":            {[]signingKey{key(-10, 90), key(91, 415)}, 90},
		"over, one begins": {[]signingKey{key(-400, -30), key(-40, 300)}, 300},
		"over":             {[]signingKey{key(-400, -30)}, -30},
		"three":            {[]signingKey{key(-10, 90), key(50, 100), key(100, 200)}, 200},
	} {
		if got := signsUntil(tt.keys, t0); !got.Equal(day(tt.want)) {
			t.Errorf("%s: %s, want %s", name, got, day(tt.want))
		}
	}
}

// TestCertificates is an operator's way to the third way of Naver: a brand names
// an authority, people get certificates, and check looks after its list.
func TestCertificates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path, naver := filepath.Join(dir, "issuer.toml"), filepath.Join(dir, "brands", "naver.toml")
	if _, _, err := do(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(naver)
	if err != nil {
		t.Fatal(err)
	}
	write := func(ca, crl string) {
		t.Helper()
		text := strings.Replace(strings.Replace(string(file), `ca  = ""`, `ca = "`+ca+`"`, 1), `crl = ""`, `crl = "`+crl+`"`, 1)
		if err := os.WriteFile(naver, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca/ca.pem", "")
	if _, _, err := do(t, "check", "-config", path); err == nil || !strings.Contains(err.Error(), "naver.toml") {
		t.Errorf("an authority without a list: %v", err)
	}
	write("ca/ca.pem", "ca/ca.crl")
	if _, _, err := do(t, "check", "-config", path); err == nil || !strings.Contains(err.Error(), "certificate.ca") {
		t.Errorf("no authority there: %v", err)
	}
	ca := filepath.Join(dir, "ca")
	if _, errs, err := do(t, "testca", "init", ca); err != nil || !strings.Contains(errs, "never name it where real visitors come") {
		t.Fatal(errs, err)
	}
	if _, _, err := do(t, "testca", "init", ca); err == nil {
		t.Error("an authority is overwritten")
	}
	if out, _, err := do(t, "check", "-config", path); err != nil || !strings.Contains(out, "ok    nv: the lists of revoked certificates hold until") {
		t.Errorf("%s %v", out, err)
	}
	if _, _, err := do(t, "testca", "issue", "-name", "홍길동", "-birth", "1990-03-01", "-pin", "1234", ca); err != nil {
		t.Fatal(err)
	}
	if _, _, err := do(t, "testca", "issue", "-name", "../x", "-birth", "1990-03-01", "-pin", "1234", ca); err == nil {
		t.Error("a certificate outside the folder")
	}
	if _, _, err := do(t, "testca", "revoke", ca, filepath.Join(ca, "홍길동", "signCert.der")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"testca"}, {"testca", "init"}, {"testca", "issue", ca}, {"testca", "revoke", ca}, {"testca", "burn", ca}} {
		if _, errs, err := do(t, args...); !errors.Is(err, errUsage) || !strings.Contains(errs, "issuer testca init FOLDER") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := os.WriteFile(filepath.Join(ca, "ca.crl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err := do(t, "check", "-config", path); !errors.Is(err, errCheck) || !strings.Contains(out, "wrong nv: nobody can be verified by certificate") {
		t.Errorf("an empty list: %s %v", out, err)
	}
}

// TestNumbers reads the metrics of a server whose keys run out, and its log.
func TestNumbers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "issuer")
	path := filepath.Join(dir, "issuer.toml")
	if _, _, err := do(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(configs.Issuer), "127.0.0.1:8081", "127.0.0.1:0", 1)
	text = strings.Replace(text, `metrics = ""`, `metrics = "127.0.0.1:0"`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	log := &spoken{seen: make(chan string, 1), what: regexp.MustCompile(`metrics" address=(\S+)`), also: regexp.MustCompile(`keys run out" brand=tos`), told: make(chan string, 1)}
	done := make(chan error, 1)
	late := func() time.Time { return t0.AddDate(1, 0, -10) }
	go func() { done <- run(ctx, []string{"serve", "-config", path}, late, io.Discard, log) }()
	var address string
	for range 2 {
		select {
		case address = <-log.seen:
		case <-log.told:
		case err := <-done:
			t.Fatal(err, log.text.String())
		}
	}
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`munjigi_issuer_signs_until_timestamp_seconds\{brand="tos"\} 1\.826841\d*e\+09`).Match(body) {
		t.Errorf("%s", body)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
