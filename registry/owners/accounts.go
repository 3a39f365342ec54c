package owners

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Role is what an account may do for its owner.
type Role string

const (
	Boss  Role = "boss"  // everything
	Staff Role = "staff" // look at counts and health, print
)

// owner is a business.
type owner struct {
	ID             string
	Business       string // registration number, ten digits
	Name           string
	Representative string
	Phone          string // digits
	Created        time.Time
}

// account is a person who logs in for an owner.
type account struct {
	ID      string
	Owner   string
	Login   string // e-mail address or login name, lower case
	Name    string
	Role    Role
	Created time.Time
}

var (
	errBusinessTaken = errors.New("this business has signed up already")
	errLoginTaken    = errors.New("this login is taken")
	errNotFound      = errors.New("there is no such thing for this owner")
)

// accounts keeps owners and their accounts.
type accounts struct{ db *sql.DB }

// newID is 80 random bits, in letters and digits.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// signUp adds an owner with its first boss. It is all or nothing.
func (a accounts) signUp(ctx context.Context, o owner, first account, password string, now time.Time) error {
	return within(ctx, a.db, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `INSERT INTO owners (id, business, name, representative, phone, created) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			o.ID, o.Business, o.Name, o.Representative, o.Phone, now.UnixMilli()))
		if err != nil {
			return fmt.Errorf("sign up: %w", err)
		}
		if n == 0 {
			return errBusinessTaken
		}
		return insert(ctx, tx, first, password, now)
	})
}

func insert(ctx context.Context, tx *sql.Tx, one account, password string, now time.Time) error {
	n, err := affected(tx.ExecContext(ctx, `INSERT INTO accounts (id, owner, login, name, role, password, created) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		one.ID, one.Owner, one.Login, one.Name, string(one.Role), password, now.UnixMilli()))
	if err != nil {
		return fmt.Errorf("add an account: %w", err)
	}
	if n == 0 {
		return errLoginTaken
	}
	return nil
}

// byLogin finds an account and its kept password; errNotFound if there is none.
func (a accounts) byLogin(ctx context.Context, login string) (one account, password string, err error) {
	var created int64
	err = a.db.QueryRowContext(ctx, `SELECT id, owner, login, name, role, password, created FROM accounts WHERE login = $1`, login).
		Scan(&one.ID, &one.Owner, &one.Login, &one.Name, &one.Role, &password, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, "", errNotFound
	}
	if err != nil {
		return account{}, "", fmt.Errorf("find an account: %w", err)
	}
	one.Created = time.UnixMilli(created)
	return one, password, nil
}

// of lists an owner's accounts: bosses first, then by name.
func (a accounts) of(ctx context.Context, owner string) ([]account, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, owner, login, name, role, created FROM accounts WHERE owner = $1 ORDER BY role, name, id`, owner)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var all []account
	for rows.Next() {
		var one account
		var created int64
		if err := rows.Scan(&one.ID, &one.Owner, &one.Login, &one.Name, &one.Role, &created); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		one.Created = time.UnixMilli(created)
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return all, nil
}

// one finds an owner's account; another owner's is errNotFound.
func (a accounts) one(ctx context.Context, owner, id string) (account, error) {
	all, err := a.of(ctx, owner)
	if err != nil {
		return account{}, err
	}
	for _, one := range all {
		if one.ID == id {
			return one, nil
		}
	}
	return account{}, errNotFound
}

// owner finds an owner; errNotFound if there is none.
func (a accounts) owner(ctx context.Context, id string) (o owner, err error) {
	var created int64
	err = a.db.QueryRowContext(ctx, `SELECT id, business, name, representative, phone, created FROM owners WHERE id = $1`, id).
		Scan(&o.ID, &o.Business, &o.Name, &o.Representative, &o.Phone, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return owner{}, errNotFound
	}
	if err != nil {
		return owner{}, fmt.Errorf("find an owner: %w", err)
	}
	o.Created = time.UnixMilli(created)
	return o, nil
}

// change writes an owner's name, representative and phone; the registration
// number stays.
func (a accounts) change(ctx context.Context, o owner) error {
	_, err := a.db.ExecContext(ctx, `UPDATE owners SET name = $1, representative = $2, phone = $3 WHERE id = $4`, o.Name, o.Representative, o.Phone, o.ID)
	if err != nil {
		return fmt.Errorf("change an owner: %w", err)
	}
	return nil
}

// setPassword replaces a password and ends every session and recovery link of
// the account, in one go.
func (a accounts) setPassword(ctx context.Context, id, password string) error {
	return within(ctx, a.db, func(tx *sql.Tx) error { return setPassword(ctx, tx, id, password) })
}

func setPassword(ctx context.Context, tx *sql.Tx, id, password string) error {
	n, err := affected(tx.ExecContext(ctx, `UPDATE accounts SET password = $1 WHERE id = $2`, password, id))
	if err != nil {
		return fmt.Errorf("set a password: %w", err)
	}
	if n == 0 {
		return errNotFound
	}
	return forget(ctx, tx, id)
}

// forget ends the sessions and recovery links of an account.
func forget(ctx context.Context, tx *sql.Tx, id string) error {
	for _, q := range []string{`DELETE FROM owner_sessions WHERE account = $1`, `DELETE FROM owner_links WHERE account = $1`} {
		if _, err := tx.ExecContext(ctx, q, id); err != nil {
			return fmt.Errorf("end the sessions of an account: %w", err)
		}
	}
	return nil
}

// rehash replaces the kept form of an unchanged password.
func (a accounts) rehash(ctx context.Context, id, old, password string) error {
	if _, err := a.db.ExecContext(ctx, `UPDATE accounts SET password = $1 WHERE id = $2 AND password = $3`, password, id, old); err != nil {
		return fmt.Errorf("renew a password's hash: %w", err)
	}
	return nil
}

// setRole makes an account boss or staff, and ends its sessions: what it may do
// has changed. An owner's last boss stays one (errNotFound).
func (a accounts) setRole(ctx context.Context, owner, id string, role Role) error {
	return within(ctx, a.db, func(tx *sql.Tx) error {
		if err := alone(ctx, tx, owner); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, `UPDATE accounts SET role = $1 WHERE owner = $2 AND id = $3
			AND (SELECT count(*) FROM accounts AS b WHERE b.owner = $2 AND b.role = 'boss' AND b.id <> $3) > 0`, string(role), owner, id))
		if err != nil {
			return fmt.Errorf("change a role: %w", err)
		}
		if n == 0 {
			return errNotFound
		}
		return forget(ctx, tx, id)
	})
}

// remove deletes an account with its sessions. An owner's last boss stays.
func (a accounts) remove(ctx context.Context, owner, id string) error {
	return within(ctx, a.db, func(tx *sql.Tx) error {
		if err := alone(ctx, tx, owner); err != nil {
			return err
		}
		if err := forget(ctx, tx, id); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM accounts WHERE owner = $1 AND id = $2
			AND (SELECT count(*) FROM accounts AS b WHERE b.owner = $1 AND b.role = 'boss' AND b.id <> $2) > 0`, owner, id))
		if err != nil {
			return fmt.Errorf("remove an account: %w", err)
		}
		if n == 0 {
			return errNotFound // and nothing is forgotten: the transaction is rolled back
		}
		return nil
	})
}

// alone lets one transaction at a time change who an owner's bosses are: two that
// demote each other must not both see the other still there. Writing the row
// locks it on either engine.
func alone(ctx context.Context, tx *sql.Tx, owner string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE owners SET id = id WHERE id = $1`, owner); err != nil {
		return fmt.Errorf("lock an owner: %w", err)
	}
	return nil
}

// within runs f in a transaction that ends with it, one way or the other.
func within(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
