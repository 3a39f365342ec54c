package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"log/slog"

	"github.com/google/go-cmp/cmp"

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

func TestCounts(t *testing.T) {
	h := newHouse(t)
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, store.Seoul)
	h.now = midnight.Add(25 * time.Hour)
	for i, at := range []time.Duration{-4 * time.Second, 0, time.Hour - 4*time.Second, 12 * time.Hour, 12*time.Hour + time.Minute, 24*time.Hour - 4*time.Second, 24*time.Hour - 3*time.Second} {
		h.send(t, token, "door-1", visit(t, "kko", uint64(i+1), midnight.Add(at)))
	}
	h.send(t, "m", "door-m", visit(t, "kko", 100, midnight.Add(time.Hour)))
	get := func(query string) (got struct {
		Facility, Day string
		Total         int
		Hours         store.Hours
	}) {
		t.Helper()
		resp, body := h.get(t, "/v1/counts?"+query)
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", query, resp.StatusCode, body)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	all := get("day=2026-11-22")
	if diff := cmp.Diff(store.Hours{0: 2, 1: 1, 12: 2, 23: 1}, all.Hours); diff != "" {
		t.Error(diff)
	}
	if one := get("facility=cafe-1&day=2026-11-22"); one.Total != 5 || one.Hours[1] != 0 {
		t.Errorf("%+v", one)
	}
	if today := get(""); today.Day != "2026-11-23" || today.Total != 1 {
		t.Errorf("%+v", today)
	}
	for query, want := range map[string]int{
		"day=22.11.2026": 400, "day=2026-02-30": 400, "facility=nowhere": 404,
		"facility=cafe-1%27%20OR%20%271%27%3D%271": 404, "day=2026-11-22%27%3BDROP+TABLE+visits": 400,
	} {
		if resp, body := h.get(t, "/v1/counts?"+query); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", query, resp.StatusCode, want, body)
		}
	}
}

func TestPage(t *testing.T) {
	h := newHouse(t)
	h.send(t, token, "door-1", visit(t, "kko", 1, t0), visit(t, "kko", 2, t0))
	resp, body := h.get(t, "/?facility=cafe-1")
	if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for _, part := range []string{"방문 현황", "Visits by hour", "<dd>2</dd>", "<title>12시: 2</title>", "cafe-1", `<th scope="row">12:00–12:59</th><td>2</td>`} {
		if !strings.Contains(string(body), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	for _, part := range []string{"door-1", "kko", idOf(1).String()} {
		if strings.Contains(string(body), part) {
			t.Errorf("the page says %q", part)
		}
	}
	if resp, _ := h.get(t, "/?day=x"); resp.StatusCode != 400 {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp, _ := h.get(t, "/counts.css"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp, _ := h.get(t, "/nothing"); resp.StatusCode != 404 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// What arrives too late is not even written.
func TestRetention(t *testing.T) {
	h := newHouse(t)
	h.now = store.DayOf(t0).Midnight().AddDate(0, 0, store.Days).Add(-time.Second)
	if got := h.send(t, token, "door-1", visit(t, "kko", 1, t0)); got[0] != "stored" {
		t.Errorf("a visit at the end of day 28 is %s", got[0])
	}
	h.now = h.now.Add(time.Second)
	if got := h.send(t, token, "door-1", visit(t, "kko", 2, t0)); got[0] != ReasonRetention {
		t.Errorf("a visit of day 29 is %s", got[0])
	}
}

func TestServeEnds(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Serve(ctx, l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := newHouse(t).Config
	for name, spoil := range map[string]func(*Config){
		"no store": func(c *Config) { c.Store = nil },
		"no key":   func(c *Config) { c.Receipt = nil },
		"no id":    func(c *Config) { c.Kiosks = []Kiosk{{Facility: "x"}} },
		"twice":    func(c *Config) { c.Kiosks = append(c.Kiosks[:1:1], c.Kiosks[0]) },
		"a shared token": func(c *Config) {
			k := c.Kiosks[0]
			k.ID = "another"
			c.Kiosks = append(c.Kiosks[:1:1], k)
		},
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
