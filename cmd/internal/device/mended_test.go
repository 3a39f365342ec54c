package device

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/journal"
)

// TestMendedIsTold: whoever looks after the device learns that its file was
// damaged: in the log, at the registry and on the owner's page.
func TestMendedIsTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no journal "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := Defaults()
	c.Data, c.Owner.Listen, c.Sound.Output, c.Screen.Panels = dir, "", "off", nil
	d, err := New(c, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Clock: clock.New(func() bool { return true }, false)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "salvaged=0") {
		t.Errorf("the log says %s", log.String())
	}
	if f := d.facts(); f.Mended != 1 || f.Salvaged != 0 {
		t.Errorf("the registry is told %+v", f)
	}
	if c := d.diskCondition(); c.State != "mended" || c.Level != display.Warn {
		t.Errorf("the owner is told %+v", c)
	}
}

// TestDamagedWhileRunning: the daemon ends, since only opening mends the file.
func TestDamagedWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	d := &Device{Journal: j, Clock: clock.New(func() bool { return true }, false), now: func() time.Time { return t0 }, log: slog.New(slog.DiscardHandler)}
	if err := os.Truncate(path, 0); err != nil { // the disk gives nothing of it any more
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.keep(ctx); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("it goes on: %v", err)
	}
}
