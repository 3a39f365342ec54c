package owners

import (
	"context"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/registry/devices"
)

// silence is a kiosk that has fallen silent or is back.
type silence struct {
	kiosk, door, facility, branch string
	owner                         owner
	since                         time.Time // its last heartbeat
	hours                         hours     // of the branch
}

const silenceColumns = `SELECT k.id, k.name, f.id, f.name, COALESCE(k.seen, k.enrolled), o.id, o.name, o.phone, COALESCE(h.opens, 0), COALESCE(h.closes, 0)
	FROM kiosks AS k JOIN facilities AS f ON f.id = k.facility JOIN owners AS o ON o.id = f.owner
	LEFT JOIN owner_silences AS s ON s.kiosk = k.id LEFT JOIN branch_hours AS h ON h.facility = f.id `

// watch tells owners of kiosks that have fallen silent, once per silence, and
// again when they are back; not while the branch is closed. Of several processes the one that writes the row
// sends the mail; a mail that gets lost after that is on the home page still.
func (s *Server) watch(ctx context.Context, now time.Time) error {
	fallen, err := s.silences(ctx, silenceColumns+`WHERE k.revoked IS NULL AND s.kiosk IS NULL AND COALESCE(k.seen, k.enrolled) < $1`, now.Add(-devices.Silence).UnixMilli())
	if err != nil {
		return err
	}
	for _, k := range fallen {
		if !k.hours.wants(now) {
			continue // it is looked at again when the branch opens
		}
		if err := s.fell(ctx, k); err != nil {
			return err
		}
	}
	back, err := s.silences(ctx, silenceColumns+`WHERE s.kiosk IS NOT NULL AND (k.revoked IS NOT NULL OR COALESCE(k.seen, k.enrolled) >= $1)`, now.Add(-devices.Silence).UnixMilli())
	if err != nil {
		return err
	}
	for _, k := range back {
		if err := s.came(ctx, k, now); err != nil {
			return err
		}
	}
	return nil
}

// fell notes a silence and tells of it, unless another process just has.
func (s *Server) fell(ctx context.Context, k silence) error {
	n, err := affected(s.DB.ExecContext(ctx, `INSERT INTO owner_silences (kiosk, since) VALUES ($1, $2) ON CONFLICT DO NOTHING`, k.kiosk, k.since.UnixMilli()))
	if err != nil {
		return fmt.Errorf("note a silent kiosk: %w", err)
	}
	if n == 1 {
		s.tell(k, "silent")
	}
	return nil
}

// came notes that a silence is over and tells of it, unless another process
// just has.
func (s *Server) came(ctx context.Context, k silence, now time.Time) error {
	n, err := affected(s.DB.ExecContext(ctx, `DELETE FROM owner_silences WHERE kiosk = $1`, k.kiosk))
	if err != nil {
		return fmt.Errorf("note a kiosk that is back: %w", err)
	}
	if n == 1 && !now.After(k.since.Add(devices.Silence)) { // otherwise it was revoked, and its owner knows
		s.tell(k, "back")
	}
	return nil
}

func (s *Server) silences(ctx context.Context, query string, args ...any) ([]silence, error) {
	rows, err := s.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look for silent kiosks: %w", err)
	}
	defer rows.Close()
	var all []silence
	for rows.Next() {
		var k silence
		var since int64
		if err := rows.Scan(&k.kiosk, &k.door, &k.facility, &k.branch, &since, &k.owner.ID, &k.owner.Name, &k.owner.Phone, &k.hours.opens, &k.hours.closes); err != nil {
			return nil, fmt.Errorf("look for silent kiosks: %w", err)
		}
		k.since = time.UnixMilli(since)
		all = append(all, k)
	}
	return all, rows.Err()
}

// tell sends a mail about a kiosk to each of its owner's bosses, in Korean with
// English below it.
func (s *Server) tell(k silence, what string) {
	s.Log.Info("an owner is told of a kiosk", "kiosk", k.kiosk, "what", what)
	s.later(func(ctx context.Context) {
		all, err := s.accounts.of(ctx, k.owner.ID)
		if err != nil {
			s.Log.Error("an owner is not told of a kiosk", "kiosk", k.kiosk, "error", err)
			return
		}
		for _, one := range all {
			if one.Role != Boss {
				continue
			}
			m := Mail{To: address(one.Login), Phone: k.owner.Phone}
			for _, lang := range languages {
				w := s.pages.words[lang]
				door := k.door
				if door == "" {
					door = w["kiosk.one"]
				}
				values := []any{"branch", k.branch, "door", door, "since", w.moment(k.since), "link", s.Address + "/branches/" + k.facility}
				if m.Subject == "" {
					m.Subject = w.say("mail."+what+"_subject", values...)
				} else {
					m.Text += "\n\n"
				}
				m.Text += w.say("mail."+what, values...)
			}
			s.send(ctx, m)
		}
	})
}
