// Package disk writes the small files of a kiosk so that a power cut leaves the
// old one or the new one, and so that the daemon can read what a technician's
// command wrote as root.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// Write replaces the file at path, readable by its owner only, who is the owner
// of its folder. When it returns no error, the file is durable.
func Write(path string, data []byte) error {
	t, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer t.Cleanup()
	if _, err := t.Write(data); err != nil {
		return err
	}
	if uid, gid, ok := owner(path); ok {
		if err := t.Chown(uid, gid); err != nil {
			return err
		}
	}
	if err := t.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

// Own gives a file that root made to the owner of its folder.
func Own(path string) error {
	uid, gid, ok := owner(path)
	if !ok {
		return nil
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("give the file to the folder's owner: %w", err)
	}
	return nil
}

// owner is who owns the folder of path, where that is to be brought about.
func owner(path string) (uid, gid int, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return 0, 0, false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Gid), true
}

// Sync makes the names in a folder durable.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
