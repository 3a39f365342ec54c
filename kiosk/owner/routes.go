package owner

import "net/http"

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
