package inquiry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/munjigi/munjigi/pass/trace"
)

var errUnknown = errors.New("there is no such inquiry, or it is closed")

// row is an inquiry as it lies in the table.
type row struct {
	id, officer              string
	state                    trace.State
	asked, until, erase      int64 // Unix milliseconds
	request, place, approval []byte
	report                   []byte
}

const columns = `id, officer, state, asked, until, erase, request, place, approval, report`

func (r *row) fields() []any {
	return []any{&r.id, &r.officer, &r.state, &r.asked, &r.until, &r.erase, &r.request, &r.place, &r.approval, &r.report}
}

// find reads one inquiry, closed ones too.
func (s *Server) find(ctx context.Context, id string) (*row, error) {
	r := &row{}
	err := s.DB.SQL().QueryRowContext(ctx, `SELECT `+columns+` FROM inquiries WHERE id = $1`, id).Scan(r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("read an inquiry: %w", err)
	}
	return r, nil
}

// open reads one inquiry that is not closed.
func (s *Server) open(ctx context.Context, id string) (*row, error) {
	r, err := s.find(ctx, id)
	if err == nil && r.state == trace.StateClosed {
		return nil, errUnknown
	}
	return r, err
}

// step does what f does and writes its line of the audit log in one
// transaction. f returns false where another request has been faster: then
// nothing is changed or written.
func (s *Server) step(ctx context.Context, kind string, body any, f func(tx *sql.Tx) (bool, error)) (done bool, err error) {
	tx, err := s.DB.SQL().BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", kind, err)
	}
	defer tx.Rollback() // a no-op behind Commit
	if done, err = f(tx); err != nil || !done {
		return false, err
	}
	if err := s.Audit.AppendTx(ctx, tx, kind, body); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("%s: %w", kind, err)
	}
	return true, nil
}

// one says whether a statement changed exactly one row.
func one(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// erase destroys all that is kept of an inquiry but that it was there, which
// stays until at so that its order cannot begin it a second time.
func erase(ctx context.Context, tx *sql.Tx, id string, at int64) (bool, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM inquiry_groups WHERE inquiry = $1`, id); err != nil {
		return false, err
	}
	return one(tx.ExecContext(ctx, `UPDATE inquiries SET state = $1, erase = $2, request = NULL, place = NULL, approval = NULL, report = NULL
		WHERE id = $3 AND state <> $1`, trace.StateClosed, at, id))
}

// counts are the groups of an inquiry and how many are answered.
func (s *Server) counts(ctx context.Context, id string) (groups, answers int, err error) {
	err = s.DB.SQL().QueryRowContext(ctx, `SELECT count(*), count(answer) FROM inquiry_groups WHERE inquiry = $1`, id).Scan(&groups, &answers)
	return groups, answers, err
}
