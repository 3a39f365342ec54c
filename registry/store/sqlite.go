package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqlite is the engine in one file.
type sqlite struct {
	write *sql.DB // one connection: SQLite has one writer, and waiting in Go is fair
	pool  *sql.DB
}

func openSQLite(ctx context.Context, path string, keys *DayKeys) (db *DB, err error) {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	defer unlock()
	// SQLite gives its -wal and -shm files the mode of the database's file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	e := &sqlite{}
	// synchronous=FULL syncs the write-ahead log at every commit: a receipt
	// promises that a power cut loses nothing. secure_delete overwrites what is
	// deleted. auto_vacuum has to be set before the first table is made.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_pragma": {"busy_timeout(20000)", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)"},
		"_txlock": {"immediate"},
	}.Encode()
	if e.write, err = sql.Open("sqlite", dsn); err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	e.write.SetMaxOpenConns(1)
	if err := migrate(ctx, e.write, SQLite); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), e.write.Close())
	}
	if e.pool, err = sql.Open("sqlite", dsn); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry's database: %w", err), e.write.Close())
	}
	e.pool.SetMaxOpenConns(4)
	return &DB{engine: e, sql: e.pool, dialect: SQLite, keys: keys}, nil
}

func (e *sqlite) close() error { return errors.Join(e.pool.Close(), e.write.Close()) }

// lockFolder keeps processes from making the schema at the same time. It is the
// folder that is locked: SQLite's own locks on the file end when any descriptor
// of it is closed.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil
}
