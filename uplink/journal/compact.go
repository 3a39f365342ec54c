package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/munjigi/munjigi/uplink/disk"

	bolt "go.etcd.io/bbolt"
)

// ErrClosed is returned by Compact where it had to close the journal: no visit
// is kept any more, and so none announced, until the journal is opened anew.
var ErrClosed = errors.New("the journal is closed: restart the kiosk")

// Compact writes the journal anew with nothing in it but what it holds: bbolt
// reuses the pages of deleted records without overwriting them, and 28 days
// must mean the file, too. It is done by a copy and a rename, so that a cut at
// any moment leaves the old file or the new one. Readers and writers wait
// meanwhile, about a millisecond for a hundred visits.
func (j *Journal) Compact() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.sound(); err != nil {
		return err
	}
	if err := j.guard(j.compact); err != nil {
		return fmt.Errorf("compact the journal %s: %w", j.path, err)
	}
	return nil
}

func (j *Journal) compact() error {
	next := j.path + ".compact"
	if err := os.RemoveAll(next); err != nil { // left by a cut
		return err
	}
	dst, err := bolt.Open(next, 0o600, options())
	if err != nil {
		return err
	}
	if err := errors.Join(bolt.Compact(dst, j.db, 1<<20), dst.Sync(), dst.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := disk.Own(next); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	// The old file stays open and locked until the new one stands in its place.
	if err := os.Rename(next, j.path); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	// From here on the old file has no name: what is kept in it would be gone at
	// the next start. Whatever fails now, nothing may be kept there.
	old := j.db
	err = j.syncDir(filepath.Dir(j.path))
	if err == nil {
		j.db, err = j.open()
	}
	if err != nil {
		j.db = old
		return errors.Join(ErrClosed, err, old.Close())
	}
	return old.Close()
}
