package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrations are numbered through over both folders that an engine reads:
// common, in the SQL that both speak, and the engine's own.
//
//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate brings the database to the newest schema. One process does it at a
// time: under an advisory lock (PostgreSQL) or one that the caller holds.
func migrate(ctx context.Context, db *sql.DB, dialect string) error {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	engine := goose.DialectSQLite3
	if dialect == Postgres {
		engine = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(engine, db, layers{"migrations/common", "migrations/" + dialect}, options...)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// layers shows several folders of migrations as one.
type layers []string

func (l layers) Open(name string) (fs.File, error) {
	for _, dir := range l {
		if f, err := migrations.Open(path.Join(dir, name)); err == nil {
			return f, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (l layers) ReadDir(name string) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	for _, dir := range l {
		entries, err := migrations.ReadDir(path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}
