package owners

import (
	"context"
	"encoding/csv"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass"
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

// kioskPage is what kiosk.html shows.
type kioskPage struct {
	Facility devices.Facility
	Kiosk    kioskView
}

func (s *Server) kioskView(r *http.Request, v *visitor) (page kioskPage, err error) {
	var k devices.Kiosk
	if page.Facility, k, err = s.device(r, v); err != nil {
		return page, err
	}
	sum, err := s.summarise(r.Context(), v, page.Facility, store.DayOf(s.Now()))
	if err != nil {
		return page, err
	}
	for _, one := range slices.Concat(sum.Kiosks, sum.Old) {
		if one.ID == k.ID {
			page.Kiosk = one
		}
	}
	return page, nil
}

func (s *Server) kiosk(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, err := s.kioskView(r, v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "kiosk", page)
}

func (s *Server) revokeForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, err := s.kioskView(r, v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "revoke", page)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f, k, err := s.device(r, v)
	if err != nil {
		return err
	}
	if err := s.Devices.Revoke(r.Context(), k.ID, s.Now()); err != nil {
		return err
	}
	s.Log.Info("a kiosk is revoked by its owner", "kiosk", k.ID, "by", v.account.ID)
	http.Redirect(w, r, "/branches/"+f.ID+"?done=revoked", http.StatusSeeOther)
	return nil
}

// codeLives are how long an enrolment code may live.
var codeLives = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// codePage is what codeoffer.html and code.html show.
type codePage struct {
	Facility devices.Facility
	Replace  *kioskView // the device that is replaced; nil: a new kiosk
	Lives    []int      // hours
	Door     string     // its name; may be empty
	Text     string
	QR       template.HTML
	Expires  time.Time
	Words    []string
	Off      bool // the kind's mode keeps no visit now
}

func (s *Server) codePage(r *http.Request, v *visitor) (page codePage, err error) {
	page = codePage{Words: s.Devices.Words()}
	for _, l := range codeLives {
		page.Lives = append(page.Lives, int(l/time.Hour))
	}
	if r.PathValue("kiosk") == "" {
		page.Facility, err = s.facility(r, v)
	} else {
		var one kioskPage
		one, err = s.kioskView(r, v)
		page.Facility, page.Replace = one.Facility, &one.Kiosk
	}
	mode, _ := s.policy(page.Facility.Kind)
	page.Off = err == nil && mode == pass.ModeOff
	return page, err
}

func (s *Server) codeForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, err := s.codePage(r, v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "codeoffer", page)
}

// code makes an enrolment code and shows it this once.
func (s *Server) code(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, err := s.codePage(r, v)
	if err != nil {
		return err
	}
	hours, err := strconv.Atoi(r.PostFormValue("hours"))
	if err != nil || !slices.Contains(page.Lives, hours) {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "codeoffer", page, problem{"hours", v.words["problem.hours"]})
	}
	if strings.TrimSpace(r.PostFormValue("door")) != "" {
		if page.Door = plain(r.PostFormValue("door")); wire.CheckName(page.Door) != nil {
			return s.show(w, r, v, http.StatusUnprocessableEntity, "codeoffer", page, problem{"door", v.words["problem.name"]})
		}
	}
	replace := ""
	if page.Replace != nil {
		replace, page.Door = page.Replace.ID, page.Replace.Name
	}
	text, made, err := s.Devices.NewCode(r.Context(), page.Facility.ID, page.Door, replace, time.Duration(hours)*time.Hour, s.Now())
	if err != nil {
		return err
	}
	page.Text, page.Expires = text, time.Unix(made.Expires, 0)
	if page.QR, err = drawQR(text, v.words["code.qr"]); err != nil {
		return err
	}
	s.Log.Info("an enrolment code is made by an owner", "facility", page.Facility.ID, "by", v.account.ID)
	return s.show(w, r, v, http.StatusOK, "code", page)
}
