package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, want := range []string{"old", "new"} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, serr := os.Stat(path)
		if err != nil || serr != nil || string(got) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%q, %v, %v", got, err, serr)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d files left, %v", len(entries), err)
	}
	if err := Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("written into a folder that is not there")
	}
}

// TestOwner: what root writes belongs to the folder's owner.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away; this runs where the tests run as root")
	}
	const uid, gid = 4711, 4712
	dir := t.TempDir()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	made, written := filepath.Join(dir, "made"), filepath.Join(dir, "written")
	if err := os.WriteFile(made, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Own(made); err != nil {
		t.Fatal(err)
	}
	if err := Write(written, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{made, written} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != gid {
			t.Errorf("%s belongs to %d:%d", filepath.Base(path), s.Uid, s.Gid)
		}
	}
}
