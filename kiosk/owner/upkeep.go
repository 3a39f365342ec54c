package owner

import (
	"net/http"
	"strings"
)

func (s *Server) state(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "state", s.Health())
}

// helping is what the page of help shows.
type helping struct {
	Version, Name, Port string
	Fingerprint         []string // pairs of digits
	Restart             bool
}

func (s *Server) help(w http.ResponseWriter, r *http.Request, v *visit) error {
	body := helping{Version: s.Version, Fingerprint: strings.Split(s.certificates.fingerprint(), ":"), Port: port(s), Restart: s.Restart != nil}
	if i := s.Who(); i != nil {
		body.Name = ownName(i.Kiosk)
	}
	return s.show(w, r, v, http.StatusOK, "help", body)
}

func (s *Server) restartForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.Restart == nil {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	return s.show(w, r, v, http.StatusOK, "restart", nil)
}

func (s *Server) restartNow(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.Restart == nil {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	s.Log.Info("a restart is asked for on the owner's page")
	err := s.show(w, r, v, http.StatusOK, "restarting", nil)
	s.Restart()
	return err
}
