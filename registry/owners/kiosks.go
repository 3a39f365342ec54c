package owners

import (
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
