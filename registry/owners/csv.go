package owners

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"github.com/munjigi/munjigi/registry/store"
)

// sendCSV answers with a table for a spreadsheet: UTF-8 with a mark, which
// Excel needs to see Korean. The file's name is made of our own letters only.
func sendCSV(w http.ResponseWriter, name string, rows [][]string) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Write([]byte("\ufeff"))
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = cellText(cell)
		}
		if err := out.Write(safe); err != nil {
			return nil // the browser has gone
		}
	}
	out.Flush()
	return nil
}

// cellText makes sure that a spreadsheet does not take a name for a formula:
// OWASP, CSV Injection.
func cellText(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

func (s *Server) hoursCSV(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	day, _, err := s.dayOf(r)
	if err != nil {
		return err
	}
	hours, err := s.Visits.Hours(r.Context(), f.ID, day)
	if err != nil {
		return err
	}
	rows := [][]string{{v.words["csv.branch"], v.words["csv.day"], v.words["csv.hour"], v.words["csv.visits"]}}
	for h, n := range hours {
		rows = append(rows, []string{f.Name, day.String(), strconv.Itoa(h), strconv.Itoa(n)})
	}
	return sendCSV(w, "visits-"+day.String()+".csv", rows)
}

func (s *Server) daysCSV(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	today := store.DayOf(s.Now())
	days, err := s.days(r.Context(), today, f)
	if err != nil {
		return err
	}
	rows := [][]string{{v.words["csv.branch"], v.words["csv.day"], v.words["csv.visits"]}}
	for _, d := range days {
		rows = append(rows, []string{f.Name, d.Day.String(), strconv.Itoa(d.Count)})
	}
	return sendCSV(w, "visits-14-days-"+today.String()+".csv", rows)
}
