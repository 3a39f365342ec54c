package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/munjigi/munjigi/uplink/disk"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged is returned by every method once the file was found damaged while
// it was open: nothing is kept any more. Opening it anew mends it.
var ErrDamaged = errors.New("the journal's file is damaged: restart the kiosk, which mends it")

// Open opens or creates the journal at path. One process holds it at a time. A
// file that is damaged is mended first, see Mended; one that is merely held by
// another, on a full disk or on one that gives nothing is an error and stays as
// it is.
func Open(path string) (j *Journal, err error) {
	defer func() {
		if err != nil {
			j, err = nil, fmt.Errorf("open the journal %s: %w", path, err)
		}
	}()
	mended, err := mend(path)
	if err != nil {
		return nil, explain(err)
	}
	j = &Journal{path: path, mended: mended, commit: (*bolt.Tx).Commit, syncDir: disk.Sync, added: make(chan struct{}, 1), damaged: make(chan struct{})}
	if mended != nil {
		j.orphans = mended.orphans
	}
	if err := j.guard(func() (err error) { j.db, err = j.open(); return err }); err != nil {
		return nil, explain(err)
	}
	if err := disk.Own(path); err != nil {
		return nil, errors.Join(err, j.db.Close())
	}
	err = j.update(func(tx *bolt.Tx) error { return makeBuckets(tx) })
	if err != nil {
		return nil, errors.Join(err, j.db.Close())
	}
	return j, nil
}

// open opens the file and keeps hold of it beside bbolt.
func (j *Journal) open() (*bolt.DB, error) {
	o := options()
	o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		f, err = os.OpenFile(name, flag, mode)
		j.file = f
		return f, err
	}
	return bolt.Open(j.path, 0o600, o)
}

func makeBuckets(tx *bolt.Tx) error {
	for _, b := range [][]byte{bucketUsed, bucketVisits, bucketAside, bucketCounts, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(b); err != nil {
			return err
		}
	}
	return nil
}

// explain says what to do about an error of opening.
func explain(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return errors.New("another kiosk holds it: stop that one first")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("create its folder first: %w", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("let the kiosk's user write there: %w", err)
	}
	return err
}

func options() *bolt.Options {
	return &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType}
}

// Probe says whether the disk takes a write, by making one as Admit does.
func (j *Journal) Probe() error {
	err := j.update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyDestroyed, seqKey(number(tx, keyDestroyed)))
	})
	if err != nil {
		return fmt.Errorf("write to the journal: the disk is full, read-only or broken: %w", err)
	}
	return nil
}

// Close releases the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sound() != nil {
		// bbolt may have panicked with its own locks held, and its map of the file
		// holds the lock of the file.
		if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_UN); errors.Is(err, syscall.EBADF) {
			return nil // closed before
		}
		return j.file.Close()
	}
	return j.guard(j.db.Close)
}

// Damaged is closed when the file is found damaged while it is open.
func (j *Journal) Damaged() <-chan struct{} { return j.damaged }

// guard runs what reads bbolt's pages: the library panics on damaged ones, and
// a page that the disk does not give is a fault of memory to the program,
// because the file is mapped. Either ends this journal and not the program.
func (j *Journal) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			j.once.Do(func() { close(j.damaged) })
			err = fmt.Errorf("%w (%v)", ErrDamaged, p)
		}
	}()
	return fn()
}

// sound says whether the file may be used.
func (j *Journal) sound() error {
	select {
	case <-j.damaged:
		return ErrDamaged
	default:
		return nil
	}
}

// view is bolt's View.
func (j *Journal) view(fn func(*bolt.Tx) error) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if err := j.sound(); err != nil {
		return err
	}
	return j.guard(func() error { return j.db.View(fn) })
}

// update is bolt's Update with a commit that tests can fail.
func (j *Journal) update(fn func(*bolt.Tx) error) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if err := j.sound(); err != nil {
		return err
	}
	var tx *bolt.Tx
	err := j.guard(func() (err error) {
		if tx, err = j.db.Begin(true); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		return j.commit(tx)
	})
	if err == nil || tx == nil {
		return err
	}
	// A no-op where the commit got through after all.
	if rerr := j.guard(tx.Rollback); rerr != nil && !errors.Is(rerr, berrors.ErrTxClosed) {
		return errors.Join(err, rerr)
	}
	return err
}
