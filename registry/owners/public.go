package owners

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/munjigi/munjigi/registry/rate"
)

var (
	loginName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{3,31}$`)
	mailName  = regexp.MustCompile(`^[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// normal is the form of a login that is kept and compared.
func normal(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// checkLogin says whether a login may be used: an e-mail address, or 4 to 32 of
// a–z, 0–9, dot, hyphen and underscore.
func checkLogin(login string) bool {
	return len(login) <= 254 && (loginName.MatchString(login) || mailName.MatchString(login))
}

// plain cleans a name that people typed; empty when it is none: of 1 to 60
// characters, without control characters or what turns writing around.
func plain(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if n := utf8.RuneCountInString(text); n == 0 || n > 60 || !utf8.ValidString(text) {
		return ""
	}
	for _, c := range text {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return ""
		}
	}
	return text
}

// tooEarly answers a try that comes while a delay lasts.
func (s *Server) tooEarly(w http.ResponseWriter, r *http.Request, v *visitor, page string, body any, wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	text := v.words.say("problem.wait_seconds", "n", seconds)
	if seconds > 90 {
		text = v.words.say("problem.wait_minutes", "n", (seconds+59)/60)
	}
	return s.show(w, r, v, http.StatusTooManyRequests, page, body, problem{"", text})
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if v.session != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return s.show(w, r, v, http.StatusOK, "login", nil)
}

// login signs somebody in. Whether there is such an account shows neither in
// the answer nor in its delays nor in the work done for it.
func (s *Server) login(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx, now := r.Context(), s.Now()
	login, from := normal(r.PostFormValue("login")), rate.Origin(r.RemoteAddr)
	for _, at := range []struct {
		limit limit
		at    string
	}{{loginByAddress, from}, {loginByAccount, login}} {
		var early WaitError
		if err := s.guard.try(ctx, at.limit, at.at, now); errors.As(err, &early) {
			s.Log.Warn("logins are delayed", "limit", at.limit.name)
			return s.tooEarly(w, r, v, "login", nil, early.Wait)
		} else if err != nil {
			return err
		}
	}
	one, kept, err := s.accounts.byLogin(ctx, login)
	if err != nil && !errors.Is(err, errNotFound) {
		return err
	}
	ok, stale, err := s.hasher.verify(ctx, kept, r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if !ok {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "login", nil, problem{"", v.words["problem.login"]})
	}
	if stale {
		if renewed, err := s.hasher.hash(ctx, r.PostFormValue("password")); err == nil {
			if err := s.accounts.rehash(ctx, one.ID, kept, renewed); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(s.guard.succeeded(ctx, loginByAccount, login), s.guard.succeeded(ctx, loginByAddress, from)); err != nil {
		return err
	}
	return s.enter(w, r, v, one.ID, "/")
}

// enter signs an account in under a fresh session and goes on to a page of
// ours. The session the browser brought, if any, ends.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, v *visitor, account, page string) error {
	if v.session != "" {
		if err := s.sessions.end(r.Context(), v.session); err != nil {
			return err
		}
	}
	if err := s.sessions.start(r.Context(), w, account, s.Now()); err != nil {
		return err
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
	return nil
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if v.session != "" {
		if err := s.sessions.end(r.Context(), v.session); err != nil {
			return err
		}
	}
	setCookie(w, "")
	http.Redirect(w, r, "/login?done=left", http.StatusSeeOther)
	return nil
}

func (s *Server) signupForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.show(w, r, v, http.StatusOK, "signup", nil)
}

// signup makes an owner with its first boss, and signs the boss in.
func (s *Server) signup(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx, now := r.Context(), s.Now()
	o, problems := s.businessForm(r, v)
	business, err := Business(r.PostFormValue("business"))
	if err != nil {
		problems = append(problems, problem{"business", v.words["problem.business"]})
	}
	one, password, more := s.accountForm(r, v, business)
	problems = append(problems, more...)
	if r.PostFormValue("agree") != "yes" {
		problems = append(problems, problem{"agree", v.words["problem.agree"]})
	}
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "signup", nil, problems...)
	}
	var early WaitError
	if err := s.guard.try(ctx, signupAddress, rate.Origin(r.RemoteAddr), now); errors.As(err, &early) {
		return s.tooEarly(w, r, v, "signup", nil, early.Wait)
	} else if err != nil {
		return err
	}
	o.ID, o.Business = newID(), business
	one.ID, one.Owner, one.Role = newID(), o.ID, Boss
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	switch err := s.accounts.signUp(ctx, o, one, hash, now); {
	case errors.Is(err, errBusinessTaken):
		return s.show(w, r, v, http.StatusUnprocessableEntity, "signup", nil, problem{"business", v.words["problem.business_taken"]})
	case errors.Is(err, errLoginTaken):
		return s.show(w, r, v, http.StatusUnprocessableEntity, "signup", nil, problem{"login", v.words["problem.login_taken"]})
	case err != nil:
		return err
	}
	s.Log.Info("an owner has signed up", "owner", o.ID)
	return s.enter(w, r, v, one.ID, "/")
}

// businessForm reads what an owner may change about the business.
func (s *Server) businessForm(r *http.Request, v *visitor) (o owner, problems []problem) {
	o.Name, o.Representative = plain(r.PostFormValue("name")), plain(r.PostFormValue("representative"))
	if o.Name == "" {
		problems = append(problems, problem{"name", v.words["problem.name"]})
	}
	if o.Representative == "" {
		problems = append(problems, problem{"representative", v.words["problem.person"]})
	}
	var err error
	if o.Phone, err = Phone(r.PostFormValue("phone")); err != nil {
		problems = append(problems, problem{"phone", v.words["problem.phone"]})
	}
	return o, problems
}

// accountForm reads a new account: who, login and password.
func (s *Server) accountForm(r *http.Request, v *visitor, known ...string) (one account, password string, problems []problem) {
	one.Name, one.Login = plain(r.PostFormValue("person")), normal(r.PostFormValue("login"))
	if one.Name == "" {
		problems = append(problems, problem{"person", v.words["problem.person"]})
	}
	if !checkLogin(one.Login) {
		problems = append(problems, problem{"login", v.words["problem.login_form"]})
	}
	password, more := s.passwordForm(r, v, append(known, one.Login)...)
	return one, password, append(problems, more...)
}

func (s *Server) passwordForm(r *http.Request, v *visitor, known ...string) (string, []problem) {
	password := r.PostFormValue("new-password")
	switch err := checkPassword(password, known...); {
	case errors.Is(err, errCommon):
		return "", []problem{{"new-password", v.words["problem.password_common"]}}
	case errors.Is(err, errLong):
		return "", []problem{{"new-password", v.words.say("problem.password_long", "n", maxPassword)}}
	case err != nil:
		return "", []problem{{"new-password", v.words.say("problem.password_short", "n", minPassword)}}
	}
	return password, nil
}

func (s *Server) recoverForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return s.show(w, r, v, http.StatusOK, "recover", false)
}

// recover sends a one-time link, where there is such an account. The answer is
// the same where there is none, and is given before anything is looked up.
func (s *Server) recover(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx, now, login := r.Context(), s.Now(), normal(r.PostFormValue("login"))
	if login == "" {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "recover", false, problem{"login", v.words["problem.login_form"]})
	}
	var early WaitError
	if err := s.guard.try(ctx, recoverAddress, rate.Origin(r.RemoteAddr), now); errors.As(err, &early) {
		return s.tooEarly(w, r, v, "recover", false, early.Wait)
	} else if err != nil {
		return err
	}
	s.later(func(ctx context.Context) {
		if err := s.sendRecovery(ctx, v.words, login, now); err != nil {
			s.Log.Error("a recovery link is not made", "error", err)
		}
	})
	return s.show(w, r, v, http.StatusOK, "recover", true)
}

func (s *Server) sendRecovery(ctx context.Context, w words, login string, now time.Time) error {
	one, _, err := s.accounts.byLogin(ctx, login)
	if errors.Is(err, errNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var early WaitError
	if err := s.guard.try(ctx, recoverAccount, login, now); errors.As(err, &early) {
		return nil // so that nobody fills another's letter-box
	} else if err != nil {
		return err
	}
	o, err := s.accounts.owner(ctx, one.Owner)
	if err != nil {
		return err
	}
	token, err := s.links.make(ctx, recoverLink, one.Owner, one.ID, now.Add(RecoverLife))
	if err != nil {
		return err
	}
	s.send(ctx, Mail{
		To: address(login), Phone: o.Phone, Subject: w["mail.recover_subject"],
		Text: w.say("mail.recover", "business", o.Name, "login", login, "link", s.Address+"/recover/"+token, "minutes", int(RecoverLife/time.Minute)),
	})
	return nil
}

// openLink finds the link in an address. Guessing at links is slowed down,
// though nobody guesses 256 bits.
func (s *Server) openLink(r *http.Request, kind linkKind) (link, error) {
	found, err := s.links.look(r.Context(), kind, r.PathValue("token"), s.Now())
	if errors.Is(err, errNotFound) {
		if err := s.guard.try(r.Context(), linkAddress, rate.Origin(r.RemoteAddr), s.Now()); err != nil && !errors.As(err, new(WaitError)) {
			return link{}, err
		}
	}
	return found, err
}

// spent answers a link that is used up.
func (s *Server) spent(w http.ResponseWriter, r *http.Request, v *visitor, err error) error {
	if !errors.Is(err, errNotFound) {
		return err
	}
	return s.show(w, r, v, http.StatusGone, "spent", nil)
}

// resetForm does not use the link up: programs that look at mails open links.
func (s *Server) resetForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if _, err := s.openLink(r, recoverLink); err != nil {
		return s.spent(w, r, v, err)
	}
	return s.show(w, r, v, http.StatusOK, "reset", nil)
}

// reset sets a new password, ends every session of the account and asks for
// the password at once, so that it is known to work.
func (s *Server) reset(w http.ResponseWriter, r *http.Request, v *visitor) error {
	found, err := s.openLink(r, recoverLink)
	if err != nil {
		return s.spent(w, r, v, err)
	}
	one, err := s.accounts.one(r.Context(), found.Owner, found.Account)
	if err != nil {
		return s.spent(w, r, v, err)
	}
	password, problems := s.passwordForm(r, v, one.Login)
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "reset", nil, problems...)
	}
	hash, err := s.hasher.hash(r.Context(), password)
	if err != nil {
		return err
	}
	err = s.links.use(r.Context(), found, func(tx *sql.Tx) error { return setPassword(r.Context(), tx, one.ID, hash) })
	if err != nil {
		return s.spent(w, r, v, err)
	}
	if err := s.guard.succeeded(r.Context(), loginByAccount, one.Login); err != nil {
		return err
	}
	s.Log.Info("a password is set by a recovery link", "account", one.ID)
	http.Redirect(w, r, "/login?done=recovered", http.StatusSeeOther)
	return nil
}

func (s *Server) inviteForm(w http.ResponseWriter, r *http.Request, v *visitor) error {
	found, err := s.openLink(r, inviteLink)
	if err != nil {
		return s.spent(w, r, v, err)
	}
	o, err := s.accounts.owner(r.Context(), found.Owner)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "invite", o)
}

// takeInvite makes the staff account an invitation is for.
func (s *Server) takeInvite(w http.ResponseWriter, r *http.Request, v *visitor) error {
	found, err := s.openLink(r, inviteLink)
	if err != nil {
		return s.spent(w, r, v, err)
	}
	o, err := s.accounts.owner(r.Context(), found.Owner)
	if err != nil {
		return err
	}
	one, password, problems := s.accountForm(r, v, o.Business)
	if len(problems) > 0 {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "invite", o, problems...)
	}
	hash, err := s.hasher.hash(r.Context(), password)
	if err != nil {
		return err
	}
	one.ID, one.Owner, one.Role = newID(), found.Owner, Staff
	err = s.links.use(r.Context(), found, func(tx *sql.Tx) error { return insert(r.Context(), tx, one, hash, s.Now()) })
	if errors.Is(err, errLoginTaken) {
		return s.show(w, r, v, http.StatusUnprocessableEntity, "invite", o, problem{"login", v.words["problem.login_taken"]})
	}
	if err != nil {
		return s.spent(w, r, v, err)
	}
	return s.enter(w, r, v, one.ID, "/?done=joined")
}
