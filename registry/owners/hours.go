package owners

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/registry/store"
)

// hours are when a branch wants to be told of silent kiosks: from opening until
// closing, which may lie after midnight. The zero value is always.
type hours struct{ opens, closes int } // minutes from midnight in Seoul

// settle is how long after opening nobody is told: kiosks are being switched on.
const settle = 15 * time.Minute

// readHours reads two times of day as a browser writes them, 09:00; both empty
// is always.
func readHours(opens, closes string) (hours, error) {
	if opens == "" && closes == "" {
		return hours{}, nil
	}
	a, err := time.Parse("15:04", opens)
	b, err2 := time.Parse("15:04", closes)
	if err := errors.Join(err, err2); err != nil || a.Equal(b) {
		return hours{}, errors.New("opening hours are two times of day, such as 09:00 and 22:00, or none")
	}
	return hours{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// always says whether no hours are set.
func (h hours) always() bool { return h.opens == h.closes }

// Opens and Closes are the times of day as a browser reads them.
func (h hours) Opens() string  { return h.text(h.opens) }
func (h hours) Closes() string { return h.text(h.closes) }

func (h hours) text(minutes int) string {
	if h.always() {
		return ""
	}
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

// wants says whether a branch is to be told at now.
func (h hours) wants(now time.Time) bool {
	if h.always() {
		return true
	}
	const day = 24 * 60
	now = now.In(store.Seoul)
	since := (now.Hour()*60 + now.Minute() - h.opens + day) % day
	return since >= int(settle/time.Minute) && since < (h.closes-h.opens+day)%day
}

// hoursOf are a branch's hours.
func (a accounts) hoursOf(ctx context.Context, facility string) (h hours, err error) {
	err = a.db.QueryRowContext(ctx, `SELECT opens, closes FROM branch_hours WHERE facility = $1`, facility).Scan(&h.opens, &h.closes)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return hours{}, fmt.Errorf("read a branch's hours: %w", err)
	}
	return h, nil
}

func (a accounts) setHours(ctx context.Context, facility string, h hours) error {
	_, err := a.db.ExecContext(ctx, `INSERT INTO branch_hours (facility, opens, closes) VALUES ($1, $2, $3)
		ON CONFLICT (facility) DO UPDATE SET opens = excluded.opens, closes = excluded.closes`, facility, h.opens, h.closes)
	if err != nil {
		return fmt.Errorf("set a branch's hours: %w", err)
	}
	return nil
}

func (s *Server) setHours(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	h, err := readHours(r.PostFormValue("opens"), r.PostFormValue("closes"))
	if err != nil {
		page, err := s.branchPage(r, v, f)
		if err != nil {
			return err
		}
		return s.show(w, r, v, http.StatusUnprocessableEntity, "branch", page, problem{"opens", v.words["problem.opening"]})
	}
	if err := s.accounts.setHours(r.Context(), f.ID, h); err != nil {
		return err
	}
	http.Redirect(w, r, "/branches/"+f.ID+"?done=hours", http.StatusSeeOther)
	return nil
}
