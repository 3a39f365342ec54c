package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// PersonID is a person's pseudonym, 16 random bytes.
type PersonID [16]byte

// Person is one verified identity at one brand.
type Person struct {
	ID       PersonID
	Brand    string
	Name     string
	Phone    string // digits only
	Birth    string // YYYY-MM-DD
	Created  time.Time
	Verified time.Time // last identity verification
	More
}

// More is what else is known of a person; it is sealed as a whole.
type More struct {
	Carrier  string          `json:"carrier,omitempty"`
	Foreign  bool            `json:"foreign,omitempty"`
	Guardian *Guardian       `json:"guardian,omitempty"`
	Device   *Device         `json:"device,omitempty"`
	Health   json.RawMessage `json:"health,omitempty"` // nil: not loaded
	Passkeys json.RawMessage `json:"passkeys,omitempty"`
}

// Guardian agreed once for a child.
type Guardian struct {
	Name  string    `json:"name"`
	Phone string    `json:"phone"`
	At    time.Time `json:"at"`
}

// Device is the one phone that may make the person's codes.
type Device struct {
	Session []byte `json:"session"`       // the session it was bound in
	Key     []byte `json:"key,omitempty"` // its public key, PKIX DER
	PIN     string `json:"pin,omitempty"` // hash of the PIN
	Wrong   int    `json:"wrong,omitempty"`
}

// Agreement is one consent as it was given.
type Agreement struct {
	Item    string    `json:"item"`
	Version string    `json:"version"`
	Title   string    `json:"title"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// Verification is one entry of 「최근 인증내역」.
type Verification struct {
	At     time.Time
	Method string
}

// Verify notes a verified identity: the person is found again by brand and
// identity or made anew, so that a number given to somebody else is somebody
// else. Agreements are added to those there are.
func (d *DB) Verify(ctx context.Context, p Person, method string, now time.Time, agreed []Agreement) (PersonID, error) {
	tag := d.keys.Tag("person", p.Brand, p.Name, p.Phone, p.Birth)
	defer d.people.drop()
	err := d.change(ctx, func(tx *sql.Tx) error {
		var id []byte
		err := tx.QueryRowContext(ctx, `SELECT id FROM people WHERE brand = ? AND tag = ?`, p.Brand, tag).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			rand.Read(p.ID[:]) // never fails
			more, err := json.Marshal(p.More)
			if err != nil {
				return fmt.Errorf("write a person: %w", err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO people (id, brand, tag, phone_tag, sealed_name, sealed_phone, sealed_birth, sealed_more, created, verified, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
				p.ID[:], p.Brand, tag, d.phoneTag(p.Brand, p.Phone),
				d.keys.seal("people.name", p.ID[:], []byte(p.Name)), d.keys.seal("people.phone", p.ID[:], []byte(p.Phone)),
				d.keys.seal("people.birth", p.ID[:], []byte(p.Birth)), d.keys.seal("people.more", p.ID[:], more),
				now.UnixMilli(), now.UnixMilli())
			if err != nil {
				return fmt.Errorf("write a person: %w", err)
			}
		case err != nil:
			return fmt.Errorf("look for a person: %w", err)
		default:
			copy(p.ID[:], id)
			if _, err := tx.ExecContext(ctx, `UPDATE people SET verified = ?, withdrawn = 0 WHERE id = ?`, now.UnixMilli(), id); err != nil {
				return fmt.Errorf("write a person: %w", err)
			}
			before, _, err := d.person(ctx, tx, p.ID)
			if err != nil {
				return err
			}
			before.Carrier, before.Foreign = p.Carrier, p.Foreign // a number moves with its owner
			if err := d.writeMore(ctx, tx, p.ID, before.More); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO verifications (person, at, method) VALUES (?, ?, ?)`, p.ID[:], now.UnixMilli(), method); err != nil {
			return fmt.Errorf("write a verification: %w", err)
		}
		return agree(ctx, tx, p.ID, agreed)
	})
	return p.ID, err
}

func (d *DB) phoneTag(brand, phone string) []byte { return d.keys.Tag("phone", brand, phone) }

// Agree adds consents to those a person has given.
func (d *DB) Agree(ctx context.Context, id PersonID, agreed []Agreement) error {
	defer d.people.drop(id)
	return d.change(ctx, func(tx *sql.Tx) error { return agree(ctx, tx, id, agreed) })
}

func agree(ctx context.Context, tx *sql.Tx, id PersonID, agreed []Agreement) error {
	for _, a := range agreed {
		h := sha256.New()
		fmt.Fprintf(h, "%s\x00%s\x00%s", a.Version, a.Title, a.Text)
		digest := h.Sum(nil)
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO consent_texts (digest, version, title, text) VALUES (?, ?, ?, ?)`, digest, a.Version, a.Title, a.Text); err != nil {
			return fmt.Errorf("write a consent: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO consents (person, item, digest, given) VALUES (?, ?, ?, ?)`, id[:], a.Item, digest, a.At.UnixMilli()); err != nil {
			return fmt.Errorf("write a consent: %w", err)
		}
	}
	return nil
}

// Disagree takes one consent back.
func (d *DB) Disagree(ctx context.Context, id PersonID, item string) error {
	defer d.people.drop(id)
	return d.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM consents WHERE person = ? AND item = ?`, id[:], item); err != nil {
			return fmt.Errorf("take a consent back: %w", err)
		}
		return nil
	})
}

// agreements lists a person's consents by item.
func (d *DB) agreements(ctx context.Context, id PersonID) (map[string]Agreement, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT item, version, title, text, given FROM consents JOIN consent_texts USING (digest) WHERE person = ?`, id[:])
	if err != nil {
		return nil, fmt.Errorf("read the consents: %w", err)
	}
	defer rows.Close()
	all := map[string]Agreement{}
	for rows.Next() {
		var a Agreement
		var at int64
		if err := rows.Scan(&a.Item, &a.Version, &a.Title, &a.Text, &at); err != nil {
			return nil, fmt.Errorf("read the consents: %w", err)
		}
		a.At = time.UnixMilli(at)
		all[a.Item] = a
	}
	return all, rows.Err()
}

// Verifications lists the last ones of a person, the newest first.
func (d *DB) Verifications(ctx context.Context, id PersonID) ([]Verification, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT at, method FROM verifications WHERE person = ? ORDER BY at DESC LIMIT 20`, id[:])
	if err != nil {
		return nil, fmt.Errorf("read the verifications: %w", err)
	}
	defer rows.Close()
	var all []Verification
	for rows.Next() {
		var v Verification
		var at int64
		if err := rows.Scan(&at, &v.Method); err != nil {
			return nil, fmt.Errorf("read the verifications: %w", err)
		}
		v.At = time.UnixMilli(at)
		all = append(all, v)
	}
	return all, rows.Err()
}

// ErrNobody is returned for a person who is not, or no longer, here.
var ErrNobody = errors.New("there is no such person here")

// known is a person with consents, as they were read.
type known struct {
	person Person
	agreed map[string]Agreement
}

// Person reads one with the consents by item, which are not to be changed;
// after a withdrawal there is nobody, see Named.
func (d *DB) Person(ctx context.Context, id PersonID) (Person, map[string]Agreement, error) {
	v, cached, turn := d.people.get(id)
	if cached {
		return v.person, v.agreed, nil
	}
	p, withdrawn, err := d.person(ctx, d.read, id)
	if err == nil && withdrawn {
		err = ErrNobody
	}
	if err != nil {
		return Person{}, nil, err
	}
	agreed, err := d.agreements(ctx, id)
	if err != nil {
		return Person{}, nil, err
	}
	d.people.put(id, known{p, agreed}, turn)
	return p, agreed, nil
}

// Named is Person for the answer to a trace: who has withdrawn is still named
// while a code of theirs is younger than 28 days.
func (d *DB) Named(ctx context.Context, id PersonID) (Person, error) {
	p, _, err := d.person(ctx, d.read, id)
	return p, err
}

func (d *DB) person(ctx context.Context, q querier, id PersonID) (p Person, withdrawn bool, err error) {
	var name, phone, birth, more []byte
	var created, verified, gone int64
	err = q.QueryRowContext(ctx, `SELECT brand, sealed_name, sealed_phone, sealed_birth, sealed_more, created, verified, withdrawn FROM people WHERE id = ?`, id[:]).
		Scan(&p.Brand, &name, &phone, &birth, &more, &created, &verified, &gone)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, ErrNobody
	}
	if err != nil {
		return p, false, fmt.Errorf("read a person: %w", err)
	}
	p.ID, p.Created, p.Verified = id, time.UnixMilli(created), time.UnixMilli(verified)
	var all []error
	field := func(column string, sealed []byte) []byte {
		plain, err := d.keys.open(column, id[:], sealed)
		all = append(all, err)
		return plain
	}
	p.Name, p.Phone, p.Birth = string(field("people.name", name)), string(field("people.phone", phone)), string(field("people.birth", birth))
	if plain := field("people.more", more); plain != nil {
		all = append(all, json.Unmarshal(plain, &p.More))
	}
	if err := errors.Join(all...); err != nil {
		return Person{}, false, fmt.Errorf("read a person: %w", err)
	}
	return p, gone != 0, nil
}

// Edit changes what else is known of a person, with no other change between.
// An error of f changes nothing.
func (d *DB) Edit(ctx context.Context, id PersonID, f func(*More) error) error {
	defer d.people.drop(id)
	return d.change(ctx, func(tx *sql.Tx) error {
		p, withdrawn, err := d.person(ctx, tx, id)
		if err != nil {
			return err
		}
		if withdrawn {
			return ErrNobody
		}
		if err := f(&p.More); err != nil {
			return err
		}
		return d.writeMore(ctx, tx, id, p.More)
	})
}

func (d *DB) writeMore(ctx context.Context, tx *sql.Tx, id PersonID, m More) error {
	more, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write a person: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE people SET sealed_more = ? WHERE id = ?`, d.keys.seal("people.more", id[:], more), id[:]); err != nil {
		return fmt.Errorf("write a person: %w", err)
	}
	return nil
}

// Bind makes dev the one phone of a person, and unbinds the phones of others
// who had the same number at the brand: a number is one person's at a time.
func (d *DB) Bind(ctx context.Context, id PersonID, dev Device) error {
	defer d.people.drop()
	return d.change(ctx, func(tx *sql.Tx) error {
		ids, err := list(ctx, tx, `SELECT id FROM people WHERE (brand, phone_tag) = (SELECT brand, phone_tag FROM people WHERE id = ?)`, id[:])
		if err != nil {
			return err
		}
		for _, other := range ids {
			p, _, err := d.person(ctx, tx, other)
			if err != nil {
				return err
			}
			p.Device, p.Passkeys = nil, nil // those were the old phone's
			if other == id {
				p.Device = &dev
			}
			if err := d.writeMore(ctx, tx, other, p.More); err != nil {
				return err
			}
		}
		return nil
	})
}

func list(ctx context.Context, tx *sql.Tx, query string, args ...any) (ids []PersonID, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("list people: %w", err)
		}
		ids = append(ids, PersonID(raw))
	}
	return ids, rows.Err()
}

// Withdraw ends a person at once, except for name, number and birth date while
// a code is younger than 28 days: then until is the day on which these go too,
// else it is zero and everything is gone.
func (d *DB) Withdraw(ctx context.Context, id PersonID, now time.Time) (until time.Time, err error) {
	defer d.people.drop(id)
	err = d.change(ctx, func(tx *sql.Tx) error {
		var used int64
		err := tx.QueryRowContext(ctx, `SELECT used FROM people WHERE id = ?`, id[:]).Scan(&used)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNobody
		}
		if err != nil {
			return fmt.Errorf("withdraw: %w", err)
		}
		if used == 0 || used+Retention <= Day(now) {
			if _, err := tx.ExecContext(ctx, `DELETE FROM people WHERE id = ?`, id[:]); err != nil {
				return fmt.Errorf("withdraw: %w", err)
			}
			return nil
		}
		until = time.Unix((used+Retention)*86400, 0).UTC()
		for _, q := range []string{`DELETE FROM consents WHERE person = ?`, `DELETE FROM verifications WHERE person = ?`} {
			if _, err := tx.ExecContext(ctx, q, id[:]); err != nil {
				return fmt.Errorf("withdraw: %w", err)
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE people SET withdrawn = ? WHERE id = ?`, now.UnixMilli(), id[:]); err != nil {
			return fmt.Errorf("withdraw: %w", err)
		}
		return d.writeMore(ctx, tx, id, More{})
	})
	if err != nil {
		return time.Time{}, err
	}
	return until, d.flush(ctx)
}
