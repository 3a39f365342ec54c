package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Leap is how far the clock may be ahead of everything the registry has seen
// before it is doubted: one that is wrong destroys so many days too early, and
// no more.
const Leap = 3 * 24 * time.Hour

// ErrClock is returned where the clock is doubted.
var ErrClock = errors.New("the clock is far ahead of everything the registry has seen")

// Doubt says whether the registry's own clock is good for what cannot be undone:
// nil, or ErrClock. A clock that is weeks ahead and a registry that was off for
// weeks look alike from inside, so that it asks for a witness no more than [Leap]
// behind now: a pass that a kiosk has brought, whose time its issuer signed; or
// the last retention, which a registry that runs without visits lives on. With
// the first kiosk that brings a fresh visit, one that was off goes on by itself;
// where none does, the operator's word is a call of [DB.Retain].
func (db *DB) Doubt(ctx context.Context, now time.Time) error {
	var retained, issued int64
	if err := db.sql.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT at FROM retained WHERE id = 1), 0),
			COALESCE((SELECT MAX(issued) FROM visits WHERE day = (SELECT MAX(day) FROM visits)), 0)`).Scan(&retained, &issued); err != nil {
		return fmt.Errorf("look for witnesses of the time: %w", err)
	}
	seen := max(retained, issued*1000)
	if seen == 0 || now.Sub(time.UnixMilli(seen)) <= Leap { // nothing is here that could be destroyed
		return nil
	}
	return fmt.Errorf("%w: it says %s, and the last time seen is %s: check it; if it is right, wait for a kiosk or run registry retain",
		ErrClock, now.In(Seoul).Format(time.DateTime), time.UnixMilli(seen).In(Seoul).Format(time.DateTime))
}

// believe notes that the retention went by now.
func (db *DB) believe(ctx context.Context, now time.Time) error {
	_, err := db.sql.ExecContext(ctx, `INSERT INTO retained (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE excluded.at > retained.at`, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("note the retention: %w", err)
	}
	return nil
}
