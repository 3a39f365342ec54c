package registry

import (
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/munjigi/munjigi/registry/store"
)

// counts answers GET /v1/counts?facility=…&day=YYYY-MM-DD with the visits of
// each hour. Without facility all are counted, without day today.
func (s *Server) counts(w http.ResponseWriter, r *http.Request) {
	q, ok := s.query(w, r)
	if !ok {
		return
	}
	reply(w, struct {
		Facility string      `json:"facility"`
		Day      string      `json:"day"`
		Zone     string      `json:"zone"`
		Total    int         `json:"total"`
		Hours    store.Hours `json:"hours"`
	}{q.facility, q.midnight.Format(time.DateOnly), "Asia/Seoul", q.hours.Total(), q.hours})
}

type query struct {
	facility string
	midnight time.Time
	hours    store.Hours
}

func (s *Server) query(w http.ResponseWriter, r *http.Request) (query, bool) {
	q := query{facility: r.FormValue("facility")}
	if q.facility != "" && !slices.Contains(s.facilities(), q.facility) {
		problem(w, http.StatusNotFound, "no kiosk is registered for this facility")
		return q, false
	}
	year, month, day := s.Now().In(store.Seoul).Date()
	q.midnight = time.Date(year, month, day, 0, 0, 0, 0, store.Seoul)
	if text := r.FormValue("day"); text != "" {
		var err error
		if q.midnight, err = time.ParseInLocation(time.DateOnly, text, store.Seoul); err != nil {
			problem(w, http.StatusBadRequest, "day is written YYYY-MM-DD")
			return q, false
		}
	}
	for _, facility := range s.facilities() {
		if q.facility != "" && facility != q.facility {
			continue
		}
		hours, err := s.Store.Hours(r.Context(), facility, store.DayOf(q.midnight))
		if err != nil {
			s.Log.Error("visits are not counted", "error", err)
			problem(w, http.StatusServiceUnavailable, "the visits could not be counted: try again later")
			return q, false
		}
		for h, n := range hours {
			q.hours[h] += n
		}
	}
	return q, true
}

// facilities lists the facilities that have a kiosk, each once, sorted.
func (s *Server) facilities() []string {
	all := make([]string, 0, len(s.Kiosks))
	for _, k := range s.Kiosks {
		all = append(all, k.Facility)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

//go:embed counts.html
var countsHTML string

//go:embed counts.css
var countsCSS []byte

var countsPage = template.Must(template.New("counts").Parse(countsHTML))

// bar is one hour of the picture, in the picture's units.
type bar struct {
	Hour, Count    int
	X, Y, Height   int
	Label, Current bool
	Most           bool
}

const (
	barStep   = 30  // from one bar to the next
	barHeight = 300 // of the highest bar
)

// page draws the counts of a day: numbers only, no pass, no person.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	q, ok := s.query(w, r)
	if !ok {
		return
	}
	now := s.Now().In(store.Seoul)
	today := now.Format(time.DateOnly)
	day := q.midnight.Format(time.DateOnly)
	most := max(1, slices.Max(q.hours[:]))
	bars := make([]bar, len(q.hours))
	for h, n := range q.hours {
		height := n * barHeight / most
		if n > 0 {
			height = max(height, 2)
		}
		bars[h] = bar{Hour: h, Count: n, X: h * barStep, Y: barHeight - height, Height: height, Label: h%3 == 0, Current: day == today && h == now.Hour(), Most: n == most}
	}
	next := q.midnight.AddDate(0, 0, 1).Format(time.DateOnly)
	if day >= today {
		next = ""
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	err := countsPage.Execute(w, map[string]any{
		"Facility": q.facility, "Facilities": s.facilities(), "Day": day, "Today": today, "IsToday": day == today,
		"Previous": q.midnight.AddDate(0, 0, -1).Format(time.DateOnly), "Next": next,
		"Total": q.hours.Total(), "Most": most, "Bars": bars, "Hour": now.Hour(), "Now": now.Format("15:04"),
		"ThisHour": q.hours[now.Hour()], "Days": store.Days,
	})
	if err != nil {
		s.Log.Debug("the counts page is not delivered", "error", err)
	}
}

func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(countsCSS)
}
