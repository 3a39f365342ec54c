package owners

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// limit is a growing delay: free tries, then a wait that doubles with each
// further one, up to a longest. After a day without a try all is forgotten.
type limit struct {
	name     string
	free     int
	first    time.Duration
	longest  time.Duration
	forgiven bool // a success takes all tries back, otherwise its own only
}

// One account stands about a hundred guesses a day, wherever they come from;
// one address about a hundred and twenty, whatever it guesses at.
var (
	loginByAccount = limit{name: "login account", free: 5, first: 30 * time.Second, longest: 15 * time.Minute, forgiven: true}
	loginByAddress = limit{name: "login address", free: 30, first: 10 * time.Second, longest: 15 * time.Minute}
	recoverAccount = limit{name: "recover account", free: 3, first: 5 * time.Minute, longest: 2 * time.Hour}
	recoverAddress = limit{name: "recover address", free: 10, first: time.Minute, longest: 2 * time.Hour}
	signupAddress  = limit{name: "signup address", free: 10, first: time.Minute, longest: 2 * time.Hour}
	linkAddress    = limit{name: "link address", free: 30, first: 10 * time.Second, longest: 15 * time.Minute}
)

// triesKept is how long a series of tries is remembered after its last.
const triesKept = 24 * time.Hour

// WaitError is returned for a try that comes too early.
type WaitError struct{ Wait time.Duration }

func (e WaitError) Error() string {
	return fmt.Sprintf("too many tries: wait %d s", int(e.Wait.Round(time.Second)/time.Second))
}

// guard counts tries, for all processes of a registry together.
type guard struct{ db *sql.DB }

// subjectOf hashes what is tried at: people type passwords into login fields.
func subjectOf(l limit, at string) string {
	sum := sha256.Sum256([]byte(l.name + "\x00" + at))
	return hex.EncodeToString(sum[:16])
}

// try counts a try before it is looked at, so that many at once are counted
// too. It fails with a WaitError while a delay lasts.
func (g guard) try(ctx context.Context, l limit, at string, now time.Time) error {
	subject := subjectOf(l, at)
	ms, fresh := now.UnixMilli(), now.Add(-triesKept).UnixMilli()
	// One statement, so that of many processes none sees an old count. In
	// a series that is over, count and delay begin anew.
	var until int64
	err := g.db.QueryRowContext(ctx, `INSERT INTO owner_tries (subject, count, delay, until, last) VALUES ($1, 1, 0, 0, $2)
		ON CONFLICT (subject) DO UPDATE SET
			count = CASE WHEN owner_tries.last < $3 THEN 1 ELSE owner_tries.count + 1 END,
			delay = CASE WHEN owner_tries.last < $3 OR owner_tries.count + 1 < $4 THEN 0
				WHEN owner_tries.delay = 0 THEN $5 WHEN owner_tries.delay * 2 > $6 THEN $6 ELSE owner_tries.delay * 2 END,
			until = CASE WHEN owner_tries.last < $3 OR owner_tries.count + 1 < $4 THEN 0
				WHEN owner_tries.delay = 0 THEN $2 + $5 WHEN owner_tries.delay * 2 > $6 THEN $2 + $6 ELSE $2 + owner_tries.delay * 2 END,
			last = $2
		WHERE owner_tries.until <= $2 RETURNING until`,
		subject, ms, fresh, int64(l.free), l.first.Milliseconds(), l.longest.Milliseconds()).Scan(&until)
	if err == nil {
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("count a try: %w", err)
	}
	if err := g.db.QueryRowContext(ctx, `SELECT until FROM owner_tries WHERE subject = $1`, subject).Scan(&until); err != nil {
		return fmt.Errorf("count a try: %w", err)
	}
	return WaitError{Wait: max(time.Second, time.Duration(until-ms)*time.Millisecond)}
}

// succeeded takes back what try has counted.
func (g guard) succeeded(ctx context.Context, l limit, at string) error {
	query := `DELETE FROM owner_tries WHERE subject = $1`
	if !l.forgiven {
		// Otherwise whoever owns one account could guess at others for ever.
		query = `UPDATE owner_tries SET count = count - 1, delay = delay / 2, until = 0 WHERE subject = $1`
	}
	if _, err := g.db.ExecContext(ctx, query, subjectOf(l, at)); err != nil {
		return fmt.Errorf("take back a try: %w", err)
	}
	return nil
}

// prune deletes series that are over.
func (g guard) prune(ctx context.Context, now time.Time) error {
	if _, err := g.db.ExecContext(ctx, `DELETE FROM owner_tries WHERE last < $1`, now.Add(-triesKept).UnixMilli()); err != nil {
		return fmt.Errorf("delete old tries: %w", err)
	}
	return nil
}
