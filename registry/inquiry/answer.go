package inquiry

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/munjigi/munjigi/pass/trace"
)

// letters hands the officer who asked a page of what belongs to the inquiry.
func (s *Server) letters(w http.ResponseWriter, r *http.Request) {
	page, err := s.page(r)
	if err != nil {
		s.fail(w, "fetch", err)
		return
	}
	send(w, page)
}

func (s *Server) page(r *http.Request) ([]byte, error) {
	roster, _, err := s.us()
	if err != nil {
		return nil, err
	}
	officer, _, err := s.caller(r, roster)
	if err != nil {
		return nil, err
	}
	ctx, id := r.Context(), r.PathValue("id")
	if err := s.group(ctx, id); err != nil { // where it failed behind the approval
		return nil, err
	}
	q, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if q.officer != officer.ID {
		return nil, errNotYours
	}
	from := 0
	if text := r.URL.Query().Get("from"); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from < 0 || from > trace.MaxGroups {
			return nil, errUnknown
		}
	}
	page := trace.Page{Report: q.report}
	rows, err := s.DB.SQL().QueryContext(ctx, `SELECT issuer, sealed, sheet, answer FROM inquiry_groups
		WHERE inquiry = $1 AND part >= $2 AND part < $3 ORDER BY part`, id, from, from+trace.PageSize)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l trace.Letters
		if err := rows.Scan(&l.Issuer, &l.Group, &l.Sheet, &l.Answer); err != nil {
			return nil, err
		}
		page.Groups = append(page.Groups, l)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	if err := s.Audit.Append(ctx, KindFetched, Line{Inquiry: id, Officer: officer.ID}); err != nil {
		return nil, err
	}
	return page.Encode()
}

// answer keeps an issuer's answer, which nobody but the officer who asked can
// open, and erases the group it answers.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	raw, err := body(w, r, trace.MaxMessage)
	if err == nil {
		err = s.deposit(r.Context(), r.PathValue("id"), raw)
	}
	if err != nil {
		s.fail(w, "answer", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) deposit(ctx context.Context, id string, raw []byte) error {
	roster := s.Rosters.Roster()
	if roster == nil {
		return errNoRoster
	}
	now := s.Now()
	issuer, officer, group, err := roster.CheckAnswer(raw, now)
	if err != nil {
		return err
	}
	q, err := s.open(ctx, id)
	switch {
	case err != nil:
		return err
	case officer != q.officer:
		return trace.ErrRecipient
	case now.UnixMilli() >= q.until:
		return trace.ErrExpired
	}
	var known int
	if err := s.DB.SQL().QueryRowContext(ctx, `SELECT count(*) FROM inquiry_groups WHERE inquiry = $1 AND issuer = $2 AND digest = $3`,
		id, issuer, group.String()).Scan(&known); err != nil {
		return err
	}
	if known == 0 {
		return errGroup
	}
	line := Line{Inquiry: id, Issuer: issuer, Group: group.String()}
	_, err = s.step(ctx, KindAnswered, line, func(tx *sql.Tx) (bool, error) {
		// The first answer stays: a second changes nothing.
		done, err := one(tx.ExecContext(ctx, `UPDATE inquiry_groups SET answer = $1, sealed = NULL WHERE inquiry = $2 AND issuer = $3 AND digest = $4 AND answer IS NULL`,
			raw, id, issuer, group.String()))
		if err != nil || !done {
			return false, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE inquiries SET state = $1 WHERE id = $2 AND state = $3
			AND NOT EXISTS (SELECT 1 FROM inquiry_groups WHERE inquiry = $2 AND answer IS NULL)`,
			trace.StateAnswered, id, trace.StateGrouped)
		return err == nil, err
	})
	return err
}

// close erases an inquiry at the word of who asked.
func (s *Server) close(w http.ResponseWriter, r *http.Request) {
	if err := s.closed(r); err != nil {
		s.fail(w, "close", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) closed(r *http.Request) error {
	roster, _, err := s.us()
	if err != nil {
		return err
	}
	officer, _, err := s.caller(r, roster)
	if err != nil {
		return err
	}
	q, err := s.find(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		return err
	case q.officer != officer.ID:
		return errNotYours
	case q.state == trace.StateClosed:
		return nil
	}
	return s.end(r.Context(), q, KindClosed, officer.ID)
}

// end erases what is kept of an inquiry, with the line that says so.
func (s *Server) end(ctx context.Context, q *row, kind, officer string) error {
	groups, answers, err := s.counts(ctx, q.id)
	if err != nil {
		return err
	}
	// An order can begin an inquiry for a day: so long its name is remembered.
	remember := time.UnixMilli(q.asked).Add(trace.ApproveWithin + trace.Skew).UnixMilli()
	done, err := s.step(ctx, kind, Line{Inquiry: q.id, Officer: officer, Answers: answers, Unasked: groups - answers}, func(tx *sql.Tx) (bool, error) {
		return erase(ctx, tx, q.id, remember)
	})
	if done {
		s.Log.Info("inquiry erased", "inquiry", q.id, "kind", kind)
	}
	return err
}

// Sweep erases what has had its time: orders nobody approved within a day,
// pass ids nobody answered for in time, inquiries past Keep. It groups what was
// approved and could not be grouped then.
func (s *Server) Sweep(ctx context.Context) error {
	now := s.Now()
	ms := now.UnixMilli()
	var past, waiting []row
	rows, err := s.DB.SQL().QueryContext(ctx, `SELECT `+columns+` FROM inquiries WHERE state <> $1 ORDER BY id`, trace.StateClosed)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var q row
		if err := rows.Scan(q.fields()...); err != nil {
			return err
		}
		if q.erase <= ms {
			past = append(past, q)
		} else if q.state == trace.StateApproved || q.state == trace.StateGrouped {
			waiting = append(waiting, q)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, q := range past {
		kind := KindErased
		if q.state == trace.StateAsked {
			kind = KindExpired
		}
		if err := s.end(ctx, &q, kind, ""); err != nil {
			return err
		}
	}
	for _, q := range waiting {
		if err := s.wait(ctx, &q, ms); err != nil {
			s.Log.Error("an inquiry cannot go on", "inquiry", q.id, "error", err)
		}
	}
	_, err = s.DB.SQL().ExecContext(ctx, `DELETE FROM inquiries WHERE state = $1 AND erase <= $2`, trace.StateClosed, ms)
	return err
}

// wait looks after an inquiry between its approval and its last answer.
func (s *Server) wait(ctx context.Context, q *row, ms int64) error {
	if q.state == trace.StateApproved {
		return s.group(ctx, q.id)
	}
	if ms < q.until {
		return nil
	}
	_, err := s.DB.SQL().ExecContext(ctx, `UPDATE inquiry_groups SET sealed = NULL WHERE inquiry = $1 AND sealed IS NOT NULL`, q.id)
	return err
}
