package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
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
	fmt.Println("      rows    bytes/visit   CPU µs/visit   visits/s")
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
		cost, rate, err := cost(ctx, db, server, length)
		if err != nil {
			return err
		}
		fmt.Printf("%10d %14.0f %14.1f %10.0f\n", n, bytes, cost, rate)
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
		// Today's index grows at random places, as in real life; those of days
		// past, which nobody writes to any more, are written in order.
		order := "g"
		if d > 0 {
			order = "sealed"
		}
		if _, err := db.SQL().ExecContext(ctx, `
			INSERT INTO visits (sealed, issued, scanned, received, seq, day, flags, issuer, kiosk, facility)
			SELECT sealed, $1 + g % 86400, ($1 + g % 86400) * 1000 + 3000, ($1 + g % 86400) * 1000 + 63000, g, $2, 0, 'kko',
				'k-' || lpad((g % 1000)::text, 10, '0'), 'f-' || lpad((g % 100)::text, 10, '0')
			FROM (SELECT gen_random_uuid() AS sealed, g FROM generate_series(1, $3::bigint) AS g) AS made ORDER BY `+order, at, int64(day), each); err != nil {
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

// cost is what a visit takes when 64 callers store batches of 20 as fast as they
// become durable: processor time of this process and the server's, in µs, which
// neighbours on the machine do not change; and visits in a second, which they do.
func cost(ctx context.Context, db *store.DB, server *storetest.Server, length time.Duration) (cpu, rate float64, err error) {
	const callers, size = 64, 20
	before, err := used(server)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stored atomic.Int64
	var wait sync.WaitGroup
	start := time.Now()
	for c := range callers {
		wait.Go(func() {
			kiosk, facility := fmt.Sprintf("k-%010d", c), fmt.Sprintf("f-%010d", c/10)
			batch := make([]store.Visit, size)
			for n := uint64(0); ctx.Err() == nil && time.Since(start) < length; n++ {
				now := time.Now()
				for i := range batch {
					batch[i] = store.Visit{Kiosk: kiosk, Facility: facility, Issuer: issuer, Issued: now, Scanned: now, Received: now, Seq: n*size + uint64(i)}
					rand.Read(batch[i].ID[:])
				}
				if _, err := db.Put(ctx, batch); err != nil {
					cancel(err)
					return
				}
				stored.Add(size)
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, 0, err
	}
	after, err := used(server)
	n := float64(stored.Load())
	return float64((after - before).Microseconds()) / n, n / time.Since(start).Seconds(), err
}

func used(server *storetest.Server) (time.Duration, error) {
	theirs, err := server.CPU()
	if err != nil {
		return 0, err
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, err
	}
	return theirs + time.Duration(own.Utime.Nano()+own.Stime.Nano()), nil
}
