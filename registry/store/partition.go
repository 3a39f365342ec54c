package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// days are those whose partition is known to be there.
type days struct {
	mu    sync.Mutex
	known map[Day]bool
}

func partition(day Day) string { return "visits_" + strconv.Itoa(int(day)) }

// prepare makes the partitions of days that have none. Retention calls it a day
// in advance; a visit finds its own missing only on the first start.
func (e *postgres) prepare(ctx context.Context, from, to Day) error {
	e.days.mu.Lock()
	defer e.days.mu.Unlock()
	for day := from; day <= to; day++ {
		if e.days.known[day] {
			continue
		}
		if err := e.attach(ctx, day); err != nil {
			return fmt.Errorf("make the partition of %s: %w", day, err)
		}
		if e.days.known == nil {
			e.days.known = map[Day]bool{}
		}
		e.days.known[day] = true
	}
	return nil
}

// attach makes a table and then attaches it, since CREATE … PARTITION OF would
// wait for whoever reads the visits, as a backup does, and hold up all behind it.
func (e *postgres) attach(ctx context.Context, day Day) error {
	tx, err := e.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockPartitions); err != nil {
		return err
	}
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", partition(day)).Scan(&exists); err != nil || exists {
		return err
	}
	for _, query := range []string{
		fmt.Sprintf("CREATE TABLE %s (LIKE visits INCLUDING ALL, CHECK (day >= %d AND day < %d))", partition(day), day, day+1),
		fmt.Sprintf("ALTER TABLE visits ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", partition(day), day, day+1),
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (e *postgres) past(ctx context.Context, first Day) ([]Day, error) {
	rows, err := e.sql.QueryContext(ctx, `
		SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
		WHERE inhparent = 'visits'::regclass ORDER BY relname`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var days []Day
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(strings.TrimPrefix(name, "visits_"))
		if err != nil {
			return nil, fmt.Errorf("the partition %s is not ours", name)
		}
		if Day(n) < first {
			days = append(days, Day(n))
		}
	}
	return days, rows.Err()
}

func (e *postgres) drop(ctx context.Context, day Day, logged func(*sql.Tx, int64, []byte) error) (int64, error) {
	tx, err := e.sql.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockPartitions); err != nil {
		return 0, err
	}
	name := partition(day)
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&exists); err != nil || !exists {
		return 0, err // another process was first
	}
	if _, err := tx.ExecContext(ctx, "LOCK TABLE "+name+" IN SHARE MODE"); err != nil {
		return 0, err
	}
	count, digest, err := digestDay(ctx, tx, name, day, func(b *[16]byte) any { return (*uuid)(b) })
	if err != nil {
		return 0, err
	}
	if count > 0 {
		if err := logged(tx, count, digest); err != nil {
			return 0, err
		}
	}
	// Only here all visits are locked, for a moment: where a backup reads them,
	// give up and try again later rather than let every kiosk wait behind us.
	for _, query := range []string{
		"SET LOCAL lock_timeout = '2s'",
		"ALTER TABLE visits DETACH PARTITION " + name,
		"DROP TABLE " + name,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return 0, err
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	e.days.mu.Lock()
	delete(e.days.known, day)
	e.days.mu.Unlock()
	return count, nil
}
