package devices

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// NewCode makes an enrolment code for one kiosk of a facility. name is the
// door's, for people, and may be empty. replaces, if not empty, is the kiosk
// of that facility whose place the new device takes: its id and with it its
// queue; the old device is refused from then on. Errors: ErrUnknown.
func (b *Book) NewCode(ctx context.Context, facility, name, replaces string, life time.Duration, now time.Time) (text string, code wire.Code, err error) {
	f, err := b.Facility(ctx, facility)
	if err != nil {
		return "", code, err
	}
	if name != "" {
		if err := wire.CheckName(name); err != nil {
			return "", code, fmt.Errorf("kiosk %q: %w", name, err)
		}
	}
	if replaces != "" {
		k, err := b.Kiosk(ctx, replaces)
		if err != nil {
			return "", code, err
		}
		if k.Facility != facility {
			return "", code, fmt.Errorf("kiosk %q of facility %q: %w", replaces, facility, ErrUnknown)
		}
	}
	code = wire.Code{
		Address: b.Address, Registry: b.Name, Root: b.Root, Facility: f.Name, ID: make([]byte, 8), Secret: make([]byte, 16),
		Issued: now.Unix(), Expires: now.Add(life).Unix(),
	}
	rand.Read(code.ID) // never fails
	rand.Read(code.Secret)
	if text, err = wire.SignCode(b.Receipt, code); err != nil {
		return "", wire.Code{}, err
	}
	sealed, err := b.seal(code.ID, code.Secret)
	if err != nil {
		return "", wire.Code{}, err
	}
	_, err = b.SQL.ExecContext(ctx, `INSERT INTO codes (id, facility, kiosk, name, secret, issued, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hex.EncodeToString(code.ID), facility, replaces, name, sealed, code.Issued*1000, code.Expires*1000)
	if err != nil {
		return "", wire.Code{}, fmt.Errorf("enter the code: %w", err)
	}
	return text, code, nil
}

// Tidy erases the secrets of codes past their time, and forgets codes, and the
// names of places whose owner has left, 28 days after.
func (b *Book) Tidy(ctx context.Context, now time.Time) error {
	if _, err := b.SQL.ExecContext(ctx, `UPDATE codes SET secret = NULL WHERE secret IS NOT NULL AND expires <= $1`, now.UnixMilli()); err != nil {
		return fmt.Errorf("erase expired codes: %w", err)
	}
	if _, err := b.SQL.ExecContext(ctx, `DELETE FROM codes WHERE expires <= $1`, now.AddDate(0, 0, -28).UnixMilli()); err != nil {
		return fmt.Errorf("erase expired codes: %w", err)
	}
	// The names of places whose owner has left, when no visit points there any more.
	for _, query := range []string{
		`UPDATE kiosks SET name = '' WHERE name <> '' AND facility IN (SELECT id FROM facilities WHERE closed <= $1)`,
		`UPDATE facilities SET name = '' WHERE name <> '' AND closed <= $1`,
	} {
		if _, err := b.SQL.ExecContext(ctx, query, now.AddDate(0, 0, -28).UnixMilli()); err != nil {
			return fmt.Errorf("erase the names of closed places: %w", err)
		}
	}
	return nil
}

// code is a row of the table.
type code struct {
	id, facility, kiosk, name string
	secret                    []byte // sealed
	expires                   int64
	used                      sql.NullInt64
	spki                      []byte
}

// Enrol admits a kiosk by its code and returns what it is to be told. The same
// key may ask again while the code lives. Errors: ErrNoCode, ErrCodeUsed,
// ErrCodeExpired, ErrKeyTaken, ErrRevoked, and those of [wire.ParseRequest].
func (b *Book) Enrol(ctx context.Context, e wire.Enrol, now time.Time) (wire.Enrolment, error) {
	key, err := wire.ParseRequest(e.CSR)
	if err != nil {
		return wire.Enrolment{}, err
	}
	spki, err := fingerprint(key)
	if err != nil {
		return wire.Enrolment{}, err
	}
	c := code{id: hex.EncodeToString(e.Code)}
	err = b.SQL.QueryRowContext(ctx, `SELECT facility, kiosk, name, secret, expires, used, spki FROM codes WHERE id = $1`, c.id).
		Scan(&c.facility, &c.kiosk, &c.name, &c.secret, &c.expires, &c.used, &c.spki)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return wire.Enrolment{}, ErrNoCode
	case err != nil:
		return wire.Enrolment{}, fmt.Errorf("read the code: %w", err)
	case c.used.Valid && string(c.spki) != string(spki[:]):
		return wire.Enrolment{}, ErrCodeUsed
	case now.UnixMilli() >= c.expires, !c.used.Valid && c.secret == nil:
		return wire.Enrolment{}, ErrCodeExpired
	case c.used.Valid:
		return b.again(ctx, key, spki, now)
	}
	// Nothing is written before the secret is proved: who only overheard the
	// code's id cannot use it up.
	secret, err := b.open(e.Code, c.secret)
	if err != nil {
		return wire.Enrolment{}, err
	}
	if !e.Knows(secret) {
		return wire.Enrolment{}, ErrNoCode
	}
	var answer wire.Enrolment
	err = b.change(ctx, func(tx *sql.Tx) (err error) {
		done, err := tx.ExecContext(ctx, `UPDATE codes SET used = $2, spki = $3, secret = NULL WHERE id = $1 AND used IS NULL AND secret IS NOT NULL AND expires > $2`, c.id, now.UnixMilli(), spki[:])
		if err != nil {
			return fmt.Errorf("use the code: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return ErrCodeUsed // by somebody else, just now
		}
		kiosk, err := b.seat(ctx, tx, c, e, spki, now)
		if err != nil {
			return err
		}
		answer, err = b.certify(ctx, tx, kiosk, key, spki, 1, now)
		return err
	})
	b.forget()
	if errors.Is(err, ErrCodeUsed) {
		// By this key itself, perhaps: who waited too long for an answer asks
		// again while the first request is under way.
		var by []byte
		if b.SQL.QueryRowContext(ctx, `SELECT spki FROM codes WHERE id = $1`, c.id).Scan(&by) == nil && string(by) == string(spki[:]) {
			return b.again(ctx, key, spki, now)
		}
	}
	return answer, err
}

// again answers a key whose code has been used by it: the answer was lost. The
// key has proved itself, the secret is gone.
func (b *Book) again(ctx context.Context, key ed25519.PublicKey, spki Fingerprint, now time.Time) (wire.Enrolment, error) {
	k, err := b.byKey(ctx, spki, now)
	if err != nil {
		return wire.Enrolment{}, err
	}
	return b.certify(ctx, b.SQL, k.ID, key, spki, 1, now)
}

// seat gives the key its kiosk: a new one, the one it replaces, or the one it
// already is, where an earlier code was used and the answer never arrived.
func (b *Book) seat(ctx context.Context, tx *sql.Tx, c code, e wire.Enrol, spki Fingerprint, now time.Time) (kiosk string, err error) {
	var of, facility string
	var revoked sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT k.id, k.facility, y.revoked FROM kiosk_keys y JOIN kiosks k ON k.id = y.kiosk WHERE y.spki = $1`, spki[:]).Scan(&of, &facility, &revoked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return "", fmt.Errorf("read a kiosk's key: %w", err)
	case revoked.Valid || facility != c.facility || (c.kiosk != "" && c.kiosk != of):
		return "", ErrKeyTaken
	default:
		return of, nil
	}
	if c.kiosk != "" {
		if _, err := tx.ExecContext(ctx, `UPDATE kiosk_keys SET revoked = $2 WHERE kiosk = $1 AND revoked IS NULL`, c.kiosk, now.UnixMilli()); err != nil {
			return "", fmt.Errorf("end the replaced kiosk's key: %w", err)
		}
		_, err := tx.ExecContext(ctx, `UPDATE kiosks SET enrolled = $2, revoked = NULL, seen = NULL, version = $3,
			bundle = CASE WHEN bundle > $4 THEN bundle ELSE $4 END, name = CASE WHEN $5 = '' THEN name ELSE $5 END WHERE id = $1`,
			c.kiosk, now.UnixMilli(), e.Version, int64(e.Bundle), c.name)
		if err != nil {
			return "", fmt.Errorf("replace the kiosk: %w", err)
		}
		return c.kiosk, nil
	}
	kiosk = newID("k")
	_, err = tx.ExecContext(ctx, `INSERT INTO kiosks (id, facility, name, enrolled, version, bundle) VALUES ($1, $2, $3, $4, $5, $6)`,
		kiosk, c.facility, c.name, now.UnixMilli(), e.Version, int64(e.Bundle))
	if err != nil {
		return "", fmt.Errorf("enter the kiosk: %w", err)
	}
	return kiosk, nil
}

// Renew certifies a kiosk's key again, or a new key of it; the older one works
// until the new one is first used. Errors: ErrKeyTaken, and those of
// [wire.ParseRequest].
func (b *Book) Renew(ctx context.Context, who Identity, csr []byte, now time.Time) (wire.Enrolment, error) {
	key, err := wire.ParseRequest(csr)
	if err != nil {
		return wire.Enrolment{}, err
	}
	spki, err := fingerprint(key)
	if err != nil {
		return wire.Enrolment{}, err
	}
	if spki == who.Key {
		return b.certify(ctx, b.SQL, who.ID, key, spki, 1, now)
	}
	var answer wire.Enrolment
	err = b.change(ctx, func(tx *sql.Tx) error {
		var of string
		var revoked sql.NullInt64
		switch err := tx.QueryRowContext(ctx, `SELECT kiosk, revoked FROM kiosk_keys WHERE spki = $1`, spki[:]).Scan(&of, &revoked); {
		case errors.Is(err, sql.ErrNoRows):
			if _, err := tx.ExecContext(ctx, `DELETE FROM kiosk_keys WHERE kiosk = $1 AND confirmed = 0`, who.ID); err != nil {
				return fmt.Errorf("forget a key that never came: %w", err)
			}
		case err != nil:
			return fmt.Errorf("read a kiosk's key: %w", err)
		case of != who.ID || revoked.Valid:
			return ErrKeyTaken
		}
		answer, err = b.certify(ctx, tx, who.ID, key, spki, 0, now)
		return err
	})
	return answer, err
}

// certify issues a certificate, enters its key and says everything a kiosk has
// to know.
func (b *Book) certify(ctx context.Context, db querier, kiosk string, key ed25519.PublicKey, spki Fingerprint, confirmed int, now time.Time) (wire.Enrolment, error) {
	der, expires, err := b.CA.certify(kiosk, key, now)
	if err != nil {
		return wire.Enrolment{}, err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO kiosk_keys (spki, kiosk, expires, confirmed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (spki) DO UPDATE SET expires = excluded.expires`, spki[:], kiosk, expires.UnixMilli(), confirmed)
	if err != nil {
		return wire.Enrolment{}, fmt.Errorf("enter the certificate: %w", err)
	}
	answer := wire.Enrolment{Kiosk: kiosk, Certificate: der, CA: b.CA.DER(), Now: now.UnixMilli()}
	err = db.QueryRowContext(ctx, `SELECT f.id, f.kind, f.name FROM kiosks k JOIN facilities f ON f.id = k.facility WHERE k.id = $1`, kiosk).
		Scan(&answer.Facility, &answer.Kind, &answer.Name)
	if err != nil {
		return wire.Enrolment{}, fmt.Errorf("read the kiosk's facility: %w", err)
	}
	return answer, nil
}

// querier is a database or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (b *Book) cipher() (cipher.AEAD, error) {
	key, err := b.CA.sealing()
	if err != nil {
		return nil, fmt.Errorf("seal a code's secret: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal a code's secret: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal keeps a code's secret from whoever reads the database or its backup.
func (b *Book) seal(id, secret []byte) ([]byte, error) {
	aead, err := b.cipher()
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, secret, id), nil
}

func (b *Book) open(id, sealed []byte) ([]byte, error) {
	aead, err := b.cipher()
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nil, sealed, id)
	if err != nil {
		return nil, errors.New("a code's secret cannot be opened: was the device CA exchanged? make a new code")
	}
	return secret, nil
}
