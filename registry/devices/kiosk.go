package devices

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

// Silence is how long after its last heartbeat a kiosk counts as silent: three
// were missed.
const Silence = 200 * time.Second

// Kiosk is a device at a facility's door.
type Kiosk struct {
	ID           string
	Name         string // of the door, for people; may be empty
	Facility     string // id
	FacilityName string
	Kind         string // the facility's: chooses the policy
	Enrolled     time.Time
	Revoked      time.Time // zero while it may work
	Expires      time.Time // of its newest certificate
	Seen         time.Time // its last heartbeat; zero for none yet
	Health       wire.Heartbeat
}

// Silent says whether an unrevoked kiosk should have been heard since.
func (k Kiosk) Silent(now time.Time) bool {
	last := k.Seen
	if last.IsZero() {
		last = k.Enrolled
	}
	return k.Revoked.IsZero() && now.Sub(last) > Silence
}

const kioskColumns = `SELECT k.id, k.name, k.facility, f.name, f.kind, k.enrolled, k.revoked, k.seen,
	(SELECT MAX(expires) FROM kiosk_keys WHERE kiosk = k.id AND revoked IS NULL),
	k.version, k.queue, k.oldest, k.bundle, k.clock, k.fps, k.temperature, k.disk, k.refused, k.destroyed, k.uptime, k.mended, k.salvaged
	FROM kiosks k JOIN facilities f ON f.id = k.facility `

// Kiosk returns the kiosk with this id. Errors: ErrUnknown.
func (b *Book) Kiosk(ctx context.Context, id string) (Kiosk, error) {
	all, err := b.kiosks(ctx, kioskColumns+`WHERE k.id = $1`, id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("kiosk %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return Kiosk{}, err
	}
	return all[0], nil
}

// Kiosks lists all kiosks by facility and name.
func (b *Book) Kiosks(ctx context.Context) ([]Kiosk, error) {
	return b.kiosks(ctx, kioskColumns+`ORDER BY f.name, f.id, k.name, k.id`)
}

// KiosksOf lists a facility's kiosks by name.
func (b *Book) KiosksOf(ctx context.Context, facility string) ([]Kiosk, error) {
	return b.kiosks(ctx, kioskColumns+`WHERE k.facility = $1 ORDER BY k.name, k.id`, facility)
}

func (b *Book) kiosks(ctx context.Context, query string, args ...any) ([]Kiosk, error) {
	rows, err := b.SQL.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the kiosks: %w", err)
	}
	defer rows.Close()
	var all []Kiosk
	for rows.Next() {
		var k Kiosk
		var enrolled int64
		var revoked, seen, expires sql.NullInt64
		var clock uint8
		h := &k.Health
		if err := rows.Scan(&k.ID, &k.Name, &k.Facility, &k.FacilityName, &k.Kind, &enrolled, &revoked, &seen, &expires,
			&h.Version, &h.Queue, &h.Oldest, &h.Bundle, &clock, &h.FPS, &h.Temperature, &h.Disk, &h.Refused, &h.Destroyed, &h.Uptime, &h.Mended, &h.Salvaged); err != nil {
			return nil, fmt.Errorf("read the kiosks: %w", err)
		}
		h.Clock = pass.Clock(clock)
		k.Enrolled, k.Revoked, k.Seen, k.Expires = time.UnixMilli(enrolled).UTC(), moment(revoked), moment(seen), moment(expires)
		all = append(all, k)
	}
	return all, rows.Err()
}

// moment is the zero time for NULL.
func moment(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

// Beat enters what a kiosk says of itself. Its bundle number only grows. The
// time of its oldest visit is kept to the hour: this table is sealed under no
// day key, and the moment of a visit is nobody's to find in it.
func (b *Book) Beat(ctx context.Context, kiosk string, h wire.Heartbeat, now time.Time) error {
	_, err := b.SQL.ExecContext(ctx, `UPDATE kiosks SET seen = $2, version = $3, queue = $4, oldest = $5,
		bundle = CASE WHEN bundle > $6 THEN bundle ELSE $6 END,
		clock = $7, fps = $8, temperature = $9, disk = $10, refused = $11, destroyed = $12, uptime = $13, mended = $14, salvaged = $15 WHERE id = $1`,
		kiosk, now.UnixMilli(), h.Version, int64(h.Queue), h.Oldest-h.Oldest%time.Hour.Milliseconds(), int64(h.Bundle),
		int64(h.Clock), int64(h.FPS), int64(h.Temperature), int64(h.Disk), int64(h.Refused), int64(h.Destroyed), int64(h.Uptime), int64(h.Mended), int64(h.Salvaged))
	if err != nil {
		return fmt.Errorf("enter the heartbeat: %w", err)
	}
	return nil
}

// HighestBundle is the highest bundle number any unrevoked kiosk has reported,
// and which kiosk did; 0 and none where there is none yet.
func HighestBundle(ctx context.Context, db *sql.DB) (number uint64, kiosk string, err error) {
	var n int64
	err = db.QueryRowContext(ctx, `SELECT bundle, id FROM kiosks WHERE revoked IS NULL ORDER BY bundle DESC, id LIMIT 1`).Scan(&n, &kiosk)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, "", fmt.Errorf("read the highest bundle number: %w", err)
	}
	return uint64(n), kiosk, nil
}

// Revoke ends what a kiosk may do: at once in this process, within Memory in
// others. Revoking it again changes nothing. Errors: ErrUnknown.
func (b *Book) Revoke(ctx context.Context, kiosk string, now time.Time) error {
	defer b.forget()
	return b.change(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE kiosks SET revoked = COALESCE(revoked, $2) WHERE id = $1`, kiosk, now.UnixMilli())
		if err != nil {
			return fmt.Errorf("revoke the kiosk: %w", err)
		}
		if n, err := done.RowsAffected(); err == nil && n == 0 {
			return fmt.Errorf("kiosk %q: %w", kiosk, ErrUnknown)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE kiosk_keys SET revoked = $2 WHERE kiosk = $1 AND revoked IS NULL`, kiosk, now.UnixMilli()); err != nil {
			return fmt.Errorf("revoke the kiosk: %w", err)
		}
		// Nor may a code that was made to replace it bring it back unseen.
		_, err = tx.ExecContext(ctx, `UPDATE codes SET secret = NULL, expires = $2 WHERE kiosk = $1 AND secret IS NOT NULL`, kiosk, now.UnixMilli())
		if err != nil {
			return fmt.Errorf("revoke the kiosk: %w", err)
		}
		return nil
	})
}

// Identity is who showed a certificate.
type Identity struct {
	Kiosk
	Key     Fingerprint
	Expired bool // the certificate, not the kiosk: it may renew
}

// Memory is how long the book believes what it read of a key.
const Memory = 10 * time.Second

// remembered is what the book read of a certificate's key.
type remembered struct {
	kiosk   Kiosk
	expires time.Time // of the certificate
	raw     string    // the certificate
	until   time.Time
}

// maxRemembered bounds the memory; beyond it, it begins anew.
const maxRemembered = 1 << 16

// Identify says whose certificate this is, which TLS has proved to be held by
// its key. Errors: ErrUnknown (not by this CA, or a key that is not in the
// book), ErrRevoked.
func (b *Book) Identify(ctx context.Context, cert *x509.Certificate, now time.Time) (Identity, error) {
	key := FingerprintOf(cert)
	b.mu.Lock()
	r, ok := b.seen[key]
	b.mu.Unlock()
	if !ok || !now.Before(r.until) || now.Before(r.until.Add(-Memory)) || r.raw != string(cert.Raw) {
		if !b.CA.Vouches(cert) {
			return Identity{}, fmt.Errorf("a certificate of another CA: %w", ErrUnknown)
		}
		k, err := b.byKey(ctx, key, now)
		if err != nil {
			return Identity{}, err
		}
		r = remembered{kiosk: k, expires: cert.NotAfter, raw: string(cert.Raw), until: now.Add(Memory)}
		b.mu.Lock()
		if len(b.seen) >= maxRemembered {
			clear(b.seen)
		}
		b.seen[key] = r
		b.mu.Unlock()
	}
	return Identity{Kiosk: r.kiosk, Key: key, Expired: !now.Before(r.expires)}, nil
}

func (b *Book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.seen)
}

// byKey reads whose key this is. The first use of a renewed key ends the one
// before it.
func (b *Book) byKey(ctx context.Context, key Fingerprint, now time.Time) (Kiosk, error) {
	var id string
	var confirmed int64
	var revoked sql.NullInt64
	err := b.SQL.QueryRowContext(ctx, `SELECT kiosk, confirmed, revoked FROM kiosk_keys WHERE spki = $1`, key[:]).Scan(&id, &confirmed, &revoked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Kiosk{}, fmt.Errorf("a key nobody enrolled: %w", ErrUnknown)
	case err != nil:
		return Kiosk{}, fmt.Errorf("read a kiosk's key: %w", err)
	case revoked.Valid:
		return Kiosk{}, fmt.Errorf("kiosk %q: %w", id, ErrRevoked)
	}
	if confirmed == 0 {
		err := b.change(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE kiosk_keys SET confirmed = 1 WHERE spki = $1`, key[:]); err != nil {
				return fmt.Errorf("confirm a kiosk's key: %w", err)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE kiosk_keys SET revoked = $3 WHERE kiosk = $1 AND spki <> $2 AND revoked IS NULL`, id, key[:], now.UnixMilli()); err != nil {
				return fmt.Errorf("end a kiosk's older key: %w", err)
			}
			return nil
		})
		if err != nil {
			return Kiosk{}, err
		}
	}
	k, err := b.Kiosk(ctx, id)
	if err == nil && !k.Revoked.IsZero() {
		err = fmt.Errorf("kiosk %q: %w", id, ErrRevoked)
	}
	return k, err
}

// Census counts kiosks.
type Census struct {
	Heard, Silent, Revoked int
	Queue                  int64 // visits that wait on those not revoked
}

// Census counts all kiosks by their state at now.
func (b *Book) Census(ctx context.Context, now time.Time) (c Census, err error) {
	err = b.SQL.QueryRowContext(ctx, `SELECT
		COUNT(CASE WHEN revoked IS NULL AND COALESCE(seen, enrolled) >= $1 THEN 1 END),
		COUNT(CASE WHEN revoked IS NULL AND COALESCE(seen, enrolled) < $1 THEN 1 END),
		COUNT(revoked), CAST(COALESCE(SUM(CASE WHEN revoked IS NULL THEN queue ELSE 0 END), 0) AS BIGINT) FROM kiosks`,
		now.Add(-Silence).UnixMilli()).Scan(&c.Heard, &c.Silent, &c.Revoked, &c.Queue)
	if err != nil {
		return c, fmt.Errorf("count the kiosks: %w", err)
	}
	return c, nil
}
