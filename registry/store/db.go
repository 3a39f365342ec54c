// Package store keeps what the registry knows: visits for 28 days with their
// pass ids sealed under the key of their day, the audit log, and, through
// [DB.SQL], the tables of kiosks, owners and investigations.
//
// It runs on SQLite (one file, nothing to install) and on PostgreSQL; the same
// tests hold both to the same behaviour.
package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
)

// The engines, as [DB.Dialect] names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DB is an open store. Close it at the end.
type DB struct {
	engine
	sql     *sql.DB
	dialect string
	keys    *DayKeys
	agreed  agreed
	clean   atomic.Bool // scrubbed since this process opened it and since the last deletion
	group   *group
}

// engine is what SQLite and PostgreSQL do each in their way.
type engine interface {
	// prepare makes room for visits of these days.
	prepare(ctx context.Context, from, to Day) error
	// past lists the days before first that have room or visits.
	past(ctx context.Context, first Day) ([]Day, error)
	// drop destroys the visits of a day in one transaction, in which it hands
	// their count and digest to logged before it commits.
	drop(ctx context.Context, day Day, logged func(tx *sql.Tx, count int64, digest []byte) error) (int64, error)
	// scrub leaves nothing of what was destroyed in the engine's own files, as
	// far as an engine can.
	scrub(ctx context.Context) error
	close() error
}

// Open opens the database at url: "postgres://…" is PostgreSQL, everything else
// the path of a SQLite file, which is created readable by its owner only. The
// schema is brought up to date. keys seals the pass ids.
func Open(ctx context.Context, url string, keys *DayKeys) (*DB, error) {
	if url == "" || keys == nil {
		return nil, errors.New("open the registry's database: set database to a file or a postgres:// address, and day_keys to a folder")
	}
	if isPostgres(url) {
		return openPostgres(ctx, url, keys)
	}
	return openSQLite(ctx, sqliteFile(url), keys)
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// sqliteFile is the file of a SQLite database.
func sqliteFile(url string) string { return strings.TrimPrefix(url, "file:") }

// SQL is the database for everything but visits. What is written for both
// engines: parameters $1, $2 …, types
// TEXT, BIGINT and BYTEA, times as Unix milliseconds, booleans as 0 and 1, no
// identity columns. A transaction begun here takes SQLite's write lock at once,
// so keep it short and never wait for anything else inside.
func (db *DB) SQL() *sql.DB { return db.sql }

// Dialect is SQLite or Postgres, for the rare statement that differs.
func (db *DB) Dialect() string { return db.dialect }

// Ping says whether the database can be read.
func (db *DB) Ping(ctx context.Context) error {
	var n int
	return db.sql.QueryRowContext(ctx, "SELECT 1 FROM (SELECT 1) AS a LEFT JOIN (SELECT 1 FROM visits LIMIT 1) AS b ON 1 = 1").Scan(&n)
}

// Close serves whoever waits for Put, and closes the database.
func (db *DB) Close() error {
	db.group.close()
	return db.engine.close()
}

// sealed scans a sealed pass id into b.
func (db *DB) sealed(b *[16]byte) any {
	if db.dialect == Postgres {
		return (*uuid)(b)
	}
	return (*blob)(b)
}

// lockTx serialises transactions that take the same lock, over all processes.
// SQLite needs none: its transactions hold the write lock from their begin.
func (db *DB) lockTx(ctx context.Context, tx *sql.Tx, lock int64) error {
	if db.dialect == SQLite {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lock)
	return err
}

// Locks that processes on one PostgreSQL share. "munjigi" in ASCII, and a number.
const (
	lockBase       int64 = 0x6d756e6a69676900
	lockAudit            = lockBase + 1
	lockPartitions       = lockBase + 2
)
