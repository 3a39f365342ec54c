package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"

	bolt "go.etcd.io/bbolt"
)

// pruneStep is how many records one transaction of Prune deletes: a visitor
// waits for one step at most, however long the queue has become.
const pruneStep = 500

// Prune removes used marks whose passes can no longer verify, destroys visits
// older than Keep and forgets how many there were then. It goes by the highest time ever seen, so that a
// clock set back revives nothing. now is the zero time where nobody vouches for
// the clock; then the signed times of the passes admitted must do. skew is the
// tolerance passes are verified with, and that of the clock.
func (j *Journal) Prune(now time.Time, skew time.Duration) (destroyed int, err error) {
	err = j.prune(now, skew, &destroyed)
	if err != nil {
		return destroyed, fmt.Errorf("prune the journal: %w", err)
	}
	return destroyed, nil
}

func (j *Journal) prune(now time.Time, skew time.Duration, destroyed *int) (err error) {
	var high time.Time
	err = j.update(func(tx *bolt.Tx) error {
		if err := raiseClock(tx, now); err != nil {
			return err
		}
		high = clock(tx)
		return pruneCounts(tx, high.Add(-Keep))
	})
	if err != nil {
		return err
	}
	// A copy that the disk does not let go must not keep the rest.
	defer func() { err = errors.Join(err, j.pruneDamaged(high)) }()
	_, err = j.sweep(bucketUsed, false, func(data []byte) bool {
		var m mark
		// Nothing can be read from a damaged mark; it must not hold up the rest.
		return cose.Unmarshal(data, &m) != nil || !high.Before(time.Unix(m.Expires, 0).Add(skew))
	})
	if err != nil {
		return err
	}
	for _, name := range [][]byte{bucketVisits, bucketAside} {
		n, err := j.sweep(name, true, func(data []byte) bool {
			var v wire.Visit
			if cose.Unmarshal(data, &v) != nil {
				var a aside
				if cose.Unmarshal(data, &a) != nil {
					return true // nobody can read or send it: count it as lost
				}
				v = a.Visit
			}
			return v.Time().Before(high.Add(-Keep))
		})
		*destroyed += n
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes what dead says and counts it, as destroyed visits if it is
// told so. It reads beside the writers and writes in steps.
func (j *Journal) sweep(bucket []byte, visits bool, dead func(data []byte) bool) (n int, err error) {
	var keys [][]byte
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(k, data []byte) error {
			if dead(data) {
				keys = append(keys, append([]byte(nil), k...))
			}
			return nil
		})
	})
	for err == nil && len(keys) > 0 {
		step := keys[:min(pruneStep, len(keys))]
		gone := 0
		err = j.update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucket)
			gone = 0
			for _, k := range step {
				if b.Get(k) == nil {
					continue // sent meanwhile
				}
				gone++
				if err := b.Delete(k); err != nil {
					return err
				}
			}
			if !visits {
				return nil
			}
			return count(tx, keyDestroyed, gone)
		})
		if err == nil {
			n += gone
			keys = keys[len(step):]
		}
	}
	return n, err
}
