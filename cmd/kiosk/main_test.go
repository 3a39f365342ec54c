package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// TestMain makes the test binary the kiosk command where it is called so.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": main})
}

// TestScripts runs the command lines in testdata, each in a folder with a
// kiosk.toml, pictures, and codes of a registry that runs.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	tn, err := town.New(ctx, dir, town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, time.Now, log)
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
	now := time.Now()
	text, err := tn.Pass(town.Good, now)
	if err != nil {
		t.Fatal(err)
	}
	// Setup may run for several scripts at once, and a facility is entered once.
	if _, err := tn.Code(ctx, doorID, "restaurant", ""); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ISSUED", now.Format(time.RFC3339))
			for name, replaces := range map[string]string{"CODE": "", "CODE2": ""} {
				code, err := tn.Code(ctx, doorID, "restaurant", replaces)
				if err != nil {
					return err
				}
				e.Setenv(name, code)
			}
			e.Setenv("REGISTRY", tn.RegistryURL)
			e.Setenv("WORDS", strings.Join(tn.Devices.Words(), " "))
			if err := os.WriteFile(filepath.Join(e.WorkDir, "kiosk.toml"), []byte(config), 0o600); err != nil {
				return err
			}
			if err := prove.WritePicture(filepath.Join(e.WorkDir, "empty.pgm"), ""); err != nil {
				return err
			}
			return prove.WritePicture(filepath.Join(e.WorkDir, "pass.pgm"), text)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// replacement sets CODE to a code that replaces the kiosk of a data folder.
			"replacement": func(ts *testscript.TestScript, _ bool, args []string) {
				i, err := enrol.Load(ts.MkAbs(args[0]))
				ts.Check(err)
				code, err := tn.Code(ctx, doorID, "restaurant", i.Kiosk)
				ts.Check(err)
				ts.Setenv("CODE", code)
			},
			// revoke revokes the kiosk of a data folder.
			"revoke": func(ts *testscript.TestScript, _ bool, args []string) {
				i, err := enrol.Load(ts.MkAbs(args[0]))
				ts.Check(err)
				ts.Check(tn.Devices.Revoke(ctx, i.Kiosk, time.Now()))
			},
			// visit puts a visit into the journal of a data folder, as an evening
			// without a network did.
			"visit": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(visit(tn, ts.MkAbs(args[0])))
			},
		},
	})
}

const config = `data = "data"
[camera]
source = "pass.pgm"
[sound]
output = "off"
[screen]
panels = ["png:screen.png"]
[owner]
listen = "127.0.0.1:0"
`

// visit admits a good pass to the journal of a kiosk.
func visit(tn *town.Town, dir string) error {
	i, err := enrol.Load(dir)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, enrol.BundleFile))
	if err != nil {
		return err
	}
	bundle, err := pass.OpenBundle(raw, i.Root)
	if err != nil {
		return err
	}
	now := time.Now()
	text, err := tn.Pass(town.Good, now)
	if err != nil {
		return err
	}
	u, err := pass.Parse(text)
	if err != nil {
		return err
	}
	p, err := u.Verify(now, bundle, pass.Conditions{Skew: pass.Skew, Facility: i.Kind, Clock: pass.ClockSure})
	if err != nil {
		return err
	}
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		return err
	}
	_, err = j.Claim(i.Kiosk)
	if err == nil {
		_, err = j.Admit(p, now)
	}
	return errors.Join(err, j.Close())
}
