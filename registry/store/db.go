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
}

// engine is what SQLite and PostgreSQL do each in their way.
type engine interface {
	close() error
}

// Open opens the database at url: "postgres://…" is PostgreSQL, everything else
// the path of a SQLite file, which is created readable by its owner only. The
// schema is brought up to date. keys seals the pass ids.
func Open(ctx context.Context, url string, keys *DayKeys) (*DB, error) {
	if url == "" || keys == nil {
		return nil, errors.New("open the registry's database: set database to a file or a postgres:// address, and day_keys to a folder")
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url, keys)
	}
	return openSQLite(ctx, strings.TrimPrefix(url, "file:"), keys)
}

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

// Close closes the database.
func (db *DB) Close() error { return db.engine.close() }
