package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// agreed are the days whose key in the folder is the database's.
type agreed struct {
	mu   sync.RWMutex
	days map[Day]bool
}

func digestOf(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("munjigi day key check"), key...))
	return sum[:]
}

// agree holds the day's key in the folder against the one its visits are sealed
// under, once for each day. The first visit of a day makes the key, if create
// says so, and notes its digest, durably before the visit itself. Whatever else
// is missing or different is an error (ErrSealed) and never a new key: under it
// every visit would be new once more, and what is stored would open to nonsense.
func (db *DB) agree(ctx context.Context, day Day, create bool) error {
	db.agreed.mu.RLock()
	known := db.agreed.days[day]
	db.agreed.mu.RUnlock()
	if known {
		return nil
	}
	digest, visited, err := db.digest(ctx, day)
	if err != nil {
		return fmt.Errorf("look up the day key: %w", err)
	}
	key, err := db.keys.key(day, create && digest == nil && !visited)
	if errors.Is(err, ErrSealed) {
		return fmt.Errorf("%w: its file is not in %s, bring the folder back: docs/operator.md, \"Day keys are gone\"", err, db.keys.dir)
	}
	if err != nil {
		return err
	}
	if digest == nil {
		if _, err := db.sql.ExecContext(ctx, `INSERT INTO day_keys (day, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(day), digestOf(key)); err != nil {
			return fmt.Errorf("note the day key: %w", err)
		}
		if digest, _, err = db.digest(ctx, day); err != nil { // another process may have been first
			return fmt.Errorf("look up the day key: %w", err)
		}
	}
	if !bytes.Equal(digest, digestOf(key)) {
		db.keys.forget(day) // its file may be put right while we run
		return fmt.Errorf("%s: %w: the key in %s is another, all registries must share one folder: docs/operator.md, \"Day keys are gone\"", day, ErrSealed, db.keys.dir)
	}
	db.agreed.mu.Lock()
	defer db.agreed.mu.Unlock()
	if db.agreed.days == nil {
		db.agreed.days = map[Day]bool{}
	}
	db.agreed.days[day] = true
	return nil
}

// digest is that of the day's key, nil where none is noted; visited says whether
// the day has visits.
func (db *DB) digest(ctx context.Context, day Day) (digest []byte, visited bool, err error) {
	var n int
	err = db.sql.QueryRowContext(ctx, `
		SELECT (SELECT digest FROM day_keys WHERE day = $1), CASE WHEN EXISTS (SELECT 1 FROM visits WHERE day = $1) THEN 1 ELSE 0 END`,
		int64(day)).Scan(&digest, &n)
	return digest, n == 1, err
}

// destroyKeys ends the keys of days before first, and what is known of them.
func (db *DB) destroyKeys(ctx context.Context, first Day) error {
	_, err := db.keys.destroy(first)
	db.agreed.mu.Lock()
	for day := range db.agreed.days {
		if day < first {
			delete(db.agreed.days, day)
		}
	}
	db.agreed.mu.Unlock()
	_, gone := db.sql.ExecContext(ctx, `DELETE FROM day_keys WHERE day < $1`, int64(first))
	return errors.Join(err, gone)
}

// Lost lists the days whose visits nobody can open, since their key is missing
// in the folder or another.
func (db *DB) Lost(ctx context.Context) ([]Day, error) {
	rows, err := db.sql.QueryContext(ctx, `SELECT day FROM day_keys ORDER BY day`)
	if err != nil {
		return nil, fmt.Errorf("list the day keys: %w", err)
	}
	defer rows.Close()
	var noted, lost []Day
	for rows.Next() {
		var day Day
		if err := rows.Scan(&day); err != nil {
			return nil, fmt.Errorf("list the day keys: %w", err)
		}
		noted = append(noted, day)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the day keys: %w", err)
	}
	for _, day := range noted {
		err := db.agree(ctx, day, false)
		if errors.Is(err, ErrSealed) {
			lost = append(lost, day)
		} else if err != nil {
			return nil, err
		}
	}
	return lost, nil
}

// GiveUp destroys the visits of a day whose key is lost, with a line in the
// audit log, so that the day begins anew. It is the operator's decision.
func (db *DB) GiveUp(ctx context.Context, audit *Audit, day Day) (deleted int64, err error) {
	if err := db.agree(ctx, day, false); !errors.Is(err, ErrSealed) {
		return 0, errors.Join(err, fmt.Errorf("%s is kept: its key is not lost", day))
	}
	deleted, err = db.drop(ctx, day, func(tx *sql.Tx, count int64, digest []byte) error {
		return logDeleted(ctx, tx, audit, day, count, digest)
	})
	if err != nil {
		return 0, fmt.Errorf("destroy the visits of %s: %w", day, err)
	}
	if _, err := db.sql.ExecContext(ctx, `DELETE FROM day_keys WHERE day = $1`, int64(day)); err != nil {
		return deleted, fmt.Errorf("forget the key of %s: %w", day, err)
	}
	db.clean.Store(false)
	// Registries that run know the day to have room.
	return deleted, errors.Join(db.prepare(ctx, day, day), db.scrub(ctx))
}
