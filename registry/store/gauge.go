package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Waiting is how many callers of Put wait for a transaction to take them along.
func (db *DB) Waiting() int { return len(db.group.queue) }

// Oldest is the midnight at which the oldest day that has a visit began; ok is
// false where there is no visit.
func (db *DB) Oldest(ctx context.Context) (midnight time.Time, ok bool, err error) {
	var day sql.NullInt64
	if err := db.sql.QueryRowContext(ctx, `SELECT MIN(day) FROM visits`).Scan(&day); err != nil {
		return time.Time{}, false, fmt.Errorf("look for the oldest visit: %w", err)
	}
	if !day.Valid {
		return time.Time{}, false, nil
	}
	return Day(day.Int64).Midnight(), true, nil
}
