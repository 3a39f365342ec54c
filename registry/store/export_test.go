package store

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

// Interpose puts f between the group and its engine.
func (db *DB) Interpose(f func(next func(context.Context) error) error) {
	db.group.close()
	var commit func(context.Context, []row) error
	switch e := db.engine.(type) {
	case *sqlite:
		commit = e.commit
	case *postgres:
		commit = e.writers[0].commit
	}
	db.group = newGroup(func(ctx context.Context, rows []row) error {
		return f(func(ctx context.Context) error { return commit(ctx, rows) })
	})
}

// Writer is SQLite's writing connection.
func (db *DB) Writer() *sql.DB { return db.engine.(*sqlite).write }

// Seal is how a pass id lies in the database.
func (k *DayKeys) Seal(day Day, issuer string, id [16]byte) ([16]byte, error) {
	if _, err := k.key(day, true); err != nil {
		return [16]byte{}, err
	}
	return k.seal(day, issuer, id)
}

// Open is the way back.
func (k *DayKeys) Open(day Day, issuer string, sealed [16]byte) ([16]byte, error) {
	return k.open(day, issuer, sealed)
}

// RetentionOf is the task on something else than a store.
func RetentionOf(retain func(context.Context, time.Time) (int64, error)) *Retention {
	return &Retention{retain: retain, now: time.Now, log: slog.New(slog.DiscardHandler), ready: make(chan struct{})}
}

// Destroy ends the keys before first.
func (k *DayKeys) Destroy(first Day) (int, error) { return k.destroy(first) }
