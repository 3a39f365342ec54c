package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
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
	if e.write, err = sql.Open("sqlite", dsn(path)); err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	e.write.SetMaxOpenConns(1)
	if err := migrate(ctx, e.write, SQLite); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), e.write.Close())
	}
	if e.pool, err = sql.Open("sqlite", dsn(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry's database: %w", err), e.write.Close())
	}
	e.pool.SetMaxOpenConns(4)
	return &DB{engine: e, sql: e.pool, dialect: SQLite, keys: keys, group: newGroup(e.commit)}, nil
}

// dsn asks for synchronous=FULL, which syncs the write-ahead log at every
// commit: a receipt promises that a power cut loses nothing. secure_delete
// overwrites what is deleted. auto_vacuum has to be set before the first table.
func dsn(path string) string {
	return fileURL(path) + "?" + url.Values{
		"_pragma": {"busy_timeout(20000)", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)",
			"secure_delete(ON)", "foreign_keys(ON)", "cache_size(-65536)", "temp_store(MEMORY)"},
		"_txlock": {"immediate"},
	}.Encode()
}

// fileURL names a file to SQLite, whatever characters are in its name.
func fileURL(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

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

const (
	columns   = 10
	chunkRows = 64 // of one INSERT
	insert    = `INSERT INTO visits (day, sealed, issuer, kiosk, facility, issued, scanned, received, seq, flags) VALUES `
)

var insertChunk = insert + strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?,?,?,?,?),", chunkRows), ",")

const insertNew = insert + "(?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"

// commit stores rows in one transaction.
func (e *sqlite) commit(ctx context.Context, rows []row) error {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // a no-op behind Commit
	var args [chunkRows * columns]any
	for len(rows) >= chunkRows {
		chunk := rows[:chunkRows]
		for i := range chunk {
			chunk[i].args(args[i*columns:])
		}
		// Nearly always all are new. Where one is not, the statement is undone
		// as a whole and each row asks for itself.
		_, err := tx.ExecContext(ctx, insertChunk, args[:]...)
		switch {
		case err == nil:
			for i := range chunk {
				*chunk[i].fresh = true
			}
		case isConflict(err):
			err = commitEach(ctx, tx, chunk)
		}
		if err != nil {
			return err
		}
		rows = rows[chunkRows:]
	}
	if err := commitEach(ctx, tx, rows); err != nil {
		return err
	}
	return tx.Commit()
}

func commitEach(ctx context.Context, tx *sql.Tx, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	s, err := tx.PrepareContext(ctx, insertNew)
	if err != nil {
		return err
	}
	defer s.Close()
	var args [columns]any
	for i := range rows {
		rows[i].args(args[:])
		res, err := s.ExecContext(ctx, args[:]...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		*rows[i].fresh = n == 1
	}
	return nil
}

func isConflict(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

func (r *row) args(to []any) {
	to[0], to[1], to[2], to[3], to[4] = int64(r.day), r.sealed[:], r.issuer, r.kiosk, r.facility
	to[5], to[6], to[7], to[8], to[9] = r.issued, r.scanned, r.received, r.seq, int64(r.flags)
}

func (e *sqlite) prepare(context.Context, Day, Day) error { return nil }

func (e *sqlite) past(ctx context.Context, first Day) ([]Day, error) {
	var days []Day
	// One step of the primary key for each day, not one for each visit.
	for day := int64(-1 << 62); ; {
		err := e.pool.QueryRowContext(ctx, `SELECT day FROM visits WHERE day > $1 AND day < $2 ORDER BY day LIMIT 1`, day, int64(first)).Scan(&day)
		if errors.Is(err, sql.ErrNoRows) {
			return days, nil
		}
		if err != nil {
			return nil, err
		}
		days = append(days, Day(day))
	}
}

func (e *sqlite) drop(ctx context.Context, day Day, logged func(*sql.Tx, int64, []byte) error) (int64, error) {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	count, digest, err := digestDay(ctx, tx, "visits", day, func(b *[16]byte) any { return (*blob)(b) })
	if err != nil || count == 0 {
		return 0, err // another process was first
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM visits WHERE day = $1`, int64(day)); err != nil {
		return 0, err
	}
	if err := logged(tx, count, digest); err != nil {
		return 0, err
	}
	return count, tx.Commit()
}

// scrub gives the overwritten pages back to the disk and cuts the write-ahead
// log, which still holds them as they were, to nothing.
func (e *sqlite) scrub(ctx context.Context) error {
	if _, err := e.write.ExecContext(ctx, `PRAGMA incremental_vacuum`); err != nil {
		return fmt.Errorf("give free pages back: %w", err)
	}
	var busy, log, done int
	if err := e.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("cut the write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("cut the write-ahead log: readers held it")
	}
	return nil
}

// blob scans 16 bytes.
type blob [16]byte

func (b *blob) Scan(src any) error {
	data, ok := src.([]byte)
	if !ok || len(data) != len(b) {
		return errors.New("a sealed pass id is not of 16 bytes")
	}
	copy(b[:], data)
	return nil
}
