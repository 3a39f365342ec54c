package owner

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
)

// visit is who a request comes from, and in which language they read.
type visit struct {
	words    words
	signedIn bool
	problem  string // with the form that is shown again
}

// route is one address. The table of all is what the tests of rights go by.
type route struct {
	method, path string
	open         bool // to whoever is not logged in
	quiet        bool // fetched by a page by itself: it keeps no session alive, and gets 401 and no page
	do           func(s *Server, w http.ResponseWriter, r *http.Request, v *visit) error
}

func table() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/login", true, false, (*Server).loginForm},
		{post, "/login", true, false, (*Server).login},
		{post, "/logout", true, false, (*Server).logout},

		{get, "/{$}", false, false, (*Server).today},
		{get, "/mirror", false, false, (*Server).mirror},
		{get, "/mirror/frame", false, true, (*Server).mirrorFrame},
		{get, "/aim", false, false, (*Server).aimPage},
		{post, "/aim", false, false, (*Server).startAim},
		{post, "/aim/stop", false, true, (*Server).stopAim},
		{get, "/aim/frame", false, true, (*Server).aimFrame},
		{get, "/sound", false, false, (*Server).sound},
		{post, "/sound/volume", false, false, (*Server).setVolume},
		{post, "/sound/mute", false, false, (*Server).setMuted},
		{post, "/sound/test", false, false, (*Server).testSound},
		{post, "/lines/{line}", false, false, (*Server).tryLine},
		{get, "/door", false, false, (*Server).doorForm},
		{post, "/door", false, false, (*Server).openDoor},
		{get, "/state", false, false, (*Server).state},
		{get, "/help", false, false, (*Server).help},
		{get, "/password", false, false, (*Server).passwordForm},
		{post, "/password", false, false, (*Server).changePassword},
		{get, "/restart", false, false, (*Server).restartForm},
		{post, "/restart", false, false, (*Server).restartNow},
	}
}

const maxForm = 4 << 10 // bytes

// policy lets nothing in but our own style sheet, script and pictures.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// routes are the pages. What other sites' pages send (CSRF) is refused by the
// browser's own word: Sec-Fetch-Site, or Origin.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, one := range table() {
		mux.HandleFunc(one.method+" "+one.path, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, one) })
	}
	mux.HandleFunc("GET /owner/{file}", s.asset)
	nothing := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, &visit{words: s.pages.language(w, r)}, status)
		}
	}
	mux.Handle("/", nothing(http.StatusNotFound))
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(nothing(http.StatusForbidden))
	inside := guarded.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if !ourName(r.Host) {
			nothing(http.StatusMisdirectedRequest)(w, r)
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// answer finds out who asks, and answers.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, one route) {
	v := &visit{words: s.pages.language(w, r)}
	password, err := s.password.load()
	if err != nil {
		s.Log.Error("nobody can log in to the owner's page", "err", err)
	}
	v.signedIn = s.sessions.find(r, password.hash, !one.quiet)
	switch {
	case v.signedIn || one.open:
	case one.quiet:
		http.Error(w, "log in", http.StatusUnauthorized)
		return
	default:
		// No "next" address is carried along, so that none can lead elsewhere.
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, v, http.StatusBadRequest)
			return
		}
	}
	if err := one.do(s, w, r, v); err != nil && r.Context().Err() == nil {
		s.Log.Error("the owner's page is not served", "err", err)
		s.fail(w, r, v, http.StatusServiceUnavailable)
	}
}

// back leads to a page that says what was done.
func back(w http.ResponseWriter, r *http.Request, page, done string) error {
	http.Redirect(w, r, page+"?done="+done, http.StatusSeeOther)
	return nil
}

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
	from := origin(r.RemoteAddr)
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
	k, err := s.password.load()
	if err != nil {
		return err
	}
	ok, err := k.fits(r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if !ok {
		s.Log.Warn("a wrong password at the owner's page", "from", from.Addr().String())
		v.problem = v.words.say("login.wrong")
		return s.showLogin(w, r, v, http.StatusForbidden)
	}
	s.guard.succeeded(from)
	s.sessions.end(r)
	s.sessions.start(w, k.hash)
	s.Log.Info("the owner has logged in", "from", from.Addr().String())
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

// today is the day's counts, and what somebody should look at.
type today struct {
	Day    day
	Chart  chart
	Days   []day // of the days before, newest first, those on which anybody came
	Alerts []Condition
	Aiming bool
}

const daysBack = 13

func (s *Server) today(w http.ResponseWriter, r *http.Request, v *visit) error {
	now := s.Today()
	d, err := readDay(s.Counts, dayOf(now))
	if err != nil {
		return err
	}
	body := today{Day: d, Chart: draw(v.words, d, now.In(seoul).Hour()), Alerts: s.alerts(), Aiming: s.aim.on.Load()}
	for i := 1; i <= daysBack; i++ {
		before, err := readDay(s.Counts, d.Date.AddDate(0, 0, -i))
		if err != nil {
			return err
		}
		if before.Total()+before.TotalStaff() > 0 {
			body.Days = append(body.Days, before)
		}
	}
	return s.show(w, r, v, http.StatusOK, "today", body)
}

// alerts are what somebody should look at, the worst first.
func (s *Server) alerts() (out []Condition) {
	for _, c := range s.Health() {
		if c.Level >= display.Warn {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Condition) int { return int(b.Level) - int(a.Level) })
	return out
}

func (s *Server) mirror(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "mirror", nil)
}

func (s *Server) mirrorFrame(w http.ResponseWriter, r *http.Request, _ *visit) error {
	http.StripPrefix("/mirror", s.Mirror).ServeHTTP(w, r)
	return nil
}

func (s *Server) aimPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "aim", s.aim.left())
}

func (s *Server) startAim(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.aim.start()
	s.Aimer.Aim(true)
	s.Log.Info("aim mode begins: nobody is admitted until it ends")
	http.Redirect(w, r, "/aim", http.StatusSeeOther)
	return nil
}

func (s *Server) stopAim(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.endAim()
	return back(w, r, "/aim", "aimed")
}

// controls are what the page of sound and lines shows.
type controls struct {
	Volume int
	Muted  bool
	Lines  lines.State
	Door   bool
}

func (s *Server) sound(w http.ResponseWriter, r *http.Request, v *visit) error {
	c := controls{Volume: s.Sound.Volume(), Muted: s.Sound.Muted(), Lines: s.Lines.State()}
	c.Door = s.has("door")
	return s.show(w, r, v, http.StatusOK, "sound", c)
}

// has says whether a line is configured.
func (s *Server) has(part string) bool {
	return slices.ContainsFunc(s.Lines.State().Lines, func(l lines.Line) bool { return l.Part == part })
}

// Has says it to the page.
func (c controls) Has(part string) bool {
	return slices.ContainsFunc(c.Lines.Lines, func(l lines.Line) bool { return l.Part == part })
}

func (s *Server) setVolume(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := strconv.Atoi(r.PostFormValue("volume"))
	if err != nil || n < 0 || n > 100 {
		s.fail(w, r, v, http.StatusBadRequest)
		return nil
	}
	s.Sound.SetVolume(n)
	err = s.remember(func(k *Settings) {
		if s.Sound.Quiet() {
			k.QuietVolume = &n
		} else {
			k.Volume = &n
		}
	})
	if err != nil {
		return err
	}
	return back(w, r, "/sound", "volume")
}

func (s *Server) setMuted(w http.ResponseWriter, r *http.Request, _ *visit) error {
	muted, said := r.PostFormValue("muted") == "yes", "unmuted"
	if muted {
		said = "muted"
	}
	s.Sound.SetMuted(muted)
	if err := s.remember(func(k *Settings) { k.Muted = muted }); err != nil {
		return err
	}
	return back(w, r, "/sound", said)
}

// remember keeps a setting over the next start.
func (s *Server) remember(change func(*Settings)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.settings.load()
	if err != nil {
		k = Settings{} // damaged: what is set now stands from now on
	}
	change(&k)
	return s.settings.keep(k)
}

func (s *Server) testSound(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.Sound.Say(audio.Test, nil)
	return back(w, r, "/sound", "test")
}

var trials = map[string]lines.Trial{"green": lines.TryGreen, "red": lines.TryRed, "buzzer": lines.TryBuzzer}

// tryLine tries a lamp or the buzzer. The door has a page of its own.
func (s *Server) tryLine(w http.ResponseWriter, r *http.Request, v *visit) error {
	line := r.PathValue("line")
	trial, ok := trials[line]
	if !ok || !s.has(line) {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	s.Lines.Try(trial)
	return back(w, r, "/sound", line)
}

func (s *Server) doorForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if !s.has("door") {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	return s.show(w, r, v, http.StatusOK, "door", nil)
}

// openDoor opens the door, for whoever has said that nobody is hurt by it.
func (s *Server) openDoor(w http.ResponseWriter, r *http.Request, v *visit) error {
	switch {
	case !s.has("door"):
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	case r.PostFormValue("sure") != "yes":
		v.problem = v.words.say("door.unsure")
		return s.show(w, r, v, http.StatusBadRequest, "door", nil)
	}
	s.Log.Info("the door is opened from the owner's page")
	s.Lines.Try(lines.TryDoor)
	return back(w, r, "/sound", "door")
}

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

func (s *Server) passwordForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "password", nil)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	refuse := func(status int, key string, values ...any) error {
		v.problem = v.words.say(key, values...)
		return s.show(w, r, v, status, "password", nil)
	}
	// Who has found an open page guesses here no faster than at the log-in.
	from := origin(r.RemoteAddr)
	if wait := s.guard.try(from); wait > 0 {
		return refuse(http.StatusTooManyRequests, "login.wait", "time", v.words.duration(wait))
	}
	select {
	case s.hashes <- struct{}{}:
		defer func() { <-s.hashes }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	k, err := s.password.load()
	if err != nil {
		return err
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
	s.Log.Info("the owner's password was changed")
	return back(w, r, "/help", "password")
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

// port is that of the page, ":8443".
func port(s *Server) string {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	if s.names.port == 0 || s.names.port == 443 {
		return ""
	}
	return ":" + strconv.Itoa(s.names.port)
}
