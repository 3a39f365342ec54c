package owner

import (
	"net/http"
	"slices"

	"github.com/munjigi/munjigi/display"
)

// today is the day's counts, and what somebody should look at.
type today struct {
	Day    day
	Chart  chart
	Days   []day // of the days before, newest first, those on which anybody came
	Alerts []Condition
	Aiming bool
}

const daysBack = 13

func (s *Server) today(w http.ResponseWriter, r *http.Request, v *visit) error {
	now := s.Today()
	d, err := readDay(s.Counts, dayOf(now))
	if err != nil {
		return err
	}
	body := today{Day: d, Chart: draw(v.words, d, now.In(seoul).Hour()), Alerts: s.alerts(), Aiming: s.aim.on.Load()}
	for i := 1; i <= daysBack; i++ {
		before, err := readDay(s.Counts, d.Date.AddDate(0, 0, -i))
		if err != nil {
			return err
		}
		if before.Total()+before.TotalStaff() > 0 {
			body.Days = append(body.Days, before)
		}
	}
	return s.show(w, r, v, http.StatusOK, "today", body)
}

// alerts are what somebody should look at, the worst first.
func (s *Server) alerts() (out []Condition) {
	for _, c := range s.Health() {
		if c.Level >= display.Warn {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Condition) int { return int(b.Level) - int(a.Level) })
	return out
}
