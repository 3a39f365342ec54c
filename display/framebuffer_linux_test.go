package display

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFaulting: memory that went away with its screen is a changed screen, and a
// mistake of ours stays one.
func TestFaulting(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "screen"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := os.Getpagesize()
	if err := f.Truncate(int64(page)); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := faulting(func() { mem[0] = 1 }); err != nil {
		t.Errorf("a screen that is there: %v", err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if err := faulting(func() { mem[0] = 1 }); !errors.Is(err, ErrChanged) {
		t.Errorf("a screen that is gone: %v, want ErrChanged", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an index out of range was taken for a screen that is gone")
		}
	}()
	beyond := page
	_ = faulting(func() { mem[beyond] = 1 })
}
