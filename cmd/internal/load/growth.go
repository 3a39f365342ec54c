package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// measureGrowth fills a PostgreSQL with visits of the last 28 days and measures
// what storing further ones costs, at each number of rows.
func measureGrowth(ctx context.Context, rows []string, length time.Duration) error {
	server, err := storetest.Start(settings...)
	if err != nil {
		return err
	}
	defer server.Close()
	database, err := server.Create(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "munjigi-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := found(dir, database, time.Now())
	if err != nil {
		return err
	}
	keys, err := store.OpenDayKeys(file(dir, "day-keys"))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, database, keys)
	if err != nil {
		return err
	}
	defer db.Close()
	for d := range store.Days { // the partitions of the days past
		if _, err := db.Retain(ctx, store.NewAudit(db, w.receipt, time.Now), time.Now().AddDate(0, 0, d+1-store.Days)); err != nil {
			return err
		}
	}
	fmt.Println("      rows    bytes/visit   µs/visit   visits/s")
	var figures []figure
	var first, last float64
	for _, text := range rows {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no number of rows", text)
		}
		bytes, err := fill(ctx, db, n)
		if err != nil {
			return fmt.Errorf("fill with %d rows: %w", n, err)
		}
		cost, err := cost(ctx, db, length)
		if err != nil {
			return err
		}
		fmt.Printf("%10d %14.0f %10.1f %10.0f\n", n, bytes, cost, 1e6/cost)
		figures = append(figures, figure{fmt.Sprintf("registry.visit.%dM", n/1_000_000), cost, "us"})
		if last = cost; first == 0 {
			first = cost
		}
	}
	report(append(figures, figure{"registry.growth", last / first, "ratio"}))
	return nil
}

// fill brings the table to n rows, evenly over its 28 days, and the server to
// rest: statistics made, everything written.
func fill(ctx context.Context, db *store.DB, n int) (bytesPerVisit float64, err error) {
	var have int
	if err := db.SQL().QueryRowContext(ctx, "SELECT count(*) FROM visits").Scan(&have); err != nil {
		return 0, err
	}
	today := store.DayOf(time.Now())
	each := (n - have) / store.Days
	for d := range store.Days {
		day := today - store.Day(d)
		at := day.Midnight().Unix()
		if _, err := db.SQL().ExecContext(ctx, `
			INSERT INTO visits (sealed, issued, scanned, received, seq, day, flags, issuer, kiosk, facility)
			SELECT gen_random_uuid(), $1 + g % 86400, ($1 + g % 86400) * 1000 + 3000, ($1 + g % 86400) * 1000 + 63000, g, $2, 0, 'kko',
				'k-' || lpad((g % 1000)::text, 10, '0'), 'f-' || lpad((g % 100)::text, 10, '0')
			FROM generate_series(1, $3::bigint) AS g`, at, int64(day), each); err != nil {
			return 0, err
		}
	}
	for _, query := range []string{"VACUUM ANALYZE visits", "CHECKPOINT"} {
		if _, err := db.SQL().ExecContext(ctx, query); err != nil {
			return 0, err
		}
	}
	var size int64
	err = db.SQL().QueryRowContext(ctx, `SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'visits'::regclass`).Scan(&size)
	return float64(size) / float64(n), err
}

// cost is the time a visit takes, in µs, when 64 callers store batches of 20 as
// fast as they become durable: the median of ten stretches, since checkpoints
// (and neighbours) come in bursts.
func cost(ctx context.Context, db *store.DB, length time.Duration) (float64, error) {
	const callers, size, stretches = 64, 20, 10
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stored atomic.Int64
	var wait sync.WaitGroup
	for c := range callers {
		wait.Go(func() {
			kiosk, facility := fmt.Sprintf("k-%010d", c), fmt.Sprintf("f-%010d", c/10)
			batch := make([]store.Visit, size)
			for n := uint64(0); ctx.Err() == nil; n++ {
				now := time.Now()
				for i := range batch {
					batch[i] = store.Visit{Kiosk: kiosk, Facility: facility, Issuer: issuer, Issued: now, Scanned: now, Received: now, Seq: n*size + uint64(i)}
					rand.Read(batch[i].ID[:])
				}
				if _, err := db.Put(ctx, batch); err == nil {
					stored.Add(size)
				} else if ctx.Err() == nil {
					cancel(err)
				}
			}
		})
	}
	var each []float64
	for range stretches {
		before, start := stored.Load(), time.Now()
		select {
		case <-time.After(length / stretches):
		case <-ctx.Done():
			wait.Wait()
			return 0, context.Cause(ctx)
		}
		each = append(each, float64(time.Since(start).Microseconds())/float64(max(1, stored.Load()-before)))
	}
	cancel(nil)
	wait.Wait()
	slices.Sort(each)
	return each[stretches/2], nil
}
