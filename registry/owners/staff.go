package owners

import (
	"errors"
	"html/template"
	"net/http"
	"time"
)

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.show(w, r, v, http.StatusOK, "account", nil)
}

// changePassword asks for the present one, so that an unwatched browser does
// not suffice, and goes on under a fresh session.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx := r.Context()
	if same, err := s.presentPassword(w, r, v, "account", nil); err != nil || !same {
		return err
	}
	password, problems := s.passwordForm(r, v, v.account.Login, v.owner.Business)
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "account", nil, problems...)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.accounts.setPassword(ctx, v.account.ID, hash); err != nil {
		return err
	}
	return s.enter(w, r, v, v.account.ID, "/account?done=password")
}

// presentPassword says whether a form holds the password of who is signed in;
// where it does not, or too many were tried, the page has been shown again.
func (s *Server) presentPassword(w http.ResponseWriter, r *http.Request, v *visitor, page string, body any) (same bool, err error) {
	ctx := r.Context()
	var early WaitError
	if err := s.guard.try(ctx, loginByAccount, v.account.Login, s.Now()); errors.As(err, &early) {
		return false, s.tooEarly(w, r, v, page, body, early.Wait)
	} else if err != nil {
		return false, err
	}
	_, kept, err := s.accounts.byLogin(ctx, v.account.Login)
	if err != nil {
		return false, err
	}
	if same, _, err = s.hasher.verify(ctx, kept, r.PostFormValue("password")); err != nil {
		return false, err
	}
	if !same {
		return false, s.show(w, r, v, http.StatusUnprocessableEntity, page, body, problem{"password", v.words["problem.password"]})
	}
	return true, s.guard.succeeded(ctx, loginByAccount, v.account.Login)
}

func (s *Server) logoutEverywhere(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if err := s.sessions.endAll(r.Context(), v.account.ID); err != nil {
		return err
	}
	setCookie(w, "")
	http.Redirect(w, r, "/login?done=everywhere", http.StatusSeeOther)
	return nil
}

func (s *Server) changeBusiness(w http.ResponseWriter, r *http.Request, v *visitor) error {
	o, problems := s.businessForm(r, v)
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "account", nil, problems...)
	}
	o.ID = v.owner.ID
	if err := s.accounts.change(r.Context(), o); err != nil {
		return err
	}
	http.Redirect(w, r, "/account?done=business", http.StatusSeeOther)
	return nil
}

func (s *Server) staff(w http.ResponseWriter, r *http.Request, v *visitor) error {
	all, err := s.accounts.of(r.Context(), v.owner.ID)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "staff", all)
}

// linkPage is what linkmade.html shows: a link for somebody else, once.
type linkPage struct {
	Link    string
	QR      template.HTML
	Expires time.Time
	For     account // empty: an invitation
}

func (s *Server) inviteOffer(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.show(w, r, v, http.StatusOK, "linkoffer", account{})
}

func (s *Server) invite(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.handOut(w, r, v, inviteLink, account{}, InviteLife)
}

// colleague is the account in the address; one's own is not found there.
func (s *Server) colleague(r *http.Request, v *visitor) (account, error) {
	one, err := s.accounts.one(r.Context(), v.owner.ID, r.PathValue("account"))
	if err == nil && one.ID == v.account.ID {
		err = errNotFound
	}
	return one, err
}

func (s *Server) staffLinkForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	one, err := s.colleague(r, v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "linkoffer", one)
}

func (s *Server) staffLink(w http.ResponseWriter, r *http.Request, v *visitor) error {
	one, err := s.colleague(r, v)
	if err != nil {
		return err
	}
	return s.handOut(w, r, v, recoverLink, one, RecoverLife)
}

// handOut makes a link and shows it this once.
func (s *Server) handOut(w http.ResponseWriter, r *http.Request, v *visitor, kind linkKind, one account, life time.Duration) error {
	expires := s.Now().Add(life)
	token, err := s.links.make(r.Context(), kind, v.owner.ID, one.ID, expires)
	if err != nil {
		return err
	}
	page := linkPage{Link: s.Address + "/" + string(kind) + "/" + token, Expires: expires, For: one}
	if page.QR, err = drawQR(page.Link, v.words["linkmade.qr"]); err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "linkmade", page)
}

func (s *Server) changeRole(w http.ResponseWriter, r *http.Request, v *visitor) error {
	one, err := s.colleague(r, v)
	if err != nil {
		return err
	}
	role := Staff
	if one.Role == Staff {
		role = Boss
	}
	if want := Role(r.PostFormValue("role")); want != role {
		// The page was old, or a form was sent twice: what is wished for is so.
		http.Redirect(w, r, "/staff", http.StatusSeeOther)
		return nil
	}
	if err := s.accounts.setRole(r.Context(), v.owner.ID, one.ID, role); err != nil {
		return err
	}
	s.Log.Info("a role is changed", "account", one.ID, "role", role, "by", v.account.ID)
	http.Redirect(w, r, "/staff?done=role", http.StatusSeeOther)
	return nil
}

func (s *Server) removeStaff(w http.ResponseWriter, r *http.Request, v *visitor) error {
	one, err := s.colleague(r, v)
	if err != nil {
		return err
	}
	if err := s.accounts.remove(r.Context(), v.owner.ID, one.ID); err != nil {
		return err
	}
	s.Log.Info("an account is removed", "account", one.ID, "by", v.account.ID)
	http.Redirect(w, r, "/staff?done=removed", http.StatusSeeOther)
	return nil
}
