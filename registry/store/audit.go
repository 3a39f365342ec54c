package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

// auditType is the content type of a line of the audit log: a COSE_Sign1
// (RFC 9052) by the registry's receipt key.
const auditType = "application/munjigi-audit+cbor"

// line is the payload of a line.
type line struct {
	_    struct{} `cbor:",toarray"`
	Seq  int64    // 1, 2, 3 …
	Prev []byte   // SHA-256 of the line before, 32 zero bytes for the first
	At   int64    // Unix milliseconds, the registry's clock
	Kind string
	Body []byte // JSON
}

// Audit appends to the audit log, which proves what the registry did: what it
// destroyed, and which investigation saw what. Each line is signed and holds
// the digest of the line before, so that none can be changed, taken out or put
// in between unseen. (Lines taken off the end are seen by whoever noted the
// Head of an earlier verification.)
type Audit struct {
	db  *DB
	key ed25519.PrivateKey
	now func() time.Time
}

// NewAudit returns the log of db, whose lines key signs.
func NewAudit(db *DB, key ed25519.PrivateKey, now func() time.Time) *Audit {
	return &Audit{db: db, key: key, now: now}
}

// Append adds a line. kind says in a word what body, encoded as JSON, is about;
// neither may hold a pass id or a person.
func (a *Audit) Append(ctx context.Context, kind string, body any) error {
	tx, err := a.db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	defer tx.Rollback()
	if err := a.AppendTx(ctx, tx, kind, body); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

// AppendTx adds a line within tx, so that a deed and its line are there both or
// neither. Until tx ends other appends wait.
func (a *Audit) AppendTx(ctx context.Context, tx *sql.Tx, kind string, body any) error {
	if err := a.append(ctx, tx, kind, body); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

func (a *Audit) append(ctx context.Context, tx *sql.Tx, kind string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if err := a.db.lockTx(ctx, tx, lockAudit); err != nil {
		return err
	}
	l := line{Prev: make([]byte, sha256.Size), At: a.now().UnixMilli(), Kind: kind, Body: text}
	var last []byte
	err = tx.QueryRowContext(ctx, `SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&l.Seq, &last)
	switch {
	case err == nil:
		sum := sha256.Sum256(last)
		l.Prev = sum[:]
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	l.Seq++
	signed, err := cose.SignTyped(a.key, auditType, l)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (seq, line) VALUES ($1, $2)`, l.Seq, signed)
	return err
}

// Entry is a verified line of the audit log.
type Entry struct {
	Seq  int64
	At   time.Time
	Kind string
	Body json.RawMessage
}

// Head is the end of the audit log as it was verified: note it, and what is
// verified later must still hold it.
type Head struct {
	Seq    int64
	Digest [sha256.Size]byte // of the last line
}

// BrokenError names the first line of the audit log that does not fit.
type BrokenError struct {
	Seq int64
	Err error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the audit log breaks at line %d: %s", e.Seq, e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Verify walks the whole audit log: every line signed by one of keys, none
// missing, none changed. each, where it is not nil, is handed every line in
// order. The error is a *BrokenError where the log itself is at fault.
func (db *DB) Verify(ctx context.Context, keys []ed25519.PublicKey, each func(Entry) error) (Head, error) {
	var head Head
	rows, err := db.sql.QueryContext(ctx, `SELECT seq, line FROM audit ORDER BY seq`)
	if err != nil {
		return head, fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var raw []byte
		if err := rows.Scan(&seq, &raw); err != nil {
			return head, fmt.Errorf("read the audit log: %w", err)
		}
		l, err := head.follow(seq, raw, keys)
		if err != nil {
			return head, &BrokenError{head.Seq + 1, err}
		}
		head = Head{seq, sha256.Sum256(raw)}
		if each == nil {
			continue
		}
		if err := each(Entry{seq, time.UnixMilli(l.At).UTC(), l.Kind, l.Body}); err != nil {
			return head, err
		}
	}
	if err := rows.Err(); err != nil {
		return head, fmt.Errorf("read the audit log: %w", err)
	}
	return head, nil
}

// follow opens the line that follows the head.
func (h Head) follow(seq int64, raw []byte, keys []ed25519.PublicKey) (l line, err error) {
	if seq != h.Seq+1 {
		return l, fmt.Errorf("it is missing, the next is %d", seq)
	}
	if err := cose.OpenTyped(raw, auditType, keys, &l); err != nil {
		return l, err
	}
	if l.Seq != seq {
		return l, fmt.Errorf("it was signed as line %d", l.Seq)
	}
	if !bytes.Equal(l.Prev, h.Digest[:]) {
		return l, errors.New("it does not follow the line before it")
	}
	return l, nil
}
