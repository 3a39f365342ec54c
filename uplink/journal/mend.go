package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/disk"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Mend is what Open did with a damaged file.
type Mend struct {
	Visits int    // salvaged, those set aside among them; others may be lost
	Marks  int    // used marks salvaged
	Kept   string // where the damaged file lies now, "" where it was not kept
	Why    error  // what was found

	orphans map[string]bool
}

// Mended is what Open had to do, nil where the file was sound.
func (j *Journal) Mended() *Mend { return j.mended }

const (
	// damagedName is between the journal's name and the day a damaged file is
	// destroyed on: that of its oldest visit, and Keep.
	damagedName = ".damaged-until-"
	damagedDay  = "20060102"
	// unknownKeep is how long one is kept in which no visit could be read: it
	// may hold some all the same.
	unknownKeep = 7 * 24 * time.Hour
	// maxDamaged is how many are kept, and how large one may be.
	maxDamaged     = 2
	maxDamagedSize = 32 << 20
	// seqGap lies between the numbers that were read and the next: those of lost
	// visits are not given again.
	seqGap = 1 << 16
	// maxSeq is a number no kiosk comes by: what is above is damaged.
	maxSeq = 1 << 40
)

// mend looks at the file and, where it is damaged, writes a new one with every
// record that can still be read. A cut at any moment leaves the damaged file or
// the new one in its place. nil, nil: there was nothing to do.
func mend(path string) (*Mend, error) {
	next := path + ".mend"
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err // bbolt begins an empty file
	}
	// As bbolt locks it, until the new one stands in its place.
	if err := syscall.Flock(int(r.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, awaitLock(path)
		}
		return nil, err
	}
	// Another program may have put a new file there since it was opened.
	if there, err := os.Stat(path); err != nil || !os.SameFile(there, info) {
		return nil, errors.Join(berrors.ErrTimeout, err)
	}
	if err := os.RemoveAll(next); err != nil { // left by a cut
		return nil, err
	}
	f := &file{r: r, size: info.Size(), unread: map[uint64]error{}}
	s := newSalvage()
	why := s.tree(f)
	if why == nil {
		return nil, nil
	}
	if err := f.dead(); err != nil {
		return nil, err
	}
	if err := s.rest(f); err != nil {
		return nil, err
	}
	if err := s.write(next, info.ModTime()); err != nil {
		return nil, errors.Join(fmt.Errorf("it is damaged (%w) and could not be mended: %w", why, err), os.RemoveAll(next))
	}
	m := &Mend{Visits: len(s.visits) + len(s.aside), Marks: len(s.used), Why: why, orphans: s.orphans()}
	m.Kept = keepDamaged(path, info, s.oldest())
	if err := os.Rename(next, path); err != nil {
		return nil, err
	}
	return m, disk.Sync(filepath.Dir(path))
}

// awaitLock gives who holds the file as long as bbolt would.
func awaitLock(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: options().Timeout, ReadOnly: true})
	if err == nil {
		return errors.Join(berrors.ErrTimeout, db.Close()) // it was just let go: the next try looks at it
	}
	return err
}

// dead says that the disk gives so little of the file that what is lost cannot
// be told from what comes back with the disk: a cable, a card half out.
func (f *file) dead() error {
	if len(f.unread) == 0 {
		return nil
	}
	pages, bad := 0, 0
	for off := int64(0); off < f.size; off += f.pageSize {
		pages++
		if _, err := f.r.ReadAt(make([]byte, 1), off); err != nil {
			bad++
		}
	}
	if bad*2 > pages {
		return fmt.Errorf("the disk gives %d of its %d pages: %w", pages-bad, pages, slices.Collect(maps.Values(f.unread))[0])
	}
	return nil
}

// keepDamaged gives a damaged file a second name, for support, before the new
// one takes its first, and returns it. It is destroyed when its oldest visit would
// be (law 12). Where that is not possible it is not kept: "".
func keepDamaged(path string, info fs.FileInfo, oldest time.Time) string {
	until := oldest.Add(Keep)
	if oldest.IsZero() {
		until = info.ModTime().Add(unknownKeep)
	}
	if info.Size() > maxDamagedSize {
		return ""
	}
	name := path + damagedName + until.UTC().Format(damagedDay)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	all, err := damagedFiles(path)
	if err != nil {
		return ""
	}
	for ; len(all) >= maxDamaged; all = all[1:] {
		if os.Remove(all[0]) != nil {
			return ""
		}
	}
	if os.Link(path, name) != nil { // also a file system without a second name
		return ""
	}
	if os.Chmod(name, 0o600) != nil || disk.Own(name) != nil {
		_ = os.Remove(name) // nobody else may read it
		return ""
	}
	return name
}

// damagedFiles are those that are kept, the soonest to go first.
func damagedFiles(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries { // by name
		if strings.HasPrefix(e.Name(), filepath.Base(path)+damagedName) {
			all = append(all, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return all, nil
}

// pruneDamaged destroys the damaged files whose day has come, and those whose
// name is no such day: a wrong clock's.
func (j *Journal) pruneDamaged(high time.Time) error {
	if high.IsZero() {
		return nil // nobody knows what day it is
	}
	all, err := damagedFiles(j.path)
	for _, name := range all {
		until, perr := time.Parse(damagedDay, strings.TrimPrefix(name, j.path+damagedName))
		if perr != nil || !high.Before(until) || until.After(high.Add(Keep+24*time.Hour)) {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

// write makes the new file. changed is when the damaged one was last written.
func (s *salvage) write(path string, changed time.Time) (err error) {
	db, err := bolt.Open(path, 0o600, options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.NoSync = true // once, at the end
	err = db.Update(func(tx *bolt.Tx) error {
		if err := makeBuckets(tx); err != nil {
			return err
		}
		if err := tx.Bucket(bucketVisits).SetSequence(s.seq + seqGap); err != nil {
			return err
		}
		return s.writeMeta(tx.Bucket(bucketMeta), changed)
	})
	for step := range slices.Chunk(s.visits, takeStep) {
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error { return s.writeVisits(tx, step) }))
	}
	return errors.Join(err, db.Update(s.writeRest), db.Sync(), disk.Own(path))
}

// writeVisits keeps the numbers, but where two copies of one differ: then the
// registry, which verifies their signatures, tells which is damaged.
func (s *salvage) writeVisits(tx *bolt.Tx, step []wire.Visit) error {
	b := tx.Bucket(bucketVisits)
	for _, v := range step {
		if b.Get(seqKey(v.Seq)) != nil || s.aside[v.Seq].Reason != "" {
			var err error
			if v.Seq, err = b.NextSequence(); err != nil {
				return err
			}
		}
		if err := put(b, seqKey(v.Seq), v); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvage) writeRest(tx *bolt.Tx) error {
	for seq, a := range s.aside {
		if err := put(tx.Bucket(bucketAside), seqKey(seq), a); err != nil {
			return err
		}
	}
	for key, m := range s.used {
		if err := put(tx.Bucket(bucketUsed), []byte(key), m); err != nil {
			return err
		}
	}
	for key, n := range s.counts {
		if err := tx.Bucket(bucketCounts).Put([]byte(key), seqKey(n)); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvage) writeMeta(meta *bolt.Bucket, changed time.Time) error {
	s.numbers[string(keyMended)]++
	s.numbers[string(keySalvaged)] += uint64(len(s.visits) + len(s.aside))
	// Nothing says whether this one is damaged, and a time far ahead would close
	// the door for good: it must not lie far behind what was written then.
	if limit := max(changed.UnixMilli(), s.newest) + (24 * time.Hour).Milliseconds(); s.numbers[string(keyClock)] > uint64(limit) {
		s.numbers[string(keyClock)] = 0
	}
	for key, n := range s.numbers {
		if err := meta.Put([]byte(key), seqKey(n)); err != nil {
			return err
		}
	}
	if s.kiosk == "" {
		return nil
	}
	return meta.Put(keyKiosk, []byte(s.kiosk))
}
