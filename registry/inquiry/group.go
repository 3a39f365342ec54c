package inquiry

import (
	"bytes"
	"context"
	"database/sql"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
)

// approve takes the second officer's word and groups the pass ids.
func (s *Server) approve(w http.ResponseWriter, r *http.Request) {
	raw, err := body(w, r, trace.MaxRequest)
	if err == nil {
		err = s.approved(r.Context(), r.PathValue("id"), raw)
	}
	if err == nil {
		err = s.group(r.Context(), r.PathValue("id"))
	}
	if err != nil {
		s.fail(w, "approve", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) approved(ctx context.Context, id string, raw []byte) error {
	roster, _, err := s.us()
	if err != nil {
		return err
	}
	q, err := s.open(ctx, id)
	if err != nil {
		return err
	}
	now := s.Now()
	warrant, err := roster.OpenWarrant(q.request, raw, now)
	switch {
	case err != nil:
		return err
	case bytes.Equal(q.approval, raw):
		return nil // the same again: its answer was lost
	case q.state != trace.StateAsked:
		return errTaken
	case now.UnixMilli() >= q.until:
		return trace.ErrExpired
	}
	line := Line{Inquiry: id, Officer: warrant.Approver, Roster: roster.Number(), Signed: raw}
	done, err := s.step(ctx, KindApproved, line, func(tx *sql.Tx) (bool, error) {
		return one(tx.ExecContext(ctx, `UPDATE inquiries SET state = $1, approval = $2, until = $3, erase = $4 WHERE id = $5 AND state = $6`,
			trace.StateApproved, raw, groupsUntil(warrant, now).UnixMilli(), now.Add(Keep).UnixMilli(), id, trace.StateAsked))
	})
	if err == nil && !done {
		return errTaken
	}
	if err == nil {
		s.Log.Info("inquiry approved", "inquiry", id, "officer", warrant.Approver)
	}
	return err
}

// letters are the sealed results of a grouping.
type letters struct {
	state  trace.State
	report []byte
	groups []sealed
	line   Line
}

type sealed struct {
	issuer, digest string
	group, sheet   []byte
}

// group opens the pass ids of an approved inquiry and seals them at once to
// their issuers; in the clear they are nowhere but here. Called again, it does
// nothing.
func (s *Server) group(ctx context.Context, id string) error {
	q, err := s.open(ctx, id)
	if err != nil || q.state != trace.StateApproved {
		return err
	}
	l, err := s.sealLetters(ctx, q)
	if err != nil {
		return err
	}
	done, err := s.step(ctx, KindGrouped, l.line, func(tx *sql.Tx) (bool, error) {
		done, err := one(tx.ExecContext(ctx, `UPDATE inquiries SET state = $1, report = $2 WHERE id = $3 AND state = $4`,
			l.state, l.report, id, trace.StateApproved))
		if err != nil || !done {
			return false, err
		}
		for part, g := range l.groups {
			if _, err := tx.ExecContext(ctx, `INSERT INTO inquiry_groups (inquiry, part, issuer, digest, sealed, sheet) VALUES ($1, $2, $3, $4, $5, $6)`,
				id, part, g.issuer, g.digest, g.group, g.sheet); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if done {
		s.Log.Info("inquiry grouped", "inquiry", id, "groups", len(l.groups))
	}
	return err
}

func (s *Server) sealLetters(ctx context.Context, q *row) (*letters, error) {
	roster, us, err := s.us()
	if err != nil {
		return nil, err
	}
	now := s.Now()
	w, err := roster.OpenWarrant(q.request, q.approval, now)
	if err != nil {
		return nil, err
	}
	place, err := trace.DecodePlace(q.place)
	if err != nil {
		return nil, err
	}
	if err := w.Holds(place); err != nil {
		return nil, err
	}
	officer, err := roster.Officer(w.Officer, now)
	if err != nil {
		return nil, err
	}
	// A day whose key is destroyed cannot be opened: it is past, and said to be.
	from, kept := w.From, gone(now)
	if from.Before(kept) {
		from = kept
	}
	var visits []store.Visit
	if from.Before(w.To) {
		if visits, err = s.DB.Visits(ctx, place.Facility, from, w.To); err != nil {
			return nil, err
		}
	}
	l := &letters{state: trace.StateAnswered}
	l.line = Line{Inquiry: q.id, Officer: w.Officer, Approver: w.Approver, Roster: roster.Number()}
	if w.From.Before(kept) {
		l.line.GoneTo = &kept
	}
	report := trace.Report{Since: kept.Unix()}
	all := byIssuer(visits)
	for _, issuer := range slices.Sorted(maps.Keys(all)) {
		seen := all[issuer]
		to, err := roster.Issuer(issuer, now)
		if err != nil {
			for _, v := range seen {
				report.Lost += len(v)
			}
			continue
		}
		ids := slices.SortedFunc(maps.Keys(seen), func(a, b pass.ID) int { return bytes.Compare(a[:], b[:]) })
		for chunk := range slices.Chunk(ids, trace.MaxPasses) {
			group, err := us.SealGroup(to, w, chunk, now)
			if err != nil {
				return nil, err
			}
			digest := trace.DigestOf(group)
			sheet := trace.Sheet{Issuer: issuer, Group: digest, Seen: make([][]trace.Seen, len(chunk))}
			for n, id := range chunk {
				sheet.Seen[n] = seen[id]
			}
			sealedSheet, err := us.SealSheet(officer, w, sheet, now)
			if err != nil {
				return nil, err
			}
			l.groups = append(l.groups, sealed{issuer, digest.String(), group, sealedSheet})
			l.line.Groups = append(l.line.Groups, Count{issuer, digest.String(), len(chunk)})
			report.Groups = append(report.Groups, trace.GroupRef{Issuer: issuer, Group: digest[:], Passes: len(chunk)})
			l.state = trace.StateGrouped
		}
	}
	l.line.Lost = report.Lost
	l.report, err = us.SealReport(officer, w, report, now)
	return l, err
}

// byIssuer puts the visits of each pass together.
func byIssuer(visits []store.Visit) map[string]map[pass.ID][]trace.Seen {
	all := map[string]map[pass.ID][]trace.Seen{}
	for _, v := range visits {
		if all[v.Issuer] == nil {
			all[v.Issuer] = map[pass.ID][]trace.Seen{}
		}
		seen := trace.Seen{At: v.Scanned.UnixMilli()}
		if v.Flags&wire.FlagClockUnsure != 0 {
			seen.Flags |= trace.FlagClockUnsure
		}
		if v.Relayed {
			seen.Flags |= trace.FlagRelayed
		}
		all[v.Issuer][v.ID] = append(all[v.Issuer][v.ID], seen)
	}
	return all
}

// groupsUntil is when sealed pass ids are erased, answered or not: at the latest
// on the day on which the first of those visits themselves are.
func groupsUntil(w *trace.Warrant, now time.Time) time.Time {
	from := w.From
	if kept := gone(now); from.Before(kept) {
		from = kept
	}
	until, day := w.Until(), (store.DayOf(from) + store.Days).Midnight()
	if day.Before(until) {
		return day
	}
	return until
}
