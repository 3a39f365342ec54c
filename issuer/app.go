package issuer

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
)

// The PASS app and the mOTP app are pages of this server, with a cookie of
// their own, so that the whole way can be walked with two browser windows. An
// app is shown like a brand; its account opens by PIN.

var apps = map[identity.App]*Brand{
	identity.PassApp: {ID: "app-pass", Name: "PASS 앱", NameEN: "PASS app", Color: "#c8102e", Ink: "#ffffff", Methods: []string{"sms"}},
	identity.OTPApp:  {ID: "app-motp", Name: "mOTP 앱", NameEN: "mOTP app", Color: "#2b4a8b", Ink: "#ffffff", Methods: []string{"sms", "pass"}},
}

// appActions are those that only the apps have.
var appActions = map[string]action{
	"register": {"", (*call).register, true},
	"open":     {"", (*call).openApp, true},
	"close":    {"", (*call).closeApp, true},
	"renew":    {"", (*call).renew, true},
	"pin":      {"pin", (*call).changePIN, true},
	"answer":   {"", (*call).answerRequest, true},
	"number":   {"", (*call).findNumber, true},
}

// register makes the account of a verified identity with a new PIN. It also
// opens a locked one, and moves one to a new name or number.
func (c *call) register(in url.Values) error {
	if c.visit.Found == nil {
		return nil
	}
	if in.Get("pin") != in.Get("again") {
		return refuse(http.StatusUnprocessableEntity, "err_pin_app")
	}
	ctx, old := c.r.Context(), c.visit.Account
	account, err := c.s.accounts.Register(ctx, c.now, c.app, *c.visit.Found, in.Get("pin"))
	if err != nil {
		if err == identity.ErrForm {
			return refuse(http.StatusUnprocessableEntity, "err_pin_app")
		}
		return err
	}
	if old != nil && string(old) != string(account) {
		if err := c.s.accounts.Remove(ctx, c.now, c.app, old); err != nil {
			return err
		}
	}
	c.visit.Account, c.visit.Found, c.visit.Opened = account, nil, c.now
	return c.save(true)
}

func (c *call) openApp(in url.Values) error {
	if c.visit.Account == nil {
		return nil
	}
	if err := c.s.accounts.Open(c.r.Context(), c.now, c.app, c.visit.Account, in.Get("pin")); err != nil {
		return failed(err)
	}
	c.visit.Opened = c.now
	return c.save(true)
}

func (c *call) closeApp(url.Values) error {
	c.visit.Opened = time.Time{}
	return c.save(true)
}

// renew verifies anew: for another name or number, or to unlock.
func (c *call) renew(url.Values) error {
	c.visit.Found, c.visit.Flow = nil, &flow{}
	c.then = c.base + "/identity"
	return c.save(false)
}

func (c *call) changePIN(in url.Values) error {
	if !c.appOpen() {
		return nil
	}
	if in.Get("pin") != in.Get("again") {
		return refuse(http.StatusUnprocessableEntity, "err_pin_app")
	}
	if err := c.s.accounts.ChangePIN(c.r.Context(), c.now, c.app, c.visit.Account, in.Get("old"), in.Get("pin")); err != nil {
		return failed(err)
	}
	return nil
}

func (c *call) appOpen() bool {
	return c.visit.Account != nil && c.now.Sub(c.visit.Opened) < unlocked
}

// account is the opened app's, nil where it is not open.
func (c *call) account() (*identity.Account, error) {
	if !c.appOpen() {
		return nil, nil
	}
	v, ok, err := c.s.accounts.Account(c.r.Context(), c.now, c.app, c.visit.Account)
	if err != nil || !ok || v.Locked() {
		return nil, err
	}
	return &v, nil
}

// answerRequest approves or refuses a 「본인확인 요청」.
func (c *call) answerRequest(in url.Values) error {
	v, err := c.account()
	if err != nil || v == nil || c.app != identity.PassApp {
		return err
	}
	id, err := base64.RawURLEncoding.DecodeString(in.Get("request"))
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "err_expired")
	}
	approve := in.Get("answer") == "approve"
	if err := c.s.pass.Answer(c.r.Context(), c.now, *v, id, approve); err != nil {
		return failed(err)
	}
	c.then = c.base + "?done=refused"
	if approve {
		c.then = c.base + "?done=approved"
	}
	return nil
}

// findNumber takes up the request whose number a PC shows.
func (c *call) findNumber(in url.Values) error {
	v, err := c.account()
	if err != nil || v == nil || c.app != identity.PassApp {
		return err
	}
	if _, ok := c.s.people.allow("number"+string(c.visit.Account), c.now); !ok {
		return refuse(http.StatusTooManyRequests, "slow")
	}
	r, err := c.s.pass.Numbered(c.r.Context(), c.now, in.Get("number"))
	if err != nil {
		return failed(err)
	}
	c.then = c.base + "?request=" + base64.RawURLEncoding.EncodeToString(r.ID) + "&asker=" + url.QueryEscape(r.Asker)
	return nil
}

// appCode answers GET /app/motp/code for the page's script: the code now, and
// how long it still is shown.
func (s *Server) appCode(w http.ResponseWriter, r *http.Request) {
	c, err := s.open(w, r, apps[identity.OTPApp], identity.OTPApp)
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	v, err := c.account()
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	if v == nil {
		problem(w, http.StatusForbidden, "the app is closed")
		return
	}
	code, left := v.Code(c.now)
	answer(w, struct {
		Code string `json:"code"`
		Left int64  `json:"left"` // milliseconds
	}{code, left.Milliseconds()})
}

// appWaiting answers GET /app/pass/waiting: how many requests wait.
func (s *Server) appWaiting(w http.ResponseWriter, r *http.Request) {
	c, err := s.open(w, r, apps[identity.PassApp], identity.PassApp)
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	v, err := c.account()
	if err != nil {
		s.apiBroken(w, err)
		return
	}
	n := 0
	if v != nil {
		all, err := s.pass.Requests(r.Context(), c.now, *v)
		if err != nil {
			s.apiBroken(w, err)
			return
		}
		n = len(all)
	}
	answer(w, struct {
		Waiting int `json:"waiting"`
	}{n})
}
