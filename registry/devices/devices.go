// Package devices is the registry's book of facilities and kiosks: it makes
// enrolment codes, admits kiosks by them, renews and revokes their
// certificates, and keeps what they last said of themselves.
//
// The book is in the database, so that several registry processes share it: a
// kiosk revoked through one is refused by the others within [Memory]. Nothing
// in it is about a visitor.
package devices

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

var (
	// ErrUnknown is returned for a facility, a kiosk or a key that is not in the book.
	ErrUnknown = errors.New("there is no such entry in the registry's book")
	// ErrRevoked is returned for a kiosk, or a key, that may do nothing any more.
	ErrRevoked = errors.New("the kiosk was revoked")
	// ErrNoCode is returned for a code that was never made, or whose secret the
	// asker does not know: which of both is nobody's business.
	ErrNoCode = errors.New("there is no such enrolment code")
	// ErrCodeUsed is returned for a code that another key has used.
	ErrCodeUsed = errors.New("the enrolment code was used by another kiosk")
	// ErrCodeExpired is returned for a code past its time.
	ErrCodeExpired = errors.New("the enrolment code has expired")
	// ErrKeyTaken is returned for a new kiosk with a key that is known from
	// elsewhere.
	ErrKeyTaken = errors.New("the kiosk's key belongs to another kiosk")
)

// Config is what a Book stands on. All fields are required.
type Config struct {
	SQL     *sql.DB            // migrated, see registry/store
	CA      *CA                // vouches for kiosks
	Receipt ed25519.PrivateKey // signs codes
	Root    ed25519.PublicKey  // kiosks pin it
	Name    string             // the registry's, for people
	Address string             // its https URL, as kiosks reach it
}

// Book is safe for use by several goroutines, and by several processes on one
// database.
type Book struct {
	Config
	mu   sync.Mutex
	seen map[Fingerprint]remembered
}

// New checks c and returns its book.
func New(c Config) (*Book, error) {
	if c.SQL == nil || c.CA == nil || len(c.Receipt) != ed25519.PrivateKeySize || len(c.Root) != ed25519.PublicKeySize {
		return nil, errors.New("devices: database, CA, receipt key and root key must all be given")
	}
	if err := wire.CheckName(c.Name); err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	if err := wire.CheckAddress(c.Address); err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	return &Book{Config: c, seen: map[Fingerprint]remembered{}}, nil
}

// Words are the fingerprint of the root key, for people to compare.
func (b *Book) Words() []string { return wire.Words(b.Root) }

// Facility is a place with kiosks.
type Facility struct {
	ID      string
	Name    string // for people
	Kind    string // chooses the policy
	Owner   string // account, or empty
	Created time.Time
}

// AddFacility enters a facility and returns it with its new id.
func (b *Book) AddFacility(ctx context.Context, name, kind, owner string, now time.Time) (Facility, error) {
	f := Facility{ID: newID("f"), Name: name, Kind: kind, Owner: owner, Created: now}
	if err := wire.CheckName(name); err != nil {
		return f, fmt.Errorf("facility %q: %w", name, err)
	}
	if err := wire.CheckName(kind); err != nil {
		return f, fmt.Errorf("kind %q: %w", kind, err)
	}
	_, err := b.SQL.ExecContext(ctx, `INSERT INTO facilities (id, name, kind, owner, created) VALUES ($1, $2, $3, $4, $5)`, f.ID, name, kind, owner, now.UnixMilli())
	if err != nil {
		return f, fmt.Errorf("enter the facility: %w", err)
	}
	return f, nil
}

const facilityColumns = `SELECT id, name, kind, owner, created FROM facilities `

// Facility returns the facility with this id. Errors: ErrUnknown.
func (b *Book) Facility(ctx context.Context, id string) (Facility, error) {
	all, err := b.facilities(ctx, facilityColumns+`WHERE id = $1`, id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("facility %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return Facility{}, err
	}
	return all[0], nil
}

// Facilities lists all facilities by name.
func (b *Book) Facilities(ctx context.Context) ([]Facility, error) {
	return b.facilities(ctx, facilityColumns+`ORDER BY name, id`)
}

// FacilitiesOf lists an owner's facilities by name.
func (b *Book) FacilitiesOf(ctx context.Context, owner string) ([]Facility, error) {
	return b.facilities(ctx, facilityColumns+`WHERE owner = $1 ORDER BY name, id`, owner)
}

func (b *Book) facilities(ctx context.Context, query string, args ...any) ([]Facility, error) {
	rows, err := b.SQL.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the facilities: %w", err)
	}
	defer rows.Close()
	var all []Facility
	for rows.Next() {
		var f Facility
		var created int64
		if err := rows.Scan(&f.ID, &f.Name, &f.Kind, &f.Owner, &created); err != nil {
			return nil, fmt.Errorf("read the facilities: %w", err)
		}
		f.Created = time.UnixMilli(created).UTC()
		all = append(all, f)
	}
	return all, rows.Err()
}

// newID is a random name of 8 letters and digits that nobody mistakes for
// another's: 40 bits.
func newID(prefix string) string {
	raw := make([]byte, 5)
	rand.Read(raw) // never fails
	return prefix + "-" + strings.ToLower(crockford.EncodeToString(raw))
}

// crockford is the alphabet without I, L, O and U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// change runs f in one transaction.
func (b *Book) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := b.SQL.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the registry's book: %w", err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the registry's book: %w", err)
	}
	return nil
}
