package owner

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRemember: what waits for the disk keeps nobody from the page's state.
func TestRemember(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.s.Dir, SettingsFile)
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.s.remember(func(s *Settings) { s.Muted = true }) }()
	disk, err := os.OpenFile(file, os.O_WRONLY, 0) // it reads, and waits
	if err != nil {
		t.Fatal(err)
	}
	if !r.s.mu.TryLock() {
		t.Error("Address waits for the disk")
	} else {
		r.s.mu.Unlock()
	}
	disk.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if k, err := LoadSettings(r.s.Dir); err != nil || !k.Muted {
		t.Errorf("kept %+v, %v", k, err)
	}
}
