package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

// reasonKiosk is why a visit stands aside whose kiosk this device is no more.
const reasonKiosk = "another-kiosk"

// Claim says whose visits these are. A device that is enrolled again for the
// same kiosk goes on where it was. For another one, the former kiosk's visits
// are set aside and counted: they must not be sent under a wrong name, and
// TakeOver brings them to the device that is that kiosk now.
func (j *Journal) Claim(kiosk string) (setAsideNow int, err error) {
	if kiosk == "" {
		return 0, errors.New("claim the journal: a kiosk has a name")
	}
	changed := false
	err = j.update(func(tx *bolt.Tx) error {
		setAsideNow = 0
		meta := tx.Bucket(bucketMeta)
		owner := string(meta.Get(keyKiosk))
		if owner == kiosk {
			return nil
		}
		visits := tx.Bucket(bucketVisits)
		for c, k, data := first(visits); owner != "" && k != nil; k, data = c.First() {
			if err := setAside(tx, k, data, reasonKiosk+" "+owner); err == nil {
				setAsideNow++
			} else if err := count(tx, keyDestroyed, 1); err != nil { // a damaged record
				return err
			}
			if err := visits.Delete(append([]byte(nil), k...)); err != nil {
				return err
			}
		}
		if err := restore(tx, kiosk); err != nil {
			return err
		}
		if changed = owner != ""; changed { // another owner's numbers
			if err := forgetCounts(tx); err != nil {
				return err
			}
		}
		return meta.Put(keyKiosk, []byte(kiosk))
	})
	if err != nil {
		return 0, fmt.Errorf("claim the journal: %w", err)
	}
	if changed {
		// No old page may say whose the visits were, should the file be damaged
		// later. Where this fails it is done tonight.
		_ = j.Compact()
	}
	return setAsideNow, nil
}

// restore puts the visits back that were set aside when this device became
// another kiosk.
func restore(tx *bolt.Tx, kiosk string) error {
	var keys [][]byte
	others, visits := tx.Bucket(bucketAside), tx.Bucket(bucketVisits)
	err := others.ForEach(func(k, data []byte) error {
		var a aside
		if cose.Unmarshal(data, &a) != nil || a.Reason != reasonKiosk+" "+kiosk {
			return nil
		}
		keys = append(keys, append([]byte(nil), k...))
		return put(visits, k, a.Visit)
	})
	for i := 0; err == nil && i < len(keys); i++ {
		err = others.Delete(keys[i])
	}
	return err
}

// Owner is the kiosk whose visits these are, "" before the first Claim.
func (j *Journal) Owner() (kiosk string, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		kiosk = string(tx.Bucket(bucketMeta).Get(keyKiosk))
		return nil
	})
	return kiosk, err
}

// takeStep is how many visits one transaction of TakeOver copies.
const takeStep = 1000

// TakeOver copies the visits that wait in another device's journal, which is
// only read, into this one, under numbers of its own. Both must belong to the
// same kiosk. A visit that is here already is left out, and one that was sent
// from here meanwhile is known to the registry: to take over twice is harmless.
func (j *Journal) TakeOver(path string) (taken int, err error) {
	owner, err := j.Owner()
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, fmt.Errorf("take over a journal: %w", err)
	}
	visits, theirs, err := readJournal(path)
	switch {
	case err != nil:
		return 0, fmt.Errorf("take over %s: %w", path, err)
	case owner == "" || (theirs != owner && len(visits[owner]) == 0):
		return 0, fmt.Errorf("take over %s: its visits are those of kiosk %q, this device is %q: enrol it with a code that replaces that kiosk", path, theirs, owner)
	}
	rest := visits[owner]
	here := map[string]bool{}
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketVisits).ForEach(func(_, data []byte) error {
			var v wire.Visit
			if cose.Unmarshal(data, &v) == nil {
				here[string(v.Pass)] = true
			}
			return nil
		})
	})
	for err == nil && len(rest) > 0 {
		step := rest[:min(takeStep, len(rest))]
		n := 0
		err = j.update(func(tx *bolt.Tx) error {
			n = 0
			b := tx.Bucket(bucketVisits)
			for _, v := range step {
				if here[string(v.Pass)] {
					continue
				}
				if v.Seq, err = b.NextSequence(); err != nil {
					return err
				}
				if err := put(b, seqKey(v.Seq), v); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err == nil {
			taken += n
			rest = rest[len(step):]
		}
	}
	if err != nil {
		return taken, fmt.Errorf("take over %s: %w", path, err)
	}
	j.ring()
	return taken, nil
}

// readJournal reads the visits of a journal by the kiosk they belong to,
// without a write to its file: the disk may be dying. Of a damaged file it takes
// what Open would.
func readJournal(path string) (visits map[string][]wire.Visit, owner string, err error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, "", err
	}
	// As bbolt locks a file that it reads.
	if err := syscall.Flock(int(r.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, "", errors.New("another program has it open: stop the kiosk that it belongs to")
	} else if err != nil {
		return nil, "", err
	}
	f, s := &file{r: r, size: info.Size(), unread: map[uint64]error{}}, newSalvage()
	if s.tree(f) != nil {
		if err := s.rest(f); err != nil {
			return nil, "", err
		}
	}
	if s.kiosk == "" && len(s.visits)+len(s.aside) == 0 {
		return nil, "", fmt.Errorf("it is no journal, or nothing of it can be read: %w", fs.ErrInvalid)
	}
	visits = map[string][]wire.Visit{s.kiosk: s.visits}
	for _, a := range s.aside {
		if former, ok := strings.CutPrefix(a.Reason, reasonKiosk+" "); ok {
			visits[former] = append(visits[former], a.Visit)
		}
	}
	for _, all := range visits {
		slices.SortFunc(all, func(a, b wire.Visit) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	return visits, s.kiosk, nil
}
