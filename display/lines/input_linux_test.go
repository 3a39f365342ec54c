package lines

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeepInput: whatever periph closes, number 0 stays standard input; where
// somebody was faster, their file is not closed the next time. It runs in a process
// of its own, which has its standard input to lose.
func TestKeepInput(t *testing.T) {
	if os.Getenv("KEEP_INPUT") == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestKeepInput$", "-test.v")
		c.Env = append(os.Environ(), "KEEP_INPUT=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	number := func() (at uint64) {
		var s unix.Stat_t
		if err := unix.Fstat(0, &s); err != nil {
			t.Fatalf("standard input: %v", err)
		}
		return s.Ino
	}
	was := number()
	wrong := errors.New("wrong")
	if err := keepInput(func() error { unix.Close(0); return wrong }); !errors.Is(err, wrong) {
		t.Errorf("said %v", err)
	}
	if number() != was {
		t.Error("standard input is another file")
	}
	journal, err := os.Create(t.TempDir() + "/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	if err := keepInput(func() error { return unix.Dup3(int(journal.Fd()), 0, 0) }); err != nil {
		t.Error(err)
	}
	theirs := number()
	if err := keepInput(func() error { unix.Close(0); return nil }); err == nil {
		t.Error("periph may close a file that is not its own")
	}
	if number() != theirs {
		t.Error("somebody's file was closed")
	}
}
