// Package store keeps what the issuers' server must know: people with their
// consents and verifications, short-lived documents (sessions, requests), and,
// apart from them, the issue log.
//
// Open a database file with [Open], or [Memory] for a demonstration. Everything
// personal is sealed field by field (AES-256-GCM, NIST SP 800-38D) under keys
// that are not in the database, see [Keys]; the issue log is sealed under a key
// of its day. [DB.Retain] ends what has had its 28 days.
package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database driver
)

// Retention is how many days, by Korea's calendar, the issue log is kept: a
// code made on day 1 is gone on day 29.
const Retention = 28

// korea has had no summer time since 1988, so that no zone database is needed.
var korea = time.FixedZone("KST", 9*60*60)

// Day is the day of a moment in Korea, as days since 1970-01-01.
func Day(t time.Time) int64 {
	_, offset := t.In(korea).Zone()
	return (t.Unix() + int64(offset)) / 86400
}

//go:embed migrations/*.sql
var migrations embed.FS

// DB is the SQLite store. Its methods may be called concurrently.
type DB struct {
	write *sql.DB // one connection: changes happen one after another
	read  *sql.DB
	keys  *Keys

	documents cache[string, Document] // by kind and id
	people    cache[PersonID, known]

	queue   chan issue
	closing chan struct{}
	done    sync.WaitGroup
	closed  sync.Once
}

// Open opens or makes the database at path. One process at a time has it.
func Open(ctx context.Context, path string, keys *Keys) (*DB, error) {
	// secure_delete: what is deleted is zeroed in the file, not just unlinked.
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)", "busy_timeout(5000)", "temp_store(2)"}, "_txlock": {"immediate"}}
	return open(ctx, "file:"+path+"?"+q.Encode(), keys, 4)
}

// Memory is a store that ends with the process.
func Memory(ctx context.Context) (*DB, error) {
	return open(ctx, "file::memory:?_pragma=foreign_keys(1)", MemoryKeys(), 0)
}

func open(ctx context.Context, dsn string, keys *Keys, readers int) (*DB, error) {
	w, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the issuer's database: %w", err)
	}
	w.SetMaxOpenConns(1)
	w.SetConnMaxLifetime(0)
	d := &DB{write: w, read: w, keys: keys, queue: make(chan issue, maxBatch), closing: make(chan struct{})}
	if err := migrate(ctx, w); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if readers > 0 {
		if d.read, err = sql.Open("sqlite", dsn); err != nil {
			return nil, errors.Join(fmt.Errorf("open the issuer's database: %w", err), w.Close())
		}
		d.read.SetMaxOpenConns(readers)
		d.read.SetMaxIdleConns(readers)
	}
	d.done.Go(d.commit)
	return d, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the issuer's database up to date: %w", err)
	}
	return nil
}

// Close ends the store; those who wait for Issued get an error.
func (d *DB) Close() error {
	var err error
	d.closed.Do(func() {
		close(d.closing)
		d.done.Wait()
		if d.read != d.write {
			err = d.read.Close()
		}
		err = errors.Join(err, d.write.Close())
	})
	return err
}

// Keys are those the store seals with.
func (d *DB) Keys() *Keys { return d.keys }

// change runs f in the one write transaction there is at a time.
func (d *DB) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("change the issuer's database: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("change the issuer's database: %w", err)
	}
	return nil
}

// Document is one sealed value of short life. ID finds it, and Tag too where
// it has one.
type Document struct {
	ID      []byte
	Tag     []byte
	Data    []byte // JSON
	Expires time.Time
}

// Document reads one, ok = false where there is none or its time is over.
func (d *DB) Document(ctx context.Context, kind string, id []byte, now time.Time, v any) (ok bool, err error) {
	key := kind + "\x00" + string(id)
	known, cached, turn := d.documents.get(key)
	doc := &known
	if !cached {
		if doc, err = d.document(ctx, d.read, kind, id, now); err != nil || doc == nil {
			return false, err
		}
		d.documents.put(key, *doc, turn)
	}
	if !doc.Expires.After(now) {
		return false, nil
	}
	if err := json.Unmarshal(doc.Data, v); err != nil {
		return false, fmt.Errorf("read a %s: %w", kind, err)
	}
	return true, nil
}

// querier is *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (d *DB) document(ctx context.Context, q querier, kind string, id []byte, now time.Time) (*Document, error) {
	var sealed, tag []byte
	var expires int64
	err := q.QueryRowContext(ctx, `SELECT sealed, tag, expires FROM documents WHERE kind = ? AND id = ?`, kind, id).Scan(&sealed, &tag, &expires)
	if errors.Is(err, sql.ErrNoRows) || err == nil && expires <= now.UnixMilli() {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a %s: %w", kind, err)
	}
	data, err := d.keys.open("documents."+kind, id, sealed)
	if err != nil {
		return nil, err
	}
	return &Document{ID: id, Tag: tag, Data: data, Expires: time.UnixMilli(expires)}, nil
}

// Tagged lists the ids of the documents with a tag, the longest-lived first.
func (d *DB) Tagged(ctx context.Context, kind string, tag []byte, now time.Time) ([][]byte, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id FROM documents WHERE kind = ? AND tag = ? AND expires > ? ORDER BY expires DESC LIMIT 100`, kind, tag, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("look for a %s: %w", kind, err)
	}
	defer rows.Close()
	var ids [][]byte
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for a %s: %w", kind, err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Change reads, changes and writes one document with no other change between:
// parallel guesses at a code are counted one by one. f sees nil Data where
// there is none; leaving Data nil removes it. An error of f changes nothing.
func (d *DB) Change(ctx context.Context, kind string, id []byte, now time.Time, f func(*Document) error) error {
	defer d.documents.drop(kind + "\x00" + string(id))
	return d.change(ctx, func(tx *sql.Tx) error {
		doc, err := d.document(ctx, tx, kind, id, now)
		if err != nil {
			return err
		}
		if doc == nil {
			doc = &Document{ID: id}
		}
		if err := f(doc); err != nil {
			return err
		}
		if doc.Data == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM documents WHERE kind = ? AND id = ?`, kind, id)
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO documents (kind, id, tag, sealed, expires) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (kind, id) DO UPDATE SET tag = excluded.tag, sealed = excluded.sealed, expires = excluded.expires`,
				kind, id, append([]byte{}, doc.Tag...), d.keys.seal("documents."+kind, id, doc.Data), doc.Expires.UnixMilli())
		}
		if err != nil {
			return fmt.Errorf("write a %s: %w", kind, err)
		}
		return nil
	})
}
