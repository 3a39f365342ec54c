package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

// SQLite is a Store in one file.
type SQLite struct {
	write *sql.DB // one connection: SQLite has one writer, and waiting in Go is fair
	read  *sql.DB
}

// schema: the primary key is the idempotency key, the visits lie in its order
// (WITHOUT ROWID), so that a resent batch is found without a second index.
const schema = `
CREATE TABLE IF NOT EXISTS visits (
	issuer   TEXT    NOT NULL,
	pass_id  BLOB    NOT NULL CHECK (length(pass_id) = 16),
	kiosk    TEXT    NOT NULL,
	facility TEXT    NOT NULL,
	issued   INTEGER NOT NULL, -- Unix seconds, as the pass says
	scanned  INTEGER NOT NULL, -- Unix milliseconds, the kiosk's clock
	received INTEGER NOT NULL, -- Unix milliseconds, the registry's clock
	seq      INTEGER NOT NULL, -- the kiosk's own count
	flags    INTEGER NOT NULL, -- wire.Flags
	relayed  INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (issuer, pass_id, kiosk)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS visits_scanned ON visits (scanned);
CREATE INDEX IF NOT EXISTS visits_facility ON visits (facility, scanned);`

// OpenSQLite opens the database at path, which is created readable by its
// owner only. Close it at the end.
func OpenSQLite(ctx context.Context, path string) (*SQLite, error) {
	// SQLite gives its -wal and -shm files the mode of the database's file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	s := &SQLite{}
	// synchronous=FULL syncs the write-ahead log at every commit: a receipt
	// promises that a power cut loses nothing. secure_delete overwrites what is
	// deleted.
	if s.write, err = sql.Open("sqlite", dsn(path, url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)"},
		"_txlock": {"immediate"},
	})); err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the registry's database %s: %w", path, err), s.write.Close())
	}
	if s.read, err = sql.Open("sqlite", dsn(path, url.Values{
		"_pragma": {"busy_timeout(10000)", "query_only(ON)"},
	})); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry's database: %w", err), s.write.Close())
	}
	s.read.SetMaxOpenConns(4)
	return s, nil
}

func dsn(path string, v url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// Close closes the database.
func (s *SQLite) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// Ping implements Store.
func (s *SQLite) Ping(ctx context.Context) error {
	var one int
	return s.read.QueryRowContext(ctx, "SELECT 1 FROM (SELECT 1) LEFT JOIN (SELECT 1 FROM visits LIMIT 1)").Scan(&one)
}

// Put implements Store.
func (s *SQLite) Put(ctx context.Context, visits []Visit) ([]bool, error) {
	fresh := make([]bool, len(visits))
	if len(visits) == 0 {
		return fresh, nil
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin to store visits: %w", err)
	}
	defer tx.Rollback() // a no-op behind Commit
	for i, v := range visits {
		if fresh[i], err = put(ctx, tx, v); err != nil {
			return nil, fmt.Errorf("store a visit: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit the visits: %w", err)
	}
	return fresh, nil
}

func put(ctx context.Context, tx *sql.Tx, v Visit) (bool, error) {
	// A pass that two doors took, which cannot know of each other: keep both
	// and flag both (DESIGN, law 4).
	res, err := tx.ExecContext(ctx, `
		INSERT INTO visits (issuer, pass_id, kiosk, facility, issued, scanned, received, seq, flags, relayed)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
			EXISTS (SELECT 1 FROM visits WHERE issuer = ?1 AND pass_id = ?2 AND kiosk <> ?3))
		ON CONFLICT DO NOTHING`,
		v.Issuer, v.ID[:], v.Kiosk, v.Facility, v.Issued.Unix(), v.Scanned.UnixMilli(), v.Received.UnixMilli(), int64(v.Seq), int64(v.Flags))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE visits SET relayed = 1 WHERE issuer = ? AND pass_id = ? AND kiosk <> ? AND relayed = 0`,
		v.Issuer, v.ID[:], v.Kiosk)
	return true, err
}

const hourMillis = 60 * 60 * 1000

// Hours implements Store.
func (s *SQLite) Hours(ctx context.Context, facility string, midnight time.Time) (Hours, error) {
	var hours Hours
	from := midnight.UnixMilli()
	query := `SELECT (scanned - ?1) / ?3 AS hour, count(*) FROM visits WHERE scanned >= ?1 AND scanned < ?2`
	args := []any{from, from + 24*hourMillis, int64(hourMillis)}
	if facility != "" {
		query += ` AND facility = ?4`
		args = append(args, facility)
	}
	rows, err := s.read.QueryContext(ctx, query+` GROUP BY hour`, args...)
	if err != nil {
		return hours, fmt.Errorf("count visits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var hour, n int
		if err := rows.Scan(&hour, &n); err != nil {
			return hours, fmt.Errorf("count visits: %w", err)
		}
		hours[hour] = n
	}
	if err := rows.Err(); err != nil {
		return hours, fmt.Errorf("count visits: %w", err)
	}
	return hours, nil
}

// Visits implements Store.
func (s *SQLite) Visits(ctx context.Context, kiosk string) ([]Visit, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT issuer, pass_id, kiosk, facility, issued, scanned, received, seq, flags, relayed
		FROM visits WHERE kiosk = ? ORDER BY seq`, kiosk)
	if err != nil {
		return nil, fmt.Errorf("list visits: %w", err)
	}
	defer rows.Close()
	var all []Visit
	for rows.Next() {
		var (
			v                              Visit
			id                             []byte
			issued, scanned, received, seq int64
			flags                          uint8
		)
		if err := rows.Scan(&v.Issuer, &id, &v.Kiosk, &v.Facility, &issued, &scanned, &received, &seq, &flags, &v.Relayed); err != nil {
			return nil, fmt.Errorf("list visits: %w", err)
		}
		if len(id) != len(v.ID) {
			return nil, errors.New("list visits: a pass id of the wrong length")
		}
		v.ID, v.Seq, v.Flags = pass.ID(id), uint64(seq), wire.Flags(flags)
		v.Issued, v.Scanned, v.Received = time.Unix(issued, 0).UTC(), time.UnixMilli(scanned).UTC(), time.UnixMilli(received).UTC()
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list visits: %w", err)
	}
	return all, nil
}

// DeleteBefore implements Store. Deleted rows are overwritten (secure_delete)
// and the write-ahead log, which still holds them, is cut to nothing.
func (s *SQLite) DeleteBefore(ctx context.Context, t time.Time) (int64, error) {
	res, err := s.write.ExecContext(ctx, `DELETE FROM visits WHERE scanned < ?`, t.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("delete old visits: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("delete old visits: %w", err)
	}
	var busy, log, done int
	if err := s.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return n, fmt.Errorf("cut the write-ahead log: %w", err)
	}
	if busy != 0 {
		return n, errors.New("cut the write-ahead log: readers held it, it is tried again at the next run")
	}
	return n, nil
}
