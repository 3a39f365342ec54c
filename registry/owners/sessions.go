package owners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// The prefix makes browsers refuse the cookie from anybody but this host
	// over TLS, so that no neighbour can plant one (RFC 6265bis, section 4.1.3).
	sessionCookie = "__Host-munjigi-owner"

	// SessionIdle ends a session that nobody uses.
	SessionIdle = 2 * time.Hour
	// SessionLife ends every session.
	SessionLife = 24 * time.Hour

	// seenStep spares a write at every page.
	seenStep = time.Minute
)

// sessions keeps who is signed in, by the hash of the cookie.
type sessions struct{ db *sql.DB }

// newToken is 256 random bits and the text that is kept of them. A fast hash
// does: nobody guesses 256 bits.
func newToken() (token, hash string) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// start signs an account in with a fresh token, whatever the browser brought.
func (s sessions) start(ctx context.Context, w http.ResponseWriter, account string, now time.Time) error {
	token, hash := newToken()
	if _, err := s.db.ExecContext(ctx, `INSERT INTO owner_sessions (hash, account, created, seen) VALUES ($1, $2, $3, $3)`, hash, account, now.UnixMilli()); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	setCookie(w, token)
	return nil
}

func setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: sessionCookie, Value: token, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// find says who sent a request; errNotFound if nobody who is signed in.
func (s sessions) find(r *http.Request, now time.Time) (hash string, who account, o owner, err error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return "", account{}, owner{}, errNotFound
	}
	hash = hashToken(cookie.Value)
	var created, seen int64
	err = s.db.QueryRowContext(r.Context(), `SELECT s.created, s.seen, a.id, a.owner, a.login, a.name, a.role, o.id, o.business, o.name, o.representative, o.phone
		FROM owner_sessions AS s JOIN accounts AS a ON a.id = s.account JOIN owners AS o ON o.id = a.owner WHERE s.hash = $1`, hash).
		Scan(&created, &seen, &who.ID, &who.Owner, &who.Login, &who.Name, &who.Role, &o.ID, &o.Business, &o.Name, &o.Representative, &o.Phone)
	if errors.Is(err, sql.ErrNoRows) {
		return "", account{}, owner{}, errNotFound
	}
	if err != nil {
		return "", account{}, owner{}, fmt.Errorf("find the session: %w", err)
	}
	if now.Sub(time.UnixMilli(created)) >= SessionLife || now.Sub(time.UnixMilli(seen)) >= SessionIdle {
		return "", account{}, owner{}, errors.Join(errNotFound, s.end(r.Context(), hash))
	}
	if now.Sub(time.UnixMilli(seen)) >= seenStep {
		if _, err := s.db.ExecContext(r.Context(), `UPDATE owner_sessions SET seen = $1 WHERE hash = $2`, now.UnixMilli(), hash); err != nil {
			return "", account{}, owner{}, fmt.Errorf("keep the session: %w", err)
		}
	}
	return hash, who, o, nil
}

// end ends one session.
func (s sessions) end(ctx context.Context, hash string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM owner_sessions WHERE hash = $1`, hash); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// endAll signs an account out everywhere.
func (s sessions) endAll(ctx context.Context, account string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM owner_sessions WHERE account = $1`, account); err != nil {
		return fmt.Errorf("end all sessions: %w", err)
	}
	return nil
}

// prune deletes what has ended by itself.
func (s sessions) prune(ctx context.Context, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM owner_sessions WHERE created <= $1 OR seen <= $2`, now.Add(-SessionLife).UnixMilli(), now.Add(-SessionIdle).UnixMilli())
	if err != nil {
		return fmt.Errorf("delete ended sessions: %w", err)
	}
	return nil
}
