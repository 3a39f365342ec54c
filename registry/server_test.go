package registry

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"log/slog"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
)

func TestBundleServed(t *testing.T) {
	h := newHouse(t)
	resp, body := h.get(t, wire.BundlePath)
	if resp.StatusCode != 200 || string(body) != string(signed(t, 7)) || resp.Header.Get("Content-Type") != wire.ContentType {
		t.Fatalf("%d, %d bytes", resp.StatusCode, len(body))
	}
	tag := resp.Header.Get("ETag")
	if resp, body := h.get(t, wire.BundlePath, "If-None-Match", tag); resp.StatusCode != 304 || len(body) != 0 {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(body))
	}
	if resp, _ := h.get(t, wire.BundlePath, "If-None-Match", `"other"`); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestBundleFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundle.cbor")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := OpenBundleFile(path, public("root"), logger); err == nil {
		t.Fatal("opened a file that is not there")
	}
	replace := func(data []byte) {
		t.Helper()
		// A rename makes another file of it, whatever its time and size.
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(signed(t, 5)[:40])
	if _, err := OpenBundleFile(path, public("root"), logger); err == nil {
		t.Fatal("opened half a bundle")
	}
	replace(signed(t, 5))
	if _, err := OpenBundleFile(path, public("kko"), logger); err == nil {
		t.Fatal("opened a bundle of another root")
	}
	f, err := OpenBundleFile(path, public("root"), logger)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func()
		want uint64
	}{
		{"unchanged", func() {}, 5},
		{"newer", func() { replace(signed(t, 6)) }, 6},
		{"older", func() { replace(signed(t, 5)) }, 6},
		{"torn", func() { replace(signed(t, 8)[:99]) }, 6},
		{"empty", func() { replace(nil) }, 6},
		{"gone", func() { os.Remove(path) }, 6},
		{"back, newer", func() { replace(signed(t, 9)) }, 9},
	}
	for _, s := range steps {
		s.do()
		for range 2 {
			if got := f.Bundle().Number(); got != s.want {
				t.Errorf("%s: number %d, want %d", s.name, got, s.want)
			}
		}
	}
	if n := strings.Count(log.String(), "not taken"); n != 3 {
		t.Errorf("%d warnings, want one for each bad file:\n%s", n, &log)
	}
}

// What arrives too late is not even written.
func TestRetention(t *testing.T) {
	h := newHouse(t)
	h.set(store.DayOf(t0).Midnight().AddDate(0, 0, store.Days).Add(-time.Second))
	if got := h.send(t, "door-1", visit(t, "kko", 1, t0)); got[0] != "stored" {
		t.Errorf("a visit at the end of day 28 is %s", got[0])
	}
	h.send(t, "door-2", visit(t, "kko", 3, h.time().Add(-time.Minute))) // or the clock would be doubted
	h.set(h.time().Add(time.Second))
	if got := h.send(t, "door-1", visit(t, "kko", 2, t0)); got[0] != wire.ReasonRetention {
		t.Errorf("a visit of day 29 is %s", got[0])
	}
}

func TestNewRefuses(t *testing.T) {
	good := newHouse(t).Config
	for name, spoil := range map[string]func(*Config){
		"no store":   func(c *Config) { c.Store = nil },
		"no key":     func(c *Config) { c.Receipt = nil },
		"no devices": func(c *Config) { c.Devices = nil },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
