// Package journal keeps on the device what a visitor has been promised: the
// used mark of a pass and the visit, in one transaction, on disk before
// 「인증되었습니다」 is heard (DESIGN, laws 1 and 4). FORMAT.md beside this file
// describes the file.
//
// A nil error means durable: bbolt writes its pages and syncs them before the
// meta page, which it syncs too. After an error nobody knows; the caller says
// nothing to the visitor, and showing the pass again settles it: a mark that
// was written but never announced is announced then, without a second visit.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

// Keep is how long a visit may wait for the registry; then it is destroyed
// and counted (DESIGN, law 12).
const Keep = 28 * 24 * time.Hour

// ErrUsed is returned by Admit for a pass that was admitted and announced.
var ErrUsed = errors.New("the pass was used before")

// UsedError is the ErrUsed that Admit returns.
type UsedError struct {
	At time.Time // when the admission was announced
}

func (e *UsedError) Error() string { return ErrUsed.Error() }
func (e *UsedError) Unwrap() error { return ErrUsed }

// Admission is a pass that may be announced.
type Admission struct {
	Seq    uint64 // the visit's number, 0 where policy keeps no visit
	Again  bool   // the mark stood already, but was never announced
	issuer string
	id     pass.ID
}

// Journal is the file. Its methods may be called from several goroutines.
type Journal struct {
	path string
	mu   sync.RWMutex // held for writing only while Compact changes files
	db   *bolt.DB
	file *os.File // of db
	// commit ends a transaction; tests replace it to make writes fail, with
	// and without having reached the disk.
	commit func(*bolt.Tx) error
	// syncDir makes a rename durable; tests replace it to make it fail.
	syncDir func(dir string) error
	added   chan struct{}

	mended  *Mend           // what Open had to do, nil for nothing
	orphans map[string]bool // signed passes whose visit was salvaged without its mark
	damaged chan struct{}   // closed when the file is found damaged
	once    sync.Once       // closes it
}

var (
	bucketUsed   = []byte("used")   // issuer, 0, pass id → mark
	bucketVisits = []byte("visits") // sequence, 8 bytes big endian → wire.Visit
	bucketAside  = []byte("aside")  // sequence → aside, what the registry will never take
	bucketMeta   = []byte("meta")

	keyClock     = []byte("clock")     // highest time ever seen, Unix ms, 8 bytes big endian
	keyDestroyed = []byte("destroyed") // visits destroyed unsent, 8 bytes big endian
	keyUnkept    = []byte("unkept")    // visits destroyed because policy keeps none, 8 bytes big endian
	keyKiosk     = []byte("kiosk")     // id of the kiosk whose visits these are
	keyMended    = []byte("mended")    // how often the file was damaged and mended, 8 bytes big endian
	keySalvaged  = []byte("salvaged")  // visits salvaged then, 8 bytes big endian
)

// mark is the value of a used pass.
type mark struct {
	Expires   int64  `cbor:"1,keyasint"` // Unix seconds
	Announced int64  `cbor:"2,keyasint"` // Unix ms, 0 while it was not
	Seq       uint64 `cbor:"3,keyasint"`
}

// aside is a visit the registry refused, with its reason.
type aside struct {
	Visit  wire.Visit `cbor:"1,keyasint"`
	Reason string     `cbor:"2,keyasint"`
}

// Admit writes the used mark and, where policy records, the visit, in one
// durable transaction. at is the time of the scan. Errors: *UsedError
// (ErrUsed) for a pass that was announced before; any other means that nothing
// may be announced.
func (j *Journal) Admit(p *pass.Pass, at time.Time) (Admission, error) {
	a := Admission{issuer: p.Issuer(), id: p.ID()}
	err := j.update(func(tx *bolt.Tx) error {
		used := tx.Bucket(bucketUsed)
		key := usedKey(a.issuer, a.id)
		if data := used.Get(key); data != nil {
			var m mark
			if err := cose.Unmarshal(data, &m); err != nil {
				return fmt.Errorf("read a used mark: %w", err)
			}
			if m.Announced != 0 {
				return &UsedError{At: time.UnixMilli(m.Announced).UTC()}
			}
			a.Seq, a.Again = m.Seq, true
			return nil
		}
		if j.orphans[string(p.Bytes())] {
			// Nobody knows whether it was announced: twice would be worse than a
			// code made anew.
			return &UsedError{At: p.IssuedAt()}
		}
		if p.Mode() == pass.ModeRecord {
			visits := tx.Bucket(bucketVisits)
			seq, err := visits.NextSequence()
			if err != nil {
				return err
			}
			v := wire.Visit{Seq: seq, At: at.UnixMilli(), Pass: p.Bytes()}
			if p.ClockUnsure() {
				v.Flags |= wire.FlagClockUnsure
			}
			if err := put(visits, seqKey(seq), v); err != nil {
				return err
			}
			if err := countHour(tx, countVisit, at); err != nil {
				return err
			}
			a.Seq = seq
		}
		// The signed time, not the clock's: nobody may have vouched for that.
		if err := raiseClock(tx, p.IssuedAt()); err != nil {
			return err
		}
		return put(used, key, mark{Expires: p.Expires().Unix(), Seq: a.Seq})
	})
	if err != nil {
		if errors.Is(err, ErrUsed) {
			return Admission{}, err
		}
		return Admission{}, fmt.Errorf("keep the visit: %w", err)
	}
	j.ring()
	return a, nil
}

// ring tells the sender that there is something new.
func (j *Journal) ring() {
	select {
	case j.added <- struct{}{}:
	default:
	}
}

// Announced notes that the visitor has been told. Until then a showing of the
// same pass is admitted again.
func (j *Journal) Announced(a Admission, at time.Time) error {
	err := j.update(func(tx *bolt.Tx) error {
		used := tx.Bucket(bucketUsed)
		key := usedKey(a.issuer, a.id)
		data := used.Get(key)
		if data == nil {
			return nil // pruned meanwhile: it has expired
		}
		var m mark
		if err := cose.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("read a used mark: %w", err)
		}
		if m.Announced != 0 {
			return nil
		}
		m.Announced = at.UnixMilli()
		return put(used, key, m)
	})
	if err != nil {
		return fmt.Errorf("note that the visit was announced: %w", err)
	}
	return nil
}

// Added receives a value after visits were added: the sender's bell.
func (j *Journal) Added() <-chan struct{} { return j.added }

// Pending returns up to limit unsent visits, oldest first, above the sequence
// number after.
func (j *Journal) Pending(after uint64, limit int) ([]wire.Visit, error) {
	var out []wire.Visit
	err := j.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketVisits).Cursor()
		for k, data := c.Seek(seqKey(after + 1)); k != nil && len(out) < limit; k, data = c.Next() {
			var v wire.Visit
			if err := cose.Unmarshal(data, &v); err != nil {
				continue // one damaged record holds up no other; Prune ends it
			}
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return out, nil
}

// Settle carries out a verified receipt: what the registry has is deleted,
// what it will never take is set aside with its reason, and what nobody may
// keep is destroyed and counted.
func (j *Journal) Settle(results []wire.Result) error {
	err := j.update(func(tx *bolt.Tx) error {
		visits := tx.Bucket(bucketVisits)
		for _, r := range results {
			key := seqKey(r.Seq)
			data := visits.Get(key)
			if data == nil {
				continue // a receipt that came twice
			}
			var err error
			switch {
			case r.Destroy() && r.Reason == wire.ReasonRetention:
				err = count(tx, keyDestroyed, 1)
			case r.Destroy():
				err = count(tx, keyUnkept, 1)
			case r.Status == wire.StatusRefused:
				err = setAside(tx, key, data, r.Reason)
			}
			if err != nil {
				return err
			}
			if err := visits.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle a receipt: %w", err)
	}
	return nil
}

func setAside(tx *bolt.Tx, key, data []byte, reason string) error {
	var v wire.Visit
	if err := cose.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("visit %d: %w", binary.BigEndian.Uint64(key), err)
	}
	return put(tx.Bucket(bucketAside), key, aside{Visit: v, Reason: reason})
}

// Stats is the journal's state for the status strip and heartbeat.
type Stats struct {
	Queue     int       // visits waiting
	Oldest    time.Time // of them, zero for none
	Aside     int       // visits the registry refused
	Destroyed uint64    // visits destroyed unsent after Keep
	Unkept    uint64    // visits destroyed because the policy of their time keeps none
	Mended    uint64    // how often the file was damaged and mended
	Salvaged  uint64    // visits salvaged then; others may be lost
	Clock     time.Time // the highest time ever persisted, zero on a new device
}

// Stats counts.
func (j *Journal) Stats() (Stats, error) {
	var s Stats
	err := j.view(func(tx *bolt.Tx) error {
		visits := tx.Bucket(bucketVisits)
		s.Queue = visits.Stats().KeyN
		s.Aside = tx.Bucket(bucketAside).Stats().KeyN
		s.Destroyed, s.Unkept = number(tx, keyDestroyed), number(tx, keyUnkept)
		s.Mended, s.Salvaged = number(tx, keyMended), number(tx, keySalvaged)
		s.Clock = clock(tx)
		for c, k, data := first(visits); k != nil; k, data = c.Next() {
			var v wire.Visit
			if cose.Unmarshal(data, &v) == nil { // a damaged record holds up nothing
				s.Oldest = v.Time()
				break
			}
		}
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("read the journal: %w", err)
	}
	return s, nil
}

func first(b *bolt.Bucket) (c *bolt.Cursor, k, v []byte) {
	c = b.Cursor()
	k, v = c.First()
	return c, k, v
}

func put(b *bolt.Bucket, key []byte, v any) error {
	data, err := cose.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

func usedKey(issuer string, id pass.ID) []byte {
	return append(append([]byte(issuer), 0), id[:]...)
}

func seqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func number(tx *bolt.Tx, key []byte) uint64 {
	if data := tx.Bucket(bucketMeta).Get(key); len(data) == 8 {
		return binary.BigEndian.Uint64(data)
	}
	return 0
}

func count(tx *bolt.Tx, key []byte, more int) error {
	return tx.Bucket(bucketMeta).Put(key, seqKey(number(tx, key)+uint64(more)))
}

func clock(tx *bolt.Tx) time.Time {
	if ms := number(tx, keyClock); ms != 0 {
		return time.UnixMilli(int64(ms)).UTC()
	}
	return time.Time{}
}

func raiseClock(tx *bolt.Tx, now time.Time) error {
	if !now.After(clock(tx)) || now.UnixMilli() < 0 {
		return nil
	}
	return tx.Bucket(bucketMeta).Put(keyClock, seqKey(uint64(now.UnixMilli())))
}
