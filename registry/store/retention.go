package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Deleted is the body of the audit log's line about a day that was destroyed.
type Deleted struct {
	Day    string `json:"day"`    // 2026-11-22, Seoul time
	Visits int64  `json:"visits"` // how many
	Digest string `json:"digest"` // SHA-256 of the rows as they lay there, see digestDay
}

// KindDeleted is the kind of that line.
const KindDeleted = "visits-deleted"

// Retain destroys the days that are past their time (Days): the visits, their
// traces in the engine's own files, and the keys of those days, which ends
// every other copy. Each day leaves a line in the audit log. Days to come are
// prepared. It returns how many visits were destroyed; where something fails
// the rest is still done, and the next call does it again. It takes now for
// granted; ask [DB.Doubt] before where nobody has looked at the clock.
func (db *DB) Retain(ctx context.Context, audit *Audit, now time.Time) (deleted int64, err error) {
	today := DayOf(now)
	first := oldest(today)
	failed := []error{db.believe(ctx, now), db.prepare(ctx, today-1, today+2)}
	past, err := db.past(ctx, first)
	failed = append(failed, err)
	for _, day := range past {
		n, err := db.drop(ctx, day, func(tx *sql.Tx, count int64, digest []byte) error {
			return logDeleted(ctx, tx, audit, day, count, digest)
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("destroy the visits of %s: %w", day, err))
			continue
		}
		deleted += n
	}
	failed = append(failed, db.destroyKeys(ctx, first), db.forgetOldest(ctx, first))
	if len(past) > 0 {
		db.clean.Store(false)
	}
	// Also where the last try met a reader, or a process that deleted has died.
	if !db.clean.Load() {
		err := db.scrub(ctx)
		db.clean.Store(err == nil)
		failed = append(failed, err)
	}
	return deleted, errors.Join(failed...)
}

// forgetOldest clears the hour of a kiosk's oldest visit that waits, which
// stays behind where the kiosk itself falls silent.
func (db *DB) forgetOldest(ctx context.Context, first Day) error {
	if _, err := db.sql.ExecContext(ctx, `UPDATE kiosks SET oldest = 0 WHERE oldest > 0 AND oldest < $1`, first.Midnight().UnixMilli()); err != nil {
		return fmt.Errorf("clear the times of waiting visits: %w", err)
	}
	return nil
}

func logDeleted(ctx context.Context, tx *sql.Tx, audit *Audit, day Day, count int64, digest []byte) error {
	return audit.AppendTx(ctx, tx, KindDeleted, Deleted{day.String(), count, hex.EncodeToString(digest)})
}

// digestDay counts and digests the visits of a day: SHA-256 over the rows in
// the order of their key, each its sealed id (16 bytes), issuer, kiosk and
// facility (each behind its length in 2 bytes), and iat, scan, arrival, sequence
// and flags (each 8 bytes, big-endian). An auditor gets the same from a backup.
func digestDay(ctx context.Context, tx *sql.Tx, table string, day Day, sealed func(*[16]byte) any) (count int64, digest []byte, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT sealed, issuer, kiosk, facility, issued, scanned, received, seq, flags
		FROM `+table+` WHERE day = $1 ORDER BY issued, sealed, issuer, kiosk`, int64(day))
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	h := sha256.New()
	var r row
	var line []byte
	for rows.Next() {
		if err := rows.Scan(sealed(&r.sealed), &r.issuer, &r.kiosk, &r.facility, &r.issued, &r.scanned, &r.received, &r.seq, &r.flags); err != nil {
			return 0, nil, err
		}
		line = append(line[:0], r.sealed[:]...)
		for _, s := range []string{r.issuer, r.kiosk, r.facility} {
			line = append(binary.BigEndian.AppendUint16(line, uint16(len(s))), s...)
		}
		for _, n := range []int64{r.issued, r.scanned, r.received, r.seq, int64(r.flags)} {
			line = binary.BigEndian.AppendUint64(line, uint64(n))
		}
		h.Write(line)
		count++
	}
	return count, h.Sum(nil), rows.Err()
}

// Retention calls [DB.Retain] at its start, at every midnight in Seoul and
// within the hour between, unless the clock is doubted ([DB.Doubt]). It is a task: Run it until ctx ends.
type Retention struct {
	retain func(ctx context.Context, now time.Time) (deleted int64, err error)
	now    func() time.Time
	log    *slog.Logger
	ready  chan struct{}
}

// NewRetention returns the task.
func NewRetention(db *DB, audit *Audit, now func() time.Time, log *slog.Logger) *Retention {
	retain := func(ctx context.Context, now time.Time) (int64, error) {
		if err := db.Doubt(ctx, now); err != nil {
			return 0, err
		}
		return db.Retain(ctx, audit, now)
	}
	return &Retention{retain: retain, now: now, log: log, ready: make(chan struct{})}
}

// Run destroys until ctx ends; then it returns nil. What fails is logged and
// tried again a minute later.
func (r *Retention) Run(ctx context.Context) error {
	for first := true; ; first = false {
		now := r.now()
		n, err := r.retain(ctx, now)
		// A second behind midnight, when the day is over by any rounding.
		wait := min(time.Hour, (DayOf(now) + 1).Midnight().Add(time.Second).Sub(now))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.log.Error("visits past their time are not all destroyed, tried again in a minute", "deleted", n, "error", err)
			wait = time.Minute
		case n > 0:
			r.log.Info("visits past their time are destroyed", "deleted", n)
		}
		if first {
			close(r.ready)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Ready is closed behind the first round.
func (r *Retention) Ready() <-chan struct{} { return r.ready }

func (r *Retention) String() string { return "retention" }
