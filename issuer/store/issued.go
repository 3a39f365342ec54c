package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const maxBatch = 512

// errClosed ends those who wait for a store that ends.
var errClosed = errors.New("the issuer's database is closed")

type issue struct {
	day          int64
	pass, person []byte // sealed
	who          PersonID
	done         chan error
}

// Issued notes that a pass was made for a person, and returns when that is on
// disk. Entries that come together share one commit.
func (d *DB) Issued(ctx context.Context, pass [16]byte, who PersonID, now time.Time) error {
	i := issue{day: Day(now), who: who, done: make(chan error, 1)}
	key, err := d.keys.day(i.day, true)
	if err != nil {
		return err
	}
	i.pass, i.person = key.seal(pass, who)
	select {
	case d.queue <- i:
	case <-d.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-i.done:
		return err
	case <-d.closing: // on disk or not, the pass is not handed out
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit writes what queues up, one transaction after another.
func (d *DB) commit() {
	batch := make([]issue, 0, maxBatch)
	marked := map[PersonID]int64{} // the day that stands with a person already
	for {
		batch = batch[:0]
		select {
		case i := <-d.queue:
			batch = append(batch, i)
		case <-d.closing:
			return // those that wait see closing, too
		}
	more:
		for len(batch) < maxBatch {
			select {
			case i := <-d.queue:
				batch = append(batch, i)
			default:
				break more
			}
		}
		err := d.append(batch, marked)
		for _, i := range batch {
			i.done <- err
		}
	}
}

func (d *DB) append(batch []issue, marked map[PersonID]int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// One statement for all: to run one takes longer than to write a row.
	insert, args := []byte("INSERT INTO issued (day, pass, person) VALUES "), make([]any, 0, 3*len(batch))
	for n, i := range batch {
		if n > 0 {
			insert = append(insert, ',')
		}
		insert, args = append(insert, "(?,?,?)"...), append(args, i.day, i.pass, i.person)
	}
	err := d.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, string(insert), args...); err != nil {
			return fmt.Errorf("write the issue log: %w", err)
		}
		for _, i := range batch {
			if marked[i.who] == i.day {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE people SET used = ? WHERE id = ? AND used < ?`, i.day, i.who[:], i.day); err != nil {
				return fmt.Errorf("write the issue log: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(marked) > maxCached {
		clear(marked)
	}
	for _, i := range batch {
		marked[i.who] = i.day
	}
	return nil
}

// Whose says for whom a pass was made, on the day of at. ErrNobody: it was not
// made here, or its 28 days are over.
func (d *DB) Whose(ctx context.Context, pass [16]byte, at time.Time) (PersonID, error) {
	day := Day(at)
	key, err := d.keys.day(day, false)
	if errors.Is(err, errDestroyed) {
		return PersonID{}, ErrNobody
	}
	if err != nil {
		return PersonID{}, err
	}
	sealed, _ := key.seal(pass, PersonID{})
	var person []byte
	err = d.read.QueryRowContext(ctx, `SELECT person FROM issued WHERE day = ? AND pass = ?`, day, sealed).Scan(&person)
	if errors.Is(err, sql.ErrNoRows) {
		return PersonID{}, ErrNobody
	}
	if err != nil {
		return PersonID{}, fmt.Errorf("read the issue log: %w", err)
	}
	return key.open(sealed, person)
}

// Retained is what a run of Retain ended.
type Retained struct{ Passes, Keys, People, Lapsed, Documents int64 }

// unused is how long somebody whom no brand's rule ends may stay away.
const unused = 365 * 24 * time.Hour

// Retain ends what has had its time: the issue log of days before the last 28
// with its keys; verifications that a brand's rule (valid, by brand id) lets
// lapse, with phone, PIN and record; people of whom neither a verification nor
// a code in the log is left; documents past their expiry. Nothing of it is
// readable in database or write-ahead log after.
func (d *DB) Retain(ctx context.Context, now time.Time, valid map[string]time.Duration) (r Retained, err error) {
	first := Day(now) - Retention + 1 // the oldest day that stays
	defer d.people.drop()
	defer d.documents.drop()
	err = d.change(ctx, func(tx *sql.Tx) error {
		for brand, life := range valid {
			n, err := d.lapse(ctx, tx, brand, now.Add(-life))
			if err != nil {
				return err
			}
			r.Lapsed += n
		}
		for _, q := range []struct {
			n    *int64
			sql  string
			args []any
		}{
			{&r.Passes, `DELETE FROM issued WHERE day < ?`, []any{first}},
			{&r.People, `DELETE FROM people WHERE used < ? AND (withdrawn > 0 OR verified <= ?)`, []any{first, now.Add(-unused).UnixMilli()}},
			{&r.Documents, `DELETE FROM documents WHERE expires <= ?`, []any{now.UnixMilli()}},
			{nil, `DELETE FROM verifications WHERE at <= ?`, []any{now.AddDate(0, 0, -Retention).UnixMilli()}},
			{nil, `DELETE FROM consent_texts WHERE digest NOT IN (SELECT digest FROM consents)`, nil},
		} {
			result, err := tx.ExecContext(ctx, q.sql, q.args...)
			if err != nil {
				return fmt.Errorf("end what has had its time: %w", err)
			}
			if q.n != nil {
				if *q.n, err = result.RowsAffected(); err != nil {
					return fmt.Errorf("end what has had its time: %w", err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	keys, err := d.keys.destroy(first)
	r.Keys = int64(keys)
	return r, errors.Join(err, d.flush(ctx))
}

// lapse ends the verifications of a brand made before a moment. A guardian's
// consent stays with the child: it is asked once.
func (d *DB) lapse(ctx context.Context, tx *sql.Tx, brand string, before time.Time) (n int64, err error) {
	ids, err := list(ctx, tx, `SELECT id FROM people WHERE brand = ? AND verified > 0 AND verified <= ?`, brand, before.UnixMilli())
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		p, _, err := d.person(ctx, tx, id)
		if err != nil {
			return n, err
		}
		if err := d.writeMore(ctx, tx, id, More{Guardian: p.Guardian}); err != nil {
			return n, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE people SET verified = 0 WHERE id = ?`, id[:]); err != nil {
			return n, fmt.Errorf("let a verification lapse: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM verifications WHERE person = ?`, id[:]); err != nil {
			return n, fmt.Errorf("let a verification lapse: %w", err)
		}
		n++
	}
	return n, nil
}

// flush moves the write-ahead log into the database and empties it: what was
// deleted must not stay readable there.
func (d *DB) flush(ctx context.Context) error {
	var busy, pages, moved int
	if err := d.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("empty the write-ahead log: somebody is reading it, it is tried again")
	}
	return nil
}
