package journal

import (
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Count is how many people entered in one hour: numbers alone, which outlast
// the visits that the registry has taken.
type Count struct {
	Hour   time.Time // when it begins, UTC
	Visits int       // passes whose visit was kept
	Staff  int       // admitted by the staff, without a pass
}

// bucketCounts holds hour, 8 bytes big endian, and what, 1 byte → number, 8
// bytes big endian.
var bucketCounts = []byte("counts")

// What is counted.
const (
	countVisit byte = 1
	countStaff byte = 2
)

// AdmitByStaff counts somebody whom the staff let in without a pass. Nothing
// but the number is kept of it, and it is durable when this returns nil.
func (j *Journal) AdmitByStaff(at time.Time) error {
	err := j.update(func(tx *bolt.Tx) error { return countHour(tx, countStaff, at) })
	if err != nil {
		return fmt.Errorf("count who was admitted by the staff: %w", err)
	}
	return nil
}

// Counts are the hours from one time until before another in which anybody
// entered, oldest first, for 28 days back at most. An hour belongs to both ends
// that lie in it.
func (j *Journal) Counts(from, until time.Time) ([]Count, error) {
	var out []Count
	err := j.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketCounts).Cursor()
		for k, data := c.Seek(hourKey(from)); len(k) == 9 && len(data) == 8; k, data = c.Next() {
			hour := time.Unix(int64(binary.BigEndian.Uint64(k))*3600, 0).UTC()
			if !hour.Before(until) {
				break
			}
			if len(out) == 0 || !out[len(out)-1].Hour.Equal(hour) {
				out = append(out, Count{Hour: hour})
			}
			switch n := int(binary.BigEndian.Uint64(data)); k[8] {
			case countVisit:
				out[len(out)-1].Visits = n
			case countStaff:
				out[len(out)-1].Staff = n
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the counts: %w", err)
	}
	return out, nil
}

func countHour(tx *bolt.Tx, what byte, at time.Time) error {
	counts, key := tx.Bucket(bucketCounts), append(hourKey(at), what)
	n := uint64(1)
	if data := counts.Get(key); len(data) == 8 {
		n += binary.BigEndian.Uint64(data)
	}
	return counts.Put(key, seqKey(n))
}

// pruneCounts deletes the hours that ended before a time.
func pruneCounts(tx *bolt.Tx, before time.Time) error {
	counts, end := tx.Bucket(bucketCounts), string(hourKey(before))
	for _, k, _ := first(counts); k != nil && string(k) < end; _, k, _ = first(counts) {
		if err := counts.Delete(append([]byte(nil), k...)); err != nil {
			return err
		}
	}
	return nil
}

// forgetCounts begins anew: they were another kiosk's.
func forgetCounts(tx *bolt.Tx) error {
	if err := tx.DeleteBucket(bucketCounts); err != nil {
		return err
	}
	_, err := tx.CreateBucket(bucketCounts)
	return err
}

func hourKey(at time.Time) []byte { return seqKey(uint64(max(at.Unix(), 0) / 3600)) }
