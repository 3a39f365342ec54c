// Package owners is the part of the registry that a facility's owner sees: an
// account, counts of visits as pictures, tables and CSV, kiosks with their
// health, enrolment codes, staff, an inspector's page and a paper form.
//
// It shows numbers only. No pass and no person is on any page, for the package
// reads none: see [Visits].
package owners

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/registry/devices"
)

// Config is what a Server stands on. All fields but Cost are required.
type Config struct {
	DB       *sql.DB // with the tables of registry/store
	Devices  Devices // a *devices.Book
	Visits   Visits
	Bundles  Bundles // the newest trust bundle: kinds of facility and their policies
	Address  string  // https URL of these pages, for links in mails; what a browser claims is not believed
	Registry string  // its name
	Mail     Mailer
	Cost     Cost // of a password; zero: DefaultCost
	Now      func() time.Time
	Log      *slog.Logger
}

// Server serves the owners' pages. Run must run too, for mails and for what
// happens by itself.
type Server struct {
	Config
	accounts accounts
	sessions sessions
	links    links
	guard    guard
	hasher   *hasher
	pages    *pages
	routes   []route
	slots    chan struct{}
	jobs     chan func(context.Context)
	ready    chan struct{}
}

const (
	// maxPages bounds the pages that are made at once: whoever floods the login
	// must not take the registry from the kiosks that share it.
	maxPages = 64
	maxJobs  = 256 // mails that wait; beyond it one is dropped rather than memory spent
	workers  = 4   // mails under way at once
	every    = 30 * time.Second
)

// New checks c and returns its server.
func New(c Config) (*Server, error) {
	if c.DB == nil || c.Devices == nil || c.Visits == nil || c.Bundles == nil || c.Mail == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("owners: database, devices, visits, bundles, mail, clock and log must all be given")
	}
	u, err := url.Parse(c.Address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("owners: address must be the https URL that owners open, for the links in mails")
	}
	c.Address = u.Scheme + "://" + u.Host
	if c.Cost == (Cost{}) {
		c.Cost = DefaultCost
	}
	p, err := loadPages()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config: c, accounts: accounts{c.DB}, sessions: sessions{c.DB}, links: links{c.DB}, guard: guard{c.DB},
		hasher: newHasher(c.Cost), pages: p, slots: make(chan struct{}, maxPages), jobs: make(chan func(context.Context), maxJobs), ready: make(chan struct{}),
	}
	s.routes = s.table()
	return s, nil
}

// who may see a route.
type who int

const (
	anybody  who = iota
	signedIn     // boss or staff
	bossOnly
)

// route is one address. The table of all is what the tests of rights go by.
type route struct {
	method, path string
	who          who
	do           func(s *Server, w http.ResponseWriter, r *http.Request, v *visitor) error
}

func (s *Server) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/login", anybody, (*Server).loginForm},
		{post, "/login", anybody, (*Server).login},
		{get, "/signup", anybody, (*Server).signupForm},
		{post, "/signup", anybody, (*Server).signup},
		{get, "/recover", anybody, (*Server).recoverForm},
		{post, "/recover", anybody, (*Server).recover},
		{get, "/recover/{token}", anybody, (*Server).resetForm},
		{post, "/recover/{token}", anybody, (*Server).reset},
		{get, "/invite/{token}", anybody, (*Server).inviteForm},
		{post, "/invite/{token}", anybody, (*Server).takeInvite},
		{post, "/logout", anybody, (*Server).logout},

		{get, "/{$}", signedIn, (*Server).home},
		{get, "/account", signedIn, (*Server).accountPage},
		{post, "/account/password", signedIn, (*Server).changePassword},
		{post, "/account/logout", signedIn, (*Server).logoutEverywhere},
		{get, "/account/leave", signedIn, (*Server).leaveForm},
		{post, "/account/leave", signedIn, (*Server).leave},
		{get, "/branches/{facility}", signedIn, (*Server).branch},
		{get, "/branches/{facility}/hours.csv", signedIn, (*Server).hoursCSV},
		{get, "/branches/{facility}/days.csv", signedIn, (*Server).daysCSV},
		{get, "/branches/{facility}/proof", signedIn, (*Server).proof},
		{get, "/branches/{facility}/paper", signedIn, (*Server).paper},
		{get, "/branches/{facility}/kiosks/{kiosk}", signedIn, (*Server).kiosk},

		{post, "/account/business", bossOnly, (*Server).changeBusiness},
		{get, "/branches", bossOnly, (*Server).branchForm},
		{post, "/branches", bossOnly, (*Server).addBranch},
		{post, "/branches/{facility}/name", bossOnly, (*Server).renameBranch},
		{post, "/branches/{facility}/hours", bossOnly, (*Server).setHours},
		{get, "/branches/{facility}/code", bossOnly, (*Server).codeForm},
		{post, "/branches/{facility}/code", bossOnly, (*Server).code},
		{get, "/branches/{facility}/kiosks/{kiosk}/code", bossOnly, (*Server).codeForm},
		{post, "/branches/{facility}/kiosks/{kiosk}/code", bossOnly, (*Server).code},
		{get, "/branches/{facility}/kiosks/{kiosk}/revoke", bossOnly, (*Server).revokeForm},
		{post, "/branches/{facility}/kiosks/{kiosk}/revoke", bossOnly, (*Server).revoke},
		{get, "/staff", bossOnly, (*Server).staff},
		{get, "/staff/invite", bossOnly, (*Server).inviteOffer},
		{post, "/staff/invite", bossOnly, (*Server).invite},
		{post, "/staff/{account}/role", bossOnly, (*Server).changeRole},
		{post, "/staff/{account}/remove", bossOnly, (*Server).removeStaff},
		{get, "/staff/{account}/link", bossOnly, (*Server).staffLinkForm},
		{post, "/staff/{account}/link", bossOnly, (*Server).staffLink},
	}
}

// maxForm is the largest body of a form, in bytes.
const maxForm = 16 << 10

// Handler serves the pages at "/". It refuses what other sites' pages send
// (CSRF) by the browser's own word: Sec-Fetch-Site, or Origin.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.routes {
		mux.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, route) })
	}
	mux.HandleFunc("GET /owners/{file}", s.asset)
	nothing := route{who: anybody, do: func(*Server, http.ResponseWriter, *http.Request, *visitor) error { return errNotFound }}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, nothing) })
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &visitor{words: s.pages.language(w, r)}, http.StatusForbidden)
	}))
	return guarded.Handler(s.headers(mux))
}

// headers are those of every answer. Nothing but our own style sheet and
// pictures is loaded and no script runs at all; nothing is kept by a browser or
// a proxy, since a shop's computer has many users.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // not no-referrer: older browsers then send Origin: null, and no form is taken
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			next.ServeHTTP(w, r)
		default:
			h.Set("Retry-After", "5")
			s.fail(w, r, &visitor{words: s.pages.language(w, r)}, http.StatusServiceUnavailable)
		}
	})
}

// visitor is who a request comes from.
type visitor struct {
	words   words
	session string // hash; empty: nobody is signed in
	account account
	owner   owner
}

// boss says whether the visitor may change things.
func (v *visitor) boss() bool { return v.session != "" && v.account.Role == Boss }

// serve finds out who asks, whether they may, and answers.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route route) {
	v := &visitor{words: s.pages.language(w, r)}
	hash, one, o, err := s.sessions.find(r, s.Now())
	switch {
	case err == nil:
		v.session, v.account, v.owner = hash, one, o
	case !errors.Is(err, errNotFound):
		s.broken(w, r, v, err)
		return
	}
	switch {
	case route.who >= signedIn && v.session == "":
		// No "next" address is carried along, so that none can lead elsewhere.
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	case route.who == bossOnly && !v.boss():
		s.fail(w, r, v, http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, v, http.StatusBadRequest)
			return
		}
	}
	switch err := route.do(s, w, r, v); {
	case errors.Is(err, errNotFound):
		s.fail(w, r, v, http.StatusNotFound)
	case err != nil:
		s.broken(w, r, v, err)
	}
}

func (s *Server) broken(w http.ResponseWriter, r *http.Request, v *visitor, err error) {
	if r.Context().Err() != nil {
		return // the browser has gone
	}
	s.Log.Error("an owner's page is not served", "error", err)
	s.fail(w, r, v, http.StatusServiceUnavailable)
}

// facility finds the branch in the address; another owner's is not found.
func (s *Server) facility(r *http.Request, v *visitor) (devices.Facility, error) {
	all, err := s.Devices.FacilitiesOf(r.Context(), v.owner.ID)
	if err != nil {
		return devices.Facility{}, err
	}
	for _, f := range all {
		if f.ID == r.PathValue("facility") {
			return f, nil
		}
	}
	return devices.Facility{}, errNotFound
}

// device finds the branch and the kiosk in the address.
func (s *Server) device(r *http.Request, v *visitor) (devices.Facility, devices.Kiosk, error) {
	f, err := s.facility(r, v)
	if err != nil {
		return f, devices.Kiosk{}, err
	}
	all, err := s.Devices.KiosksOf(r.Context(), f.ID)
	if err != nil {
		return f, devices.Kiosk{}, err
	}
	for _, k := range all {
		if k.ID == r.PathValue("kiosk") {
			return f, k, nil
		}
	}
	return f, devices.Kiosk{}, errNotFound
}

// later does a job soon, in the background: nobody who waits for an answer can
// tell by the time it takes whether there is an account.
func (s *Server) later(job func(context.Context)) {
	select {
	case s.jobs <- job:
	default:
		s.Log.Error("a mail is dropped: too many wait")
	}
}

func (s *Server) String() string { return "owners' pages" }

// Ready is closed when Run has begun.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run sends mails, tells owners of kiosks that fall silent and deletes what has
// run out, until ctx ends. Call it once.
func (s *Server) Run(ctx context.Context) error {
	close(s.ready)
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				select {
				case job := <-s.jobs:
					job(ctx)
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	group.Go(func() error {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if err := s.round(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("the round through kiosks and sessions failed: it is made again", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

// round is what happens by itself every 30 s.
func (s *Server) round(ctx context.Context) error {
	now := s.Now()
	return errors.Join(s.watch(ctx, now), s.sessions.prune(ctx, now), s.guard.prune(ctx, now), s.links.prune(ctx, now))
}

// waits are the pauses between tries to send a mail.
var waits = []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute}

// send hands a mail on, trying again where the next hop is away.
func (s *Server) send(ctx context.Context, m Mail) {
	for try := 0; ; try++ {
		err := s.Mail.Send(ctx, m)
		if err == nil {
			return
		}
		if try == len(waits) || ctx.Err() != nil {
			s.Log.Error("a mail is given up", "error", err)
			return
		}
		s.Log.Warn("a mail is not taken: it is sent again", "error", err, "wait", waits[try])
		select {
		case <-time.After(waits[try]):
		case <-ctx.Done():
			return
		}
	}
}

// address is where an account's mail goes.
func address(login string) string {
	if strings.Contains(login, "@") {
		return login
	}
	return ""
}
