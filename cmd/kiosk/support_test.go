package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/uplink/journal"
)

// reversed hides a text from the test's own program, by which the bundle is
// sieved.
func reversed(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// planted are what must not leave the device.
func planted() map[string]string {
	return map[string]string{
		"name":     reversed("동길홍"),
		"surname":  reversed("gnodlig-gnoH"),
		"phone":    reversed("8765-4321-010"),
		"spaces":   reversed("8765 4321 010"),
		"digits":   reversed("87654321010"),
		"abroad":   reversed("8765 4321 01 28+"),
		"mail":     reversed("rk.elpmaxe@gnodlig"),
		"token":    reversed("Zx81qQ0m3XkLp9vYw2Rt7"),
		"code":     "MJE1" + reversed("QK4X7ZP2M9WT8B3R"),
		"wifi":     reversed("7102ofeGenohpIs'gnodliG"),
		"wifi key": reversed("!9xnamkcaltsaoc"),
		"address":  reversed("71.402.861.291"),
		"host":     reversed("rk.oc.efac-gnodlig.yrtsiger"),
		"kiosk":    reversed("3-ertnec-efac-gnodlig"),
	}
}

// TestSupportHoldsNobody plants what is of people wherever the kiosk keeps or
// writes anything. No byte of it is in the bundle.
func TestSupportHoldsNobody(t *testing.T) {
	dir := t.TempDir()
	secrets := planted()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	text := plantVisits(t, filepath.Join(data, "journal.db"))
	for i, piece := range regexp.MustCompile(`[^ ]{4,}`).FindAllString(text, -1) {
		secrets[fmt.Sprint("pass ", i)] = piece
	}
	config := &strings.Builder{}
	log := &strings.Builder{}
	for _, s := range secrets {
		fmt.Fprintf(config, "# %s\n", s)
		fmt.Fprintf(log, "time=2026-11-22T12:00:00.123+09:00 level=WARN msg=\"the kiosk starts\" n=17 err=%q\n", "no such file or directory: "+s)
		fmt.Fprintf(log, "time=2026-11-22T12:00:00.123+09:00 level=INFO msg=%q %s=1\n", s, s)
		fmt.Fprintf(log, "%s from another program\n", s)
		name := strings.ReplaceAll(s, "/", "_")
		name = name[:min(len(name), 250)] // a pass may be longer than a name
		if err := os.WriteFile(filepath.Join(data, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(config, "data = %q\n[camera]\nsource = %q\n[sound]\noutput = \"off\"\nprompts = %q\n[screen]\npanels = [%q]\n[gpio]\ngreen = %q\n[owner]\nlisten = \"\"\n",
		data, "opencv:rtsp://"+secrets["name"]+":"+secrets["wifi key"]+"@"+secrets["address"]+"/"+secrets["host"], "/home/"+secrets["surname"], "png:"+dir+"/"+secrets["kiosk"]+".png", secrets["phone"])
	file := filepath.Join(dir, "kiosk.toml")
	logFile := filepath.Join(dir, "log")
	fake := filepath.Join(dir, "bin")
	if err := errors.Join(os.WriteFile(file, []byte(config.String()), 0o600), os.WriteFile(logFile, []byte(log.String()), 0o600), os.Mkdir(fake, 0o700),
		os.WriteFile(filepath.Join(fake, "journalctl"), []byte("#!/bin/sh\ncat "+logFile+"\n"), 0o700),
		os.WriteFile(filepath.Join(fake, "systemctl"), []byte("#!/bin/sh\necho ActiveState=active\ncat "+logFile+"\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", fake+":"+os.Getenv("PATH"))
	out := filepath.Join(dir, "support.tar.gz")
	var stdout, stderr bytes.Buffer
	if status := command(t.Context(), []string{"support", "-config", file, "-o", out}, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	files := unpack(t, out)
	for name, text := range files {
		for what, s := range secrets {
			if strings.Contains(text, s) || strings.Contains(stdout.String(), s) {
				t.Errorf("%s holds a %s: %q", name, what, s)
			}
		}
		if !strings.Contains(stdout.String(), name) {
			t.Errorf("%s is not listed to who packs it", name)
		}
	}
	for name, want := range map[string]string{
		"version.txt": "pass format 1", "config.txt": `unsure = "refuse"`, "check.txt": "journal", "counts.txt": "visits waiting 2",
		"system.txt": "memory ", "unit.txt": "ActiveState=active", "log.txt": `msg="the kiosk starts" n=17 err="no such file or directory: …`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s is of no use, it lacks %q:\n%s", name, want, files[name])
		}
	}
	coded := device.Config{Registry: device.Registry{Code: secrets["code"]}}
	if got := settings(&coded, nil); strings.Contains(got, secrets["code"]) || !strings.Contains(got, `code = "set"`) {
		t.Errorf("the enrolment code stands in the settings:\n%s", got)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// plantVisits fills a journal and returns a pass's text.
func plantVisits(t *testing.T, path string) string {
	t.Helper()
	seed := sha256.Sum256([]byte("support test"))
	key := ed25519.NewKeyFromSeed(seed[:])
	public, now := key.Public().(ed25519.PublicKey), time.Now()
	raw, err := pass.SignBundle(key, pass.Contents{
		Number: 1, Issued: now.Add(-time.Hour).Unix(), Expires: now.Add(time.Hour).Unix(),
		Issuers: []pass.Issuer{{ID: "kko", Keys: []pass.Key{pass.NewKey(public, now.Add(-time.Hour), now.Add(time.Hour))}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, public)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for n := range byte(2) {
		if text, err = pass.Issue(key, "kko", pass.ID{n + 1, 7, 9}, now, &pass.Health{Complete: true}); err != nil {
			t.Fatal(err)
		}
		u, err := pass.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := u.Verify(now, b, pass.Conditions{Facility: "cafe", Clock: pass.ClockSure})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Admit(p, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return text
}

func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "munjigi-support/")] = string(data)
	}
}

func TestSieve(t *testing.T) {
	s := sieve{[]byte("the camera does not answer; /dev/video0 Hong_Kong 12345678")}
	for in, want := range map[string]string{
		"the camera /dev/video0 does":                     "the camera /dev/video0 does",
		"the camera of 01012345678, 010 1234 56":          "the camera … …, 010 1234 56",
		"2026-11-22T12:00:00Z 17.5ms 1280x720":            "2026-11-22T12:00:00Z 17.5ms 1280x720",
		"12345678":                                        "…",
		"tel 02-123-4567 does":                            "… … does",
		"Kong":                                            "…",
		"the opencv:http://cam/v.cgi?u=a&pwd=888888 does": "the … does",
		"user-pw=1234 does":                               "…=… does",
		"01012345678s":                                    "…",
	} {
		if got := s.text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
