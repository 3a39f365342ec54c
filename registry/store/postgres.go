package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the engine on a PostgreSQL server, 14 or newer.
type postgres struct {
	pool    *pgxpool.Pool
	sql     *sql.DB
	writers []*writer
	days    days
}

// Transactions of visits that run side by side in one process: while one waits
// for the disk, the other fills the processor.
const writers = 2

func openPostgres(ctx context.Context, url string, keys *DayKeys) (*DB, error) {
	// The address may hold a password: an error must not repeat it.
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("open the registry's database: database is no postgres:// address (postgres://user@host/name)")
	}
	config.MaxConns = max(config.MaxConns, 8)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	e := &postgres{pool: pool, sql: stdlib.OpenDBFromPool(pool)}
	if err := durable(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry's database: %w", err), e.close())
	}
	if err := migrate(ctx, e.sql, Postgres); err != nil {
		return nil, errors.Join(err, e.close())
	}
	var commits []func(context.Context, []row) error
	for range writers {
		w := &writer{engine: e, config: config.ConnConfig}
		e.writers, commits = append(e.writers, w), append(commits, w.commit)
	}
	return &DB{engine: e, sql: e.sql, dialect: Postgres, keys: keys, group: newGroup(commits...)}, nil
}

// durable refuses a server, database or user that is set to lose what it has
// committed when the power goes: a receipt promises otherwise.
func durable(ctx context.Context, c interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}) error {
	var off *string
	if err := c.QueryRow(ctx, `
		SELECT string_agg(name, ', ' ORDER BY name) FROM pg_settings
		WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'`).Scan(&off); err != nil {
		return fmt.Errorf("ask the database how it commits: %w", err)
	}
	if off != nil {
		return fmt.Errorf("a power cut would take visits that have their receipts: set %s to on, for the server, the database and its user", *off)
	}
	return nil
}

func (e *postgres) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, w := range e.writers {
		w.close(ctx)
	}
	err := e.sql.Close()
	e.pool.Close()
	return err
}

// writer has a connection of its own, with its staging table.
type writer struct {
	engine *postgres
	config *pgx.ConnConfig
	conn   *pgx.Conn
	known  map[key]*bool
}

// key finds what the engine says is new among the rows sent.
type key struct {
	issued        int64
	sealed        [16]byte
	issuer, kiosk string
}

const staging = `CREATE TEMPORARY TABLE staging (LIKE visits) ON COMMIT DELETE ROWS`

var columnNames = []string{"sealed", "issued", "scanned", "received", "seq", "day", "flags", "issuer", "kiosk", "facility"}

const fromStaging = `
	INSERT INTO visits (sealed, issued, scanned, received, seq, day, flags, issuer, kiosk, facility)
	SELECT sealed, issued, scanned, received, seq, day, flags, issuer, kiosk, facility FROM staging
	ON CONFLICT DO NOTHING RETURNING issued, sealed, issuer, kiosk`

// commit stores rows in one transaction: COPY into a staging table that lives
// in this connection only, then from there whatever is new.
func (w *writer) commit(ctx context.Context, rows []row) (err error) {
	if w.conn == nil || w.conn.IsClosed() {
		if w.conn, err = pgx.ConnectConfig(ctx, w.config); err != nil {
			return fmt.Errorf("reach the database: %w", err)
		}
		if err := durable(ctx, w.conn); err != nil { // it may have been set since
			w.close(ctx)
			return err
		}
		if _, err := w.conn.Exec(ctx, staging); err != nil {
			w.close(ctx)
			return err
		}
	}
	for i := range rows {
		if i == 0 || rows[i].day != rows[i-1].day {
			if err := w.engine.prepare(ctx, rows[i].day, rows[i].day); err != nil {
				return err
			}
		}
	}
	if err := w.transact(ctx, rows); err != nil {
		// Whatever state the connection is in, the next one starts afresh.
		w.close(ctx)
		return err
	}
	return nil
}

func (w *writer) transact(ctx context.Context, rows []row) error {
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		return err
	}
	source := &copied{rows: rows}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"staging"}, columnNames, source); err != nil {
		return err
	}
	if w.known == nil {
		w.known = make(map[key]*bool, maxGroup)
	}
	clear(w.known)
	for i := range rows {
		r := &rows[i]
		*r.fresh = false
		if k := (key{r.issued, r.sealed, r.issuer, r.kiosk}); w.known[k] == nil {
			w.known[k] = r.fresh
		}
	}
	stored, err := tx.Query(ctx, fromStaging)
	if err != nil {
		return err
	}
	defer stored.Close()
	var k key
	for stored.Next() {
		if err := stored.Scan(&k.issued, &k.sealed, &k.issuer, &k.kiosk); err != nil {
			return err
		}
		if fresh := w.known[k]; fresh != nil {
			*fresh = true
		}
	}
	if err := stored.Err(); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (w *writer) close(ctx context.Context) {
	if w.conn != nil {
		w.conn.Close(ctx)
		w.conn = nil
	}
}

// copied gives rows to COPY.
type copied struct {
	rows   []row
	values [columns]any
	n      int
}

func (c *copied) Next() bool { c.n++; return c.n <= len(c.rows) }
func (c *copied) Err() error { return nil }

func (c *copied) Values() ([]any, error) {
	r, v := &c.rows[c.n-1], &c.values
	v[0], v[1], v[2], v[3], v[4] = r.sealed, r.issued, r.scanned, r.received, r.seq
	v[5], v[6], v[7], v[8], v[9] = int32(r.day), r.flags, r.issuer, r.kiosk, r.facility
	return v[:], nil
}

func (e *postgres) scrub(context.Context) error { return nil }

// uuid scans the sealed pass id, which PostgreSQL keeps as a uuid: 16 bytes
// without a length before them.
type uuid [16]byte

func (u *uuid) Scan(src any) error {
	var v pgtype.UUID
	if err := v.Scan(src); err != nil || !v.Valid {
		return errors.New("a sealed pass id is not of 16 bytes")
	}
	*u = v.Bytes
	return nil
}
