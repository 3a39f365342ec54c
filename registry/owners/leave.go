package owners

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// errKiosksRun is returned for a business that leaves while its doors go on.
var errKiosksRun = errors.New("kiosks of this business are not revoked yet")

// leave deletes an account with its sessions and links. With an owner's last
// boss the business goes too: all its people, its data and its unused enrolment
// codes. Its branches stay without an owner for 28 days, since visits
// name them. errKiosksRun if a kiosk of theirs could go on.
func (a accounts) leave(ctx context.Context, owner, id string, now time.Time) error {
	return within(ctx, a.db, func(tx *sql.Tx) error {
		if err := alone(ctx, tx, owner); err != nil {
			return err
		}
		last, err := lastBoss(ctx, tx, owner, id)
		if err != nil {
			return err
		}
		if !last {
			if err := forget(ctx, tx, id); err != nil {
				return err
			}
			return closing(ctx, tx, `DELETE FROM accounts WHERE owner = $1 AND id = $2`, owner, id)
		}
		// No code may make a kiosk of theirs behind the count.
		if err := closing(ctx, tx, `UPDATE codes SET secret = NULL WHERE facility IN (SELECT id FROM facilities WHERE owner = $1)`, owner); err != nil {
			return err
		}
		var running int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM kiosks WHERE revoked IS NULL AND facility IN (SELECT id FROM facilities WHERE owner = $1)`, owner).Scan(&running); err != nil {
			return fmt.Errorf("count the kiosks: %w", err)
		}
		if running > 0 {
			return errKiosksRun
		}
		for _, query := range []string{
			`DELETE FROM branch_hours WHERE facility IN (SELECT id FROM facilities WHERE owner = $1)`,
			`DELETE FROM owner_links WHERE owner = $1`,
			`DELETE FROM owner_sessions WHERE account IN (SELECT id FROM accounts WHERE owner = $1)`,
			`DELETE FROM accounts WHERE owner = $1`,
			`DELETE FROM owners WHERE id = $1`,
		} {
			if err := closing(ctx, tx, query, owner); err != nil {
				return err
			}
		}
		return closing(ctx, tx, `UPDATE facilities SET owner = '', closed = $2 WHERE owner = $1`, owner, now.UnixMilli())
	})
}

func closing(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("delete an account: %w", err)
	}
	return nil
}

// querier is a database or a transaction of it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// lastBoss says whether an owner has no boss but this one.
func lastBoss(ctx context.Context, db querier, owner, id string) (bool, error) {
	var others int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM accounts WHERE owner = $1 AND role = 'boss' AND id <> $2`, owner, id).Scan(&others)
	if err != nil {
		return false, fmt.Errorf("count the bosses: %w", err)
	}
	return others == 0, nil
}

// leavePage is what leave.html shows.
type leavePage struct {
	Last   bool         // the business goes too
	Kiosks []kioskPlace // that have to be revoked before
}

type kioskPlace struct{ Branch, Door, Link string }

func (s *Server) leavePage(ctx context.Context, v *visitor) (page leavePage, err error) {
	if page.Last, err = lastBoss(ctx, s.DB, v.owner.ID, v.account.ID); err != nil || !page.Last {
		return page, err
	}
	all, err := s.Devices.FacilitiesOf(ctx, v.owner.ID)
	if err != nil {
		return page, err
	}
	for _, f := range all {
		kiosks, err := s.Devices.KiosksOf(ctx, f.ID)
		if err != nil {
			return page, err
		}
		for _, k := range kiosks {
			if k.Revoked.IsZero() {
				page.Kiosks = append(page.Kiosks, kioskPlace{f.Name, k.Name, "/branches/" + f.ID + "/kiosks/" + k.ID + "/revoke"})
			}
		}
	}
	return page, nil
}

func (s *Server) leaveForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, err := s.leavePage(r.Context(), v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "leave", page)
}

// leave deletes one's own account, by one's own password.
func (s *Server) leave(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx := r.Context()
	page, err := s.leavePage(ctx, v)
	if err != nil {
		return err
	}
	if same, err := s.presentPassword(w, r, v, "leave", page); err != nil || !same {
		return err
	}
	switch err := s.accounts.leave(ctx, v.owner.ID, v.account.ID, s.Now()); {
	case errors.Is(err, errKiosksRun):
		return s.show(w, r, v, http.StatusConflict, "leave", page)
	case err != nil:
		return err
	}
	s.Log.Info("an account is deleted by its own person", "account", v.account.ID, "business", page.Last)
	setCookie(w, "")
	http.Redirect(w, r, "/login?done=deleted", http.StatusSeeOther)
	return nil
}
