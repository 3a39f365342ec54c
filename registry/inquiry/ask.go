package inquiry

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/store"
)

// Kinds of lines this package writes into the audit log. None holds a pass id,
// a person, or an officer's free text.
const (
	KindAsked    = "inquiry-asked"
	KindApproved = "inquiry-approved"
	KindGrouped  = "inquiry-grouped"
	KindFetched  = "inquiry-fetched"
	KindAnswered = "inquiry-answered"
	KindClosed   = "inquiry-closed"
	KindExpired  = "inquiry-expired"
	KindErased   = "inquiry-erased"
)

// Line is what a line of the audit log says of an inquiry; each kind has some
// of it.
type Line struct {
	Inquiry  string     `json:"inquiry"`
	Case     string     `json:"case,omitempty"`
	Officer  string     `json:"officer,omitempty"`
	Facility string     `json:"facility,omitempty"`
	From     *time.Time `json:"from,omitempty"`
	To       *time.Time `json:"to,omitempty"`
	Roster   uint64     `json:"roster,omitempty"`   // number of the roster it was judged by
	Signed   []byte     `json:"signed,omitempty"`   // the officer's signed order or approval: proof against the roster
	Groups   []Count    `json:"groups,omitempty"`   // pass ids by group
	Lost     int        `json:"lost,omitempty"`     // visits of issuers that are not on the roster
	Issuer   string     `json:"issuer,omitempty"`   // who answered
	Group    string     `json:"group,omitempty"`    // digest of what it answered
	Unasked  int        `json:"unasked,omitempty"`  // groups that were never answered, at the end
	GoneTo   *time.Time `json:"gone_to,omitempty"`  // visits before it were destroyed already
	Answers  int        `json:"answers,omitempty"`  // at the end
	Approver string     `json:"approver,omitempty"` // of what was grouped
}

// Count is one group and how many pass ids it holds.
type Count struct {
	Issuer string `json:"issuer"`
	Group  string `json:"group"`
	Passes int    `json:"passes"`
}

// gone is the first instant whose visits are still there.
func gone(now time.Time) time.Time { return (store.DayOf(now) - store.Days + 1).Midnight() }

// ask takes a request.
func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	raw, err := body(w, r, trace.MaxRequest)
	if err != nil {
		s.fail(w, "ask", err)
		return
	}
	id, fresh, err := s.begin(r.Context(), raw)
	if err != nil {
		s.fail(w, "ask", err)
		return
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Inquiry string `json:"inquiry"`
	}{id})
}

func (s *Server) begin(ctx context.Context, raw []byte) (id string, fresh bool, err error) {
	roster, us, err := s.us()
	if err != nil {
		return "", false, err
	}
	now := s.Now()
	o, place, err := roster.OpenRequest(us, raw, now)
	if err != nil {
		return "", false, err
	}
	id = o.Digest().String()
	switch had, err := s.find(ctx, id); {
	case err == nil && had.state == trace.StateClosed:
		return "", false, errUnknown
	case err == nil:
		return id, false, nil
	case err != errUnknown:
		return "", false, err
	}
	if !o.To.After(gone(now)) {
		return "", false, errGone
	}
	var asks, there int
	if err := s.DB.SQL().QueryRowContext(ctx, `SELECT count(*) FROM inquiries WHERE officer = $1 AND asked > $2`,
		o.Officer, now.Add(-24*time.Hour).UnixMilli()).Scan(&asks); err != nil {
		return "", false, err
	}
	if asks >= MaxAsks {
		return "", false, errAsks
	}
	if err := s.DB.SQL().QueryRowContext(ctx, `SELECT count(*) FROM facilities WHERE id = $1`, place.Facility).Scan(&there); err != nil {
		return "", false, err
	}
	if there == 0 {
		return "", false, errFacility
	}
	kept, err := place.Encode()
	if err != nil {
		return "", false, err
	}
	line := Line{
		Inquiry: id, Case: o.Case, Officer: o.Officer, Facility: place.Facility, From: &o.From, To: &o.To,
		Roster: roster.Number(), Signed: o.Raw(),
	}
	until := o.Expires().UnixMilli()
	fresh, err = s.step(ctx, KindAsked, line, func(tx *sql.Tx) (bool, error) {
		return one(tx.ExecContext(ctx, `INSERT INTO inquiries (id, officer, state, asked, until, erase, request, place)
			VALUES ($1, $2, $3, $4, $5, $5, $6, $7) ON CONFLICT DO NOTHING`,
			id, o.Officer, trace.StateAsked, now.UnixMilli(), until, o.Raw(), kept))
	})
	if fresh {
		s.Log.Info("inquiry asked", "inquiry", id, "officer", o.Officer)
	}
	return id, fresh, err
}

// list answers an officer with what waits for an approval, and with what the
// officer has asked or approved.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	raw, err := s.listing(r)
	if err != nil {
		s.fail(w, "list", err)
		return
	}
	send(w, raw)
}

func (s *Server) listing(r *http.Request) ([]byte, error) {
	roster, us, err := s.us()
	if err != nil {
		return nil, err
	}
	officer, call, err := s.caller(r, roster)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	rows, err := s.DB.SQL().QueryContext(r.Context(), `SELECT `+columns+` FROM inquiries
		WHERE state <> $1 AND erase > $2 ORDER BY asked DESC`, trace.StateClosed, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []row
	for rows.Next() && len(found) < trace.MaxListing {
		var q row
		if err := rows.Scan(q.fields()...); err != nil {
			return nil, err
		}
		if q.state == trace.StateAsked || q.officer == officer.ID || s.approver(roster, &q, now) == officer.ID {
			found = append(found, q)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	var entries []trace.Entry
	for _, q := range found {
		place, err := trace.DecodePlace(q.place)
		if err != nil {
			return nil, err
		}
		e := trace.Entry{Order: q.request, Place: place, State: q.state, Approval: q.approval}
		if e.Groups, e.Answers, err = s.counts(r.Context(), q.id); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return us.SealListing(officer, call, entries, now)
}

// approver is who approved an inquiry, empty where nobody (who is still an
// officer) did.
func (s *Server) approver(roster *trace.Roster, q *row, now time.Time) string {
	if len(q.approval) == 0 {
		return ""
	}
	w, err := roster.OpenWarrant(q.request, q.approval, now)
	if err != nil {
		return ""
	}
	return w.Approver
}

// facilities finds the ids of facilities by a part of their name, for officers.
func (s *Server) facilities(w http.ResponseWriter, r *http.Request) {
	type facility struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
	all := []facility{}
	err := func() error {
		roster, _, err := s.us()
		if err != nil {
			return err
		}
		if _, _, err := s.caller(r, roster); err != nil {
			return err
		}
		escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
		rows, err := s.DB.SQL().QueryContext(r.Context(), `SELECT id, name, kind FROM facilities
			WHERE lower(name) LIKE lower($1) ESCAPE '\' OR id = $2 ORDER BY name, id LIMIT 50`,
			"%"+escape.Replace(r.URL.Query().Get("name"))+"%", r.URL.Query().Get("name"))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f facility
			if err := rows.Scan(&f.ID, &f.Name, &f.Kind); err != nil {
				return err
			}
			all = append(all, f)
		}
		return rows.Err()
	}()
	if err != nil {
		s.fail(w, "find a facility", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
}

// roster serves the authority's roster. It is public: ids and keys.
func (s *Server) roster(w http.ResponseWriter, _ *http.Request) {
	r := s.Rosters.Roster()
	if r == nil {
		s.fail(w, "roster", errNoRoster)
		return
	}
	send(w, r.Raw())
}
