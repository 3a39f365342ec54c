package issuer

import (
	"html/template"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/picture"
	"github.com/munjigi/munjigi/pass/symbol"
)

// view is what a page is given.
type view struct {
	Title    string // key of the page's name
	Brand    *Brand // nil on the first page
	Base     string // path of the brand's or app's pages
	App      identity.App
	Brands   []Brand
	Helpline Helpline
	Demo     bool   // messages stand on a page
	Problem  string // text key
	Next     step
	Screen   int
	Screens  int
	Flow     *flow
	Carriers []identity.Carrier
	Left     int64  // milliseconds of the attempt or code
	Signed   string // what a certificate's key is to sign
	QR       template.HTML
	Link     string
	Proof    string
	Nonce    string
	Health   bool // a vaccination record can be loaded
	Mine     *mine
	Passkeys bool
	ByKey    bool   // the phone's key opens, nothing is typed
	Then     string // where a login leads
	Known    bool   // the phone is bound, its person's data are closed
	Until    string // what stays after a withdrawal, until when
	Open     bool   // an app
	Locked   bool
	Account  *identity.Account
	Code     string
	Requests []identity.Request
	Request  string
	Asker    string
	Number   string
	Done     string
	Messages []identity.Message
}

// render draws a page as its visitor's state asks.
func (s *Server) render(c *call, status int, page string) {
	v := view{
		Title: page, Brand: c.brand, Base: c.base, App: c.app, Problem: c.problem, Flow: c.visit.Flow, Nonce: c.nonce(), Proof: c.proof(),
		Health: s.Health != nil && c.brand.Vaccination,
	}
	var err error
	switch {
	case c.app != "" && page != "identity":
		page, err = "app", c.appView(&v, page)
	case page == "identity":
		page, err = c.identityView(&v)
	case page == "":
		page, v.Title, v.Next = "menu", "home", c.next()
		if v.Next != stepIdentity && c.fresh() { // else not, or not yet, theirs to see
			v.Mine, err = c.mine()
		}
		v.Known = c.bound()
	case page == "consent":
		v.Screen = c.screen()
		v.Screens = c.brand.Consents[len(c.brand.Consents)-1].Screen
	case page == "login":
		v.Passkeys = c.person != nil && c.person.Passkeys != nil
		v.ByKey = !c.brand.PIN && v.Proof == "key"
		v.Then = c.r.FormValue("then")
	case page == "me":
		v.Mine, err = c.mine()
	case page == "gone":
		if t, err := time.Parse(time.DateOnly, c.r.URL.Query().Get("until")); err == nil {
			v.Until = t.Format("2006. 1. 2.")
		}
	}
	if err != nil {
		s.broken(c.w, "a page is not made", err)
		return
	}
	s.show(c.w, status, page, v)
}

// identityView chooses among the forms of an identity verification.
func (c *call) identityView(v *view) (page string, err error) {
	v.Title = "identity"
	f := c.visit.Flow
	if f == nil || f.Method == "" {
		return "choose", nil
	}
	if f.Attempt == nil {
		return "form_" + f.Method, nil
	}
	v.Left = max(0, f.Attempt.Until.Sub(c.now).Milliseconds())
	if f.Attempt.Method == byCertificate { // another's code is a secret
		v.Signed = identity.SignedText(f.Attempt.Asker, f.Attempt.Code)
	}
	if f.Attempt.Number != "" {
		v.Link = c.s.origin(c.r) + "/app/pass?number=" + f.Attempt.Number
		code, err := symbol.Encode(v.Link)
		if err != nil {
			return "", err
		}
		v.QR = template.HTML(symbol.SVG(code, c.s.pages.ko["pass_qr"]))
	}
	return "wait_" + f.Method, nil
}

func (c *call) appView(v *view, page string) error {
	v.Title, v.Done = "app_"+string(c.app), page
	if c.visit.Found != nil {
		v.Next = "register"
		return nil
	}
	if c.visit.Account == nil {
		v.Next = "begin"
		return nil
	}
	account, ok, err := c.s.accounts.Account(c.r.Context(), c.now, c.app, c.visit.Account)
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	v.Number = q.Get("number")
	switch {
	case !ok:
		v.Next = "begin"
	case account.Locked():
		v.Next = "locked"
	case !c.appOpen():
		v.Next = "open"
	case page == "pin":
		v.Next = "pin"
	case c.app == identity.OTPApp:
		var left time.Duration
		v.Next = "code"
		v.Code, left = account.Code(c.now)
		v.Left = left.Milliseconds()
	default:
		v.Next = "requests"
		v.Request, v.Asker, v.Done = q.Get("request"), q.Get("asker"), q.Get("done")
		v.Requests, err = c.s.pass.Requests(c.r.Context(), c.now, account)
	}
	return err
}

// picture serves the picture code of a form, to see or to hear.
func (s *Server) picture(c *call, page string) {
	if c.visit.Flow == nil || c.visit.Flow.Picture == "" {
		http.NotFound(c.w, c.r)
		return
	}
	draw, kind := picture.PNG, "image/png"
	if page == "picture.wav" {
		draw, kind = picture.WAV, "audio/wav"
	}
	data, err := draw(c.visit.Flow.Picture)
	if err != nil {
		s.broken(c.w, "a picture code is not drawn", err)
		return
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.Write(data)
}
