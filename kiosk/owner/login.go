package owner

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// welcome is the log-in page.
type welcome struct {
	NoPassword bool
	Others     []string // other kiosks' names in this network
	Name       string   // our own
	Port       string
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.signedIn {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return s.showLogin(w, r, v, http.StatusOK)
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, v *visit, status int) error {
	k, err := s.password.load()
	body := welcome{NoPassword: err != nil || k.hash == "", Others: s.names.Others(), Port: port(s)}
	if i := s.Who(); i != nil {
		body.Name = ownName(i.Kiosk)
	}
	return s.show(w, r, v, status, "login", body)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := s.password.load()
	if err != nil {
		return err
	}
	from := k.guesser(r)
	if wait := s.guard.try(from); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		v.problem = v.words.say("login.wait", "time", v.words.duration(wait))
		return s.showLogin(w, r, v, http.StatusTooManyRequests)
	}
	select {
	case s.hashes <- struct{}{}:
		defer func() { <-s.hashes }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	ok, err := k.fits(r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if !ok {
		s.Log.Warn("a wrong password at the owner's page", "from", address(r.RemoteAddr).String())
		v.problem = v.words.say("login.wrong")
		return s.showLogin(w, r, v, http.StatusForbidden)
	}
	s.guard.succeeded(from)
	s.sessions.end(r)
	s.sessions.start(w, k.hash)
	k.remember(w, r)
	s.Log.Info("the owner has logged in", "from", address(r.RemoteAddr).String())
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.signedIn {
		s.endAim()
	}
	s.sessions.end(r)
	setCookie(w, "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func (s *Server) passwordForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "password", nil)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	refuse := func(status int, key string, values ...any) error {
		v.problem = v.words.say(key, values...)
		return s.show(w, r, v, status, "password", nil)
	}
	// Who has found an open page guesses here no faster than at the log-in.
	k, err := s.password.load()
	if err != nil {
		return err
	}
	from := k.guesser(r)
	if wait := s.guard.try(from); wait > 0 {
		return refuse(http.StatusTooManyRequests, "login.wait", "time", v.words.duration(wait))
	}
	select {
	case s.hashes <- struct{}{}:
		defer func() { <-s.hashes }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	if ok, err := k.fits(r.PostFormValue("present")); err != nil {
		return err
	} else if !ok {
		return refuse(http.StatusForbidden, "password.wrong")
	}
	s.guard.succeeded(from)
	fresh := r.PostFormValue("password")
	switch err := checkNew(fresh); {
	case errors.Is(err, errShort):
		return refuse(http.StatusBadRequest, "password.short", "n", minPassword)
	case errors.Is(err, errLong):
		return refuse(http.StatusBadRequest, "password.long")
	case err != nil:
		return refuse(http.StatusBadRequest, "password.simple")
	}
	if err := s.password.keep(fresh, chosen); err != nil {
		return err
	}
	if k, err = s.password.load(); err != nil {
		return err
	}
	s.sessions.start(w, k.hash) // all others have ended with the old one
	k.remember(w, r)
	s.Log.Info("the owner's password was changed")
	return back(w, r, "/help", "password")
}
