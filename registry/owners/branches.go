package owners

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// daysShown is how many days the picture by day has: two weeks.
const daysShown = 14

// homePage is what home.html shows.
type homePage struct {
	Branches []summary
	Total    int
	Today    store.Day
	Hours    chart
	Days     chart
	Alerts   []alert
}

// alert is a kiosk that somebody should look at.
type alert struct {
	Facility devices.Facility
	Kiosk    kioskView
	Finding  finding
}

func (s *Server) home(w http.ResponseWriter, r *http.Request, v *visitor) error {
	today := store.DayOf(s.Now())
	facilities, err := s.Devices.FacilitiesOf(r.Context(), v.owner.ID)
	if err != nil {
		return err
	}
	page := homePage{Today: today}
	var hours store.Hours
	for _, f := range facilities {
		sum, err := s.summarise(r.Context(), v, f, today)
		if err != nil {
			return err
		}
		page.Branches = append(page.Branches, sum)
		page.Total += sum.Total
		for h, n := range sum.Hours {
			hours[h] += n
		}
		page.Alerts = append(page.Alerts, alerts(sum)...)
	}
	worstFirst(page.Alerts)
	days, err := s.days(r.Context(), today, facilities...)
	if err != nil {
		return err
	}
	page.Hours, page.Days = hoursChart(v.words, today, hours, s.Now().In(store.Seoul).Hour()), daysChart(v.words, days, today)
	return s.show(w, r, v, http.StatusOK, "home", page)
}

// alerts are a branch's kiosks that need somebody, each with what is worst.
func alerts(sum summary) (all []alert) {
	for _, k := range sum.Kiosks {
		if k.Health.Level > good && len(k.Health.Findings) > 0 {
			all = append(all, alert{sum.Facility, k, k.Health.Findings[0]})
		}
	}
	return all
}

func worstFirst(all []alert) {
	slices.SortStableFunc(all, func(a, b alert) int { return int(b.Finding.Level) - int(a.Finding.Level) })
}

// days counts the visits of facilities for each of the days up to last.
func (s *Server) days(ctx context.Context, last store.Day, facilities ...devices.Facility) ([]dayCount, error) {
	all := make([]dayCount, daysShown)
	first := last - daysShown + 1
	for i := range all {
		all[i].Day = first + store.Day(i)
	}
	for _, f := range facilities {
		counts, err := s.Visits.Daily(ctx, f.ID, first, daysShown)
		if err != nil {
			return nil, err
		}
		for i, n := range counts {
			all[i].Count += n
		}
	}
	return all, nil
}

// branchPage is what branch.html shows.
type branchPage struct {
	summary
	Day, Today     store.Day
	Previous, Next store.Day // 0: there is none
	Hours          chart
	HourRows       []hourRow
	Days           chart
	DayRows        []dayCount
	Alerts         []alert
	Told           hours // when its owner wants to be told of silent kiosks
}

type hourRow struct{ Hour, Count int }

// dayOf is the day asked for by ?day=: today at the latest, and none that is
// gone.
func (s *Server) dayOf(r *http.Request) (day, today store.Day, err error) {
	today = store.DayOf(s.Now())
	text := r.URL.Query().Get("day")
	if text == "" {
		return today, today, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, store.Seoul)
	if day = store.DayOf(t); err != nil || day > today || day <= today-store.Days {
		return today, today, errNotFound
	}
	return day, today, nil
}

func (s *Server) branch(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	page, err := s.branchPage(r, v, f)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "branch", page)
}

func (s *Server) branchPage(r *http.Request, v *visitor, f devices.Facility) (page branchPage, err error) {
	if page.Day, page.Today, err = s.dayOf(r); err != nil {
		return page, err
	}
	if page.summary, err = s.summarise(r.Context(), v, f, page.Day); err != nil {
		return page, err
	}
	current := -1
	if page.Day == page.Today {
		current = s.Now().In(store.Seoul).Hour()
	} else {
		page.Next = page.Day + 1
	}
	if previous := page.Day - 1; previous > page.Today-store.Days {
		page.Previous = previous
	}
	page.Hours = hoursChart(v.words, page.Day, page.summary.Hours, current)
	for h, n := range page.summary.Hours {
		page.HourRows = append(page.HourRows, hourRow{h, n})
	}
	if page.DayRows, err = s.days(r.Context(), page.Today, f); err != nil {
		return page, err
	}
	page.Days = daysChart(v.words, page.DayRows, page.Today)
	page.Alerts = alerts(page.summary)
	worstFirst(page.Alerts)
	page.Told, err = s.accounts.hoursOf(r.Context(), f.ID)
	return page, err
}

// branchForm offers a new branch.
func (s *Server) branchForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.show(w, r, v, http.StatusOK, "newbranch", s.kinds())
}

// maxBranches keeps one owner from filling the registry.
const maxBranches = 500

func (s *Server) addBranch(w http.ResponseWriter, r *http.Request, v *visitor) error {
	var problems []problem
	name, kind := plain(r.PostFormValue("name")), r.PostFormValue("kind")
	if wire.CheckName(name) != nil {
		problems = append(problems, problem{"name", v.words["problem.name"]})
	}
	if !slices.Contains(s.kinds(), kind) {
		problems = append(problems, problem{"kind", v.words["problem.kind"]})
	}
	all, err := s.Devices.FacilitiesOf(r.Context(), v.owner.ID)
	if err != nil {
		return err
	}
	if len(all) >= maxBranches {
		problems = append(problems, problem{"", v.words.say("problem.branches", "n", maxBranches)})
	}
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "newbranch", s.kinds(), problems...)
	}
	f, err := s.Devices.AddFacility(r.Context(), name, kind, v.owner.ID, s.Now())
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/branches/"+f.ID+"?done=branch", http.StatusSeeOther)
	return nil
}

func (s *Server) renameBranch(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	name := plain(r.PostFormValue("name"))
	if wire.CheckName(name) != nil {
		page, err := s.branchPage(r, v, f)
		if err != nil {
			return err
		}
		return s.show(w, r, v, http.StatusUnprocessableEntity, "branch", page, problem{"name", v.words["problem.name"]})
	}
	if err := s.accounts.rename(r.Context(), v.owner.ID, f.ID, name); err != nil {
		return err
	}
	http.Redirect(w, r, "/branches/"+f.ID+"?done=renamed", http.StatusSeeOther)
	return nil
}

// proofPage is what an inspector is shown.
type proofPage struct {
	summary
	Days int
}

func (s *Server) proof(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	sum, err := s.summarise(r.Context(), v, f, store.DayOf(s.Now()))
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "proof", proofPage{sum, store.Days})
}

// paperRows are the lines of the paper form: as many as one A4 page takes.
const paperRows = 18

// paper is the form to write on by hand when no kiosk works.
func (s *Server) paper(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, err := s.facility(r, v)
	if err != nil {
		return err
	}
	rows := make([]int, paperRows)
	for i := range rows {
		rows[i] = i + 1
	}
	return s.show(w, r, v, http.StatusOK, "paper", struct {
		devices.Facility
		Rows []int
		Days int
	}{f, rows, store.Days})
}
