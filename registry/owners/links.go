package owners

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// linkKind is what a one-time link is for.
type linkKind string

const (
	inviteLink  linkKind = "invite"  // make a staff account
	recoverLink linkKind = "recover" // set a new password

	// InviteLife is how long an invitation may be taken up.
	InviteLife = 72 * time.Hour
	// RecoverLife is how long a new password may be set.
	RecoverLife = 30 * time.Minute
)

// link is who a one-time link speaks for.
type link struct {
	hash    string
	Owner   string
	Account string // empty for an invitation
	Expires time.Time
}

// links keeps one-time links, by the hash of their secret part.
type links struct{ db *sql.DB }

// make returns a new link's secret part. An account has one recovery link at
// a time.
func (l links) make(ctx context.Context, kind linkKind, owner, account string, expires time.Time) (string, error) {
	token, hash := newToken()
	return token, within(ctx, l.db, func(tx *sql.Tx) error {
		if account != "" {
			if _, err := tx.ExecContext(ctx, `DELETE FROM owner_links WHERE account = $1`, account); err != nil {
				return fmt.Errorf("make a link: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO owner_links (hash, kind, owner, account, expires) VALUES ($1, $2, $3, $4, $5)`, hash, string(kind), owner, account, expires.UnixMilli())
		if err != nil {
			return fmt.Errorf("make a link: %w", err)
		}
		return nil
	})
}

// look finds a link without using it up; errNotFound when it never was, has
// been used or has run out.
func (l links) look(ctx context.Context, kind linkKind, token string, now time.Time) (link, error) {
	found := link{hash: hashToken(token)}
	var expires int64
	err := l.db.QueryRowContext(ctx, `SELECT owner, account, expires FROM owner_links WHERE hash = $1 AND kind = $2 AND expires > $3`, found.hash, string(kind), now.UnixMilli()).
		Scan(&found.Owner, &found.Account, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return link{}, errNotFound
	}
	if err != nil {
		return link{}, fmt.Errorf("find a link: %w", err)
	}
	found.Expires = time.UnixMilli(expires)
	return found, nil
}

// use takes a link away and does f, both or neither; of two who come at once
// one gets errNotFound.
func (l links) use(ctx context.Context, found link, f func(*sql.Tx) error) error {
	return within(ctx, l.db, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM owner_links WHERE hash = $1`, found.hash))
		if err != nil {
			return fmt.Errorf("use a link: %w", err)
		}
		if n == 0 {
			return errNotFound
		}
		return f(tx)
	})
}

// prune deletes links that have run out.
func (l links) prune(ctx context.Context, now time.Time) error {
	if _, err := l.db.ExecContext(ctx, `DELETE FROM owner_links WHERE expires <= $1`, now.UnixMilli()); err != nil {
		return fmt.Errorf("delete old links: %w", err)
	}
	return nil
}
