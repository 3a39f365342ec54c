package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the engine on a PostgreSQL server, 14 or newer.
type postgres struct {
	pool *pgxpool.Pool
	sql  interface{ Close() error }
}

func openPostgres(ctx context.Context, url string, keys *DayKeys) (*DB, error) {
	// The address may hold a password: an error must not repeat it.
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("open the registry's database: database is no postgres:// address (postgres://user@host/name)")
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the registry's database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	if err := migrate(ctx, db, Postgres); err != nil {
		db.Close()
		pool.Close()
		return nil, err
	}
	return &DB{engine: &postgres{pool, db}, sql: db, dialect: Postgres, keys: keys}, nil
}

func (e *postgres) close() error {
	err := e.sql.Close()
	e.pool.Close()
	return err
}
