package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
)

// TestMain makes the test binary the kiosk command where it is called so.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": main})
}

// TestScripts runs the command lines in testdata, each in a folder with a
// kiosk.toml that belongs to a running registry, its bundle, and pictures.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	tn, err := town.New(ctx, dir, town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, []string{doorID}, "restaurant", time.Now, log)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tasks.Run(ctx, log, func() {}, tn.Tasks()...) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := tn.Close(); err != nil {
			t.Error(err)
		}
	})
	bundle, err := os.ReadFile(filepath.Join(dir, "registry-bundle.cbor"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := tn.Pass(town.Good, now)
	if err != nil {
		t.Fatal(err)
	}
	cfg := tn.Kiosk(doorID)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ISSUED", now.Format(time.RFC3339))
			config := fmt.Sprintf(`data = "data"
[kiosk]
id = %q
[registry]
url = %q
token = %q
root = %q
[camera]
source = "pass.pgm"
[sound]
output = "off"
[screen]
panels = ["png:screen.png"]
`, doorID, cfg.Registry.URL, cfg.Registry.Token, cfg.Registry.Root)
			if err := os.Mkdir(filepath.Join(e.WorkDir, "data"), 0o700); err != nil {
				return err
			}
			for file, data := range map[string][]byte{"kiosk.toml": []byte(config), "data/bundle.cbor": bundle} {
				if err := os.WriteFile(filepath.Join(e.WorkDir, file), data, 0o600); err != nil {
					return err
				}
			}
			if err := prove.WritePicture(filepath.Join(e.WorkDir, "empty.pgm"), ""); err != nil {
				return err
			}
			return prove.WritePicture(filepath.Join(e.WorkDir, "pass.pgm"), text)
		},
	})
}
