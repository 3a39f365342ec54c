package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/registry/store"
)

func dayCommands() []command {
	return []command{
		{"retain", "DATE", "destroy what is past its time, though the registry doubts its clock: DATE is today's", retainCommand},
		{"day-keys lost", "[-destroy]", "list the days whose key is gone; -destroy gives them up, visits and all", dayKeysLost},
	}
}

// audited opens the database of the configuration, and the log that what is done
// to it goes into.
func (c *call) audited(ctx context.Context) (*file, *store.DB, *store.Audit, error) {
	f, err := load(*c.path)
	if err != nil {
		return nil, nil, nil, err
	}
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := f.open(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return f, db, store.NewAudit(db, receipt, c.now), nil
}

// dayKeysLost lists days that nobody can open, and lets the operator give them
// up: the registry itself never does.
func dayKeysLost(ctx context.Context, c *call, args []string) (err error) {
	destroy := c.flags.Bool("destroy", false, "destroy the visits of these days, so that they begin anew")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	f, db, audit, err := c.audited(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	days, err := db.Lost(ctx)
	if err != nil {
		return err
	}
	if len(days) == 0 {
		fmt.Fprintf(c.stdout, "%s has the key of every day\n", f.DayKeys)
		return nil
	}
	for _, day := range days {
		if !*destroy {
			fmt.Fprintf(c.stdout, "%s: its key is not in %s, or another is\n", day, f.DayKeys)
			continue
		}
		n, err := db.GiveUp(ctx, audit, day)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s: %d visits destroyed, the day begins anew\n", day, n)
	}
	if !*destroy {
		fmt.Fprintln(c.stdout, "bring the folder back, the same one for every registry; if it is lost for good: registry day-keys lost -destroy")
	}
	return nil
}

// retainCommand is the operator's word where the registry doubts its clock: the
// date, looked up elsewhere, which has to be the clock's.
func retainCommand(ctx context.Context, c *call, args []string) (err error) {
	if args, err = c.parse(args, 1); err != nil {
		return err
	}
	now := c.now()
	if today := store.DayOf(now).String(); args[0] != today {
		return fmt.Errorf("the clock says %s, not %s: set it first, nothing is destroyed", today, args[0])
	}
	_, db, audit, err := c.audited(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n, err := db.Retain(ctx, audit, now)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%d visits were past their %d days and are destroyed\n", n, store.Days)
	return nil
}
