package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry/store"
)

func backupCommands() []command {
	return []command{
		{"backup", "FOLDER", "write the database to a new file in a folder, while the server runs", backupCommand},
		{"restore", "FILE", "bring a backup back into an empty database", restoreCommand},
	}
}

// backupCommand writes one file. Keys are not in it: those of days must not be
// in any backup, and the others do not change (docs/operator.md).
func backupCommand(ctx context.Context, c *call, args []string) error {
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	f, err := load(*c.path)
	if err != nil {
		return err
	}
	if err := apart(args[0], f.DayKeys); err != nil {
		return err
	}
	if err := os.MkdirAll(args[0], 0o700); err != nil {
		return err
	}
	file := filepath.Join(args[0], "registry-"+c.now().In(store.Seoul).Format("2006-01-02T150405")+".backup")
	if err := store.Backup(ctx, f.Database, file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s: %d bytes. It holds no day key: what is older than %d days stays closed in it.\n", file, info.Size(), store.Days)
	return nil
}

// apart refuses to put backups where the day keys are, below or above: whoever
// copies the one would copy the other.
func apart(dir, keys string) error {
	for _, pair := range [][2]string{{dir, keys}, {keys, dir}} {
		in, err := within(pair[0], pair[1])
		if err != nil {
			return err
		}
		if in {
			return fmt.Errorf("a backup must lie neither among the day keys nor above them (%s): choose another folder", keys)
		}
	}
	return nil
}

// within says whether path, which need not be there, is dir or below it, by
// whatever names and links they are called.
func within(path, dir string) (bool, error) {
	outer, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // nothing is in it
	}
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	for {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if inner, err := os.Stat(path); err == nil && os.SameFile(inner, outer) {
			return true, nil
		}
		up := filepath.Dir(path)
		if up == path {
			return false, nil
		}
		path = up
	}
}

// restoreCommand brings a backup back and at once destroys in it what is past
// its time by now.
func restoreCommand(ctx context.Context, c *call, args []string) (err error) {
	if args, err = c.parse(args, 1); err != nil {
		return err
	}
	f, err := load(*c.path)
	if err != nil {
		return err
	}
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	if err := store.Restore(ctx, f.Database, args[0]); err != nil {
		return err
	}
	db, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	audit := store.NewAudit(db, receipt, c.now)
	deleted, err := db.Retain(ctx, audit, c.now())
	if err != nil {
		return err
	}
	if err := audit.Append(ctx, "restored", map[string]any{"backup": filepath.Base(args[0])}); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "restored at %s; %d visits were past their %d days and are destroyed\n", c.now().In(store.Seoul).Format(time.RFC3339), deleted, store.Days)
	fmt.Fprintln(c.stdout, "next: registry bundle (its number must be above every one a kiosk has reported; -above sets it), then registry serve")
	return nil
}
