package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A backup is one file: a SQLite database, or what pg_dump writes in its custom
// format. No day key is in it, so that what is sealed in it can be opened only
// as long as the registry itself can.

// Backup writes the database at url to file, which must not be there yet, while
// registries go on working with it. It is a state that was there at one instant.
// For PostgreSQL it calls pg_dump.
func Backup(ctx context.Context, url, file string) (err error) {
	// Made here for its mode; a backup is for the registry's owner only.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("back up: %w", err), os.Remove(file))
		}
	}()
	if isPostgres(url) {
		err = program(ctx, url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file="+file)
	} else {
		err = vacuumInto(ctx, sqliteFile(url), file)
	}
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

func vacuumInto(ctx context.Context, path, file string) error {
	if _, err := os.Stat(path); err != nil { // SQLite would make an empty one
		return err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO $1", file)
	return err
}

// Restore brings back what Backup wrote to file into the database at url, which
// must be empty or, for SQLite, not there. For PostgreSQL it calls pg_restore.
// Open the store and call [DB.Retain] before anything else: days may have
// passed since.
func Restore(ctx context.Context, url, file string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var err error
	if isPostgres(url) {
		err = restorePostgres(ctx, url, file)
	} else {
		err = restoreSQLite(ctx, sqliteFile(url), file)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

func restorePostgres(ctx context.Context, url, file string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')`).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return errors.New("the database is not empty: make a new one (createdb) and name it in database")
	}
	return program(ctx, url, "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", file)
}

// restoreSQLite copies the file to a name of its own, looks into it, and only
// then gives it the database's name.
func restoreSQLite(ctx context.Context, path, file string) (err error) {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".restore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(out.Name())) }()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", fileURL(out.Name())+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	var sound string
	err = db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&sound)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("%s is no backup of a registry: %w", file, err)
	}
	if sound != "ok" {
		return fmt.Errorf("%s is damaged: %s", file, sound)
	}
	// link(2) does not replace: a database that is there stays.
	if err := os.Link(out.Name(), path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there: move it away together with its -wal and -shm files", path)
	} else if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// program runs one of PostgreSQL's. The password, if any, goes by the
// environment: every user of the machine sees a command line.
func program(ctx context.Context, address, name string, args ...string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("database is no postgres:// address")
	}
	c := exec.CommandContext(ctx, name)
	c.Env = os.Environ()
	if password, set := u.User.Password(); set {
		c.Env = append(c.Env, "PGPASSWORD="+password)
		u.User = url.User(u.User.Username())
	}
	c.Args = append(c.Args, append([]string{"--dbname=" + u.String()}, args...)...)
	out, err := c.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: install PostgreSQL's client programs, of the server's version or newer", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
