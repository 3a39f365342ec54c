package owner

import (
	"crypto/tls"
	"image"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/reader/qr"
)

// TestRights: every address there is, without a session, does and shows nothing.
func TestRights(t *testing.T) {
	r := newRig(t)
	r.s.aim.start()
	for _, one := range table() {
		if one.open {
			continue
		}
		path := strings.NewReplacer("{$}", "", "{line}", "green").Replace(one.path)
		for name, b := range map[string]*browser{"nobody": r.browser(), "a made-up cookie": func() *browser {
			b := r.browser()
			b.cookie[sessionCookie] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			return b
		}()} {
			var w *httptest.ResponseRecorder
			if one.method == http.MethodPost {
				w = b.post(path, "volume", "3", "muted", "yes", "sure", "yes", "present", "x", "password", "x")
			} else {
				w = b.get(path)
			}
			if one.quiet && w.Code != http.StatusUnauthorized || !one.quiet && (w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login") {
				t.Errorf("%s at %s %s: %d %s", name, one.method, path, w.Code, w.Header())
			}
			if w.Body.Len() > 60 {
				t.Errorf("%s at %s %s is shown %q", name, one.method, path, w.Body)
			}
		}
	}
	if r.volume != 70 || r.muted || r.said != nil || r.tried != nil || r.restarts != 0 || r.aims != nil {
		t.Errorf("strangers did: %+v", r)
	}
	if w := r.browser().get("/login"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "하늘") {
		t.Errorf("the log-in page: %d %s", w.Code, w.Body)
	}
}

// TestForeignForms: what another site's page sends is refused (CSRF), and so is
// a name that somebody pointed at us (DNS rebinding).
func TestForeignForms(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(*browser){
		"another site":      func(b *browser) { b.header = map[string]string{"Sec-Fetch-Site": "cross-site"} },
		"the same site":     func(b *browser) { b.header = map[string]string{"Sec-Fetch-Site": "same-site"} },
		"an older browser":  func(b *browser) { b.header = map[string]string{"Origin": "https://evil.example"} },
		"no origin":         func(b *browser) { b.header = map[string]string{"Origin": "null"} },
		"a rebound name":    func(b *browser) { b.host = "evil.example:8443" },
		"a name like ours":  func(b *browser) { b.host = "munjigi.local.evil.example" },
		"another's address": func(b *browser) { b.host = "munjigi-evil.example" },
	} {
		b := r.signedIn()
		change(b)
		for _, path := range []string{"/sound/volume", "/lines/green", "/door", "/aim", "/restart", "/logout", "/login"} {
			w := b.post(path, "volume", "3", "sure", "yes", "password", r.password)
			if w.Code != http.StatusForbidden && w.Code != http.StatusMisdirectedRequest {
				t.Errorf("%s at %s: %d", name, path, w.Code)
			}
		}
	}
	if r.volume != 70 || r.tried != nil || r.restarts != 0 || r.aims != nil {
		t.Errorf("foreign forms did: %+v", r)
	}
	for _, host := range []string{"munjigi.local", "MUNJIGI.local.:8443", "munjigi-9c2d.local:8443", "192.168.0.7:8443", "[fe80::1]:8443", "localhost:1"} {
		b := r.browser()
		b.host = host
		if w := b.get("/login"); w.Code != http.StatusOK {
			t.Errorf("by %s: %d", host, w.Code)
		}
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t)
	b := r.signedIn()
	for _, path := range []string{"/", "/mirror", "/login", "/owner/owner.js", "/nothing", "/mirror/frame"} {
		h := b.get(path).Header()
		if p := h.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", path, p)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || path != "/owner/owner.js" && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
	w := r.browser().post("/login", "password", r.password)
	cookies := w.Header().Values("Set-Cookie")
	if len(cookies) != 2 {
		t.Errorf("%d cookies", len(cookies))
	}
	for _, c := range cookies {
		for _, want := range []string{"__Host-", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"} {
			if !strings.Contains(c, want) {
				t.Errorf("the cookie %q has no %s", c, want)
			}
		}
	}
}

// TestPassword: typed as phones type it; kept as a hash that nobody reads; a
// new one ends every session.
func TestPassword(t *testing.T) {
	r := newRig(t)
	if !regexp.MustCompile(`^[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}$`).MatchString(r.password) {
		t.Errorf("made %q", r.password)
	}
	file := filepath.Join(r.s.Dir, PasswordFile)
	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), plain(r.password)) || !strings.HasPrefix(string(data), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("kept as %q, %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, typed := range []string{strings.ToUpper(r.password), strings.ReplaceAll(r.password, "-", " "), " " + plain(r.password)} {
		if w := r.browser().post("/login", "password", typed); w.Code != http.StatusSeeOther {
			t.Errorf("typed %q: %d", typed, w.Code)
		}
	}
	for _, typed := range []string{"", r.password + "a", strings.Repeat("x", 300), string(data)} {
		b := r.browser()
		b.from = "192.168.0.99:1"
		w := b.post("/login", "password", typed)
		if w.Code != http.StatusForbidden || len(b.cookie) != 0 || len(typed) > 3 && strings.Contains(w.Body.String(), typed) {
			t.Errorf("typed %.20q: %d", typed, w.Code)
		}
	}

	// The owner chooses one.
	b, other := r.signedIn(), r.signedIn()
	for _, c := range []struct {
		present, fresh string
		want           int
	}{
		{"wrong", "a good long one", http.StatusForbidden}, {r.password, "short", http.StatusBadRequest}, {r.password, "1234567890", http.StatusBadRequest},
		{r.password, strings.Repeat("x", 257), http.StatusBadRequest}, {r.password, "aaaaaaaaaaaa", http.StatusBadRequest}, {r.password, "가가가가가가가가가가가", http.StatusBadRequest}, {r.password, "Munjigi2026!", http.StatusBadRequest},
		{r.password, "하늘 식당의 긴 문장", http.StatusSeeOther},
	} {
		if w := b.post("/password", "present", c.present, "password", c.fresh); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.fresh, w.Code, c.want)
		}
	}
	if b.get("/").Code != http.StatusOK || other.get("/").Code != http.StatusSeeOther {
		t.Error("a new password ends the other sessions, and not this one")
	}
	if w := r.browser().post("/login", "password", "하늘 식당의 긴 문장"); w.Code != http.StatusSeeOther {
		t.Errorf("the chosen password: %d", w.Code)
	}
	if w := r.browser().post("/login", "password", r.password); w.Code != http.StatusForbidden {
		t.Errorf("the old password: %d", w.Code)
	}

	// The technician makes a new one, beside the daemon.
	again, err := NewPassword(r.s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.get("/").Code != http.StatusSeeOther || r.browser().post("/login", "password", again).Code != http.StatusSeeOther {
		t.Error("a password reset ends every session and lets its bearer in")
	}

	// None at all, or a damaged one, lets nobody in.
	if err := Forget(r.s.Dir); err != nil {
		t.Fatal(err)
	}
	if has, err := HasPassword(r.s.Dir); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	for _, content := range []string{"", "$argon2id$v=19$m=19456,t=2,p=1$$ made\n", "x y"} {
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, typed := range []string{"", again, " "} {
			b := r.browser()
			b.from = "192.168.0.98:1"
			r.s.guard.by = nil
			if w := b.post("/login", "password", typed); w.Code == http.StatusSeeOther {
				t.Errorf("%q in the file: %q lets in", content, typed)
			}
		}
	}
	if strings.Contains(r.log.String(), plain(again)) || strings.Contains(r.log.String(), "식당의") {
		t.Error("a password is in the log")
	}
}

// TestLockedOut: after five wrong ones a phone waits, even with the right one,
// and is told how long; who is logged in stays so.
func TestLockedOut(t *testing.T) {
	r := newRig(t)
	owner, b := r.signedIn(), r.browser()
	b.from = "192.168.0.66:4000"
	for i := range freeTries {
		if w := b.post("/login", "password", "guess"); w.Code != http.StatusForbidden {
			t.Fatalf("try %d: %d", i, w.Code)
		}
	}
	w := b.post("/login", "password", r.password)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "30" || !strings.Contains(w.Body.String(), "30초 뒤에") {
		t.Errorf("the right one while it is locked: %d %v", w.Code, w.Header())
	}
	if owner.get("/").Code != http.StatusOK {
		t.Error("who is logged in is locked out")
	}
	if w := r.browser().post("/login", "password", r.password); w.Code != http.StatusSeeOther {
		t.Errorf("another phone: %d", w.Code)
	}
	// The page for a new password is no way round.
	owner.from = b.from
	delete(owner.cookie, deviceCookie)
	if w := owner.post("/password", "present", r.password, "password", "another good one"); w.Code != http.StatusTooManyRequests {
		t.Errorf("guessing at the page for a new password: %d", w.Code)
	}
	r.wait(firstWait)
	if w := b.post("/login", "password", r.password); w.Code != http.StatusSeeOther {
		t.Errorf("after the wait: %d", w.Code)
	}
}

// TestGuessing: how many guesses a day are let through, from one address and
// from ever new ones.
func TestGuessing(t *testing.T) {
	now := noon
	g := guard{now: func() time.Time { return now }}
	address := func(i int) guesser {
		return guesser{address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)}
	}
	day := func(from func(i int) guesser) (tries int) {
		for i := range 24 * 60 * 60 / 5 {
			if g.try(from(i)) == 0 {
				tries++
			}
			now = now.Add(5 * time.Second)
		}
		return tries
	}
	if n := day(func(int) guesser { return address(1) }); n > 110 {
		t.Errorf("%d guesses a day from one address", n)
	}
	if n := day(func(int) guesser { return guesser{device: "a phone's"} }); n > 110 {
		t.Errorf("%d guesses a day from one known phone", n)
	}
	now = now.Add(triesKept)
	if n := day(address); n > 160 {
		t.Errorf("%d guesses a day from ever new addresses", n)
	}
	if wait := g.try(address(60000)); wait > longestWait {
		t.Errorf("the owner waits %v", wait)
	}

	g = guard{now: time.Now}
	for i := range 3 * mostAddresses {
		g.try(address(i))
		g.total = tries{}
	}
	if len(g.by) > mostAddresses {
		t.Errorf("%d addresses are remembered", len(g.by))
	}
}

func TestSessionsEnd(t *testing.T) {
	r := newRig(t)
	b := r.signedIn()
	for range 4 { // in use
		r.wait(SessionIdle - time.Minute)
		if b.get("/").Code != http.StatusOK {
			t.Fatal("ended in use")
		}
	}
	r.wait(SessionIdle - time.Minute)
	b.get("/mirror/frame") // what a page fetches by itself does not count
	r.wait(2 * time.Minute)
	if b.get("/").Code != http.StatusSeeOther {
		t.Error("a session outlasts its idleness")
	}
	b = r.signedIn()
	for range 60 {
		r.wait(SessionLife / 40)
		b.get("/")
	}
	if b.get("/").Code != http.StatusSeeOther {
		t.Error("a session outlasts its life")
	}
	b = r.signedIn()
	old := b.cookie[sessionCookie]
	b.post("/logout")
	b.cookie[sessionCookie] = old
	if b.get("/").Code != http.StatusSeeOther {
		t.Error("a session outlasts the log-out")
	}
	// A planted cookie is not taken over, and many log-ins cost bounded memory.
	planted := r.browser()
	planted.cookie[sessionCookie] = "planted"
	planted.post("/login", "password", r.password)
	if planted.cookie[sessionCookie] == "planted" {
		t.Error("a planted cookie became a session")
	}
	for range 3 * mostSessions {
		r.s.sessions.start(httptest.NewRecorder(), "hash")
	}
	if n := len(r.s.sessions.all); n > mostSessions {
		t.Errorf("%d sessions", n)
	}
}

// TestToday: the counts as picture, words and table, by hours in Seoul.
func TestToday(t *testing.T) {
	r := newRig(t)
	b := r.signedIn()
	page := b.get("/").Body.String()
	for _, want := range []string{"1,393", "모두 1,397명", "12시 1,251명", ">500<", "확인이 필요합니다", "11월 24일 12:40", "그 전에 인터넷을", `<rect class="now"`, `class="staff"`} {
		if !strings.Contains(page, want) {
			t.Errorf("today has no %q", want)
		}
	}
	if n := strings.Count(page, "<tr><th scope=\"row\">"); n != 3+1 {
		t.Errorf("%d rows", n)
	}
	b.get("/?lang=en")
	if page := b.get("/").Body.String(); !strings.Contains(page, "1,397 in all, most at 12:00 with 1,251.") || regexp.MustCompile(`[가-힣]`).MatchString(strings.NewReplacer("하늘 식당", "", "한국어", "").Replace(page)) {
		t.Errorf("in English: %s", page)
	}
	r.health, r.counts = r.health[:1], nil
	if page := r.signedIn().get("/").Body.String(); !strings.Contains(page, "아직 아무도") || !strings.Contains(page, "잘 작동하고") {
		t.Error("an empty day")
	}
}

func TestControls(t *testing.T) {
	r := newRig(t)
	b := r.signedIn()
	for _, c := range []struct {
		path   string
		fields []string
		status int
		to     string
	}{
		{"/sound/volume", []string{"volume", "35"}, 303, "/sound?done=volume"},
		{"/sound/volume", []string{"volume", "101"}, 400, ""},
		{"/sound/volume", []string{"volume", "-1"}, 400, ""},
		{"/sound/volume", nil, 400, ""},
		{"/sound/test", nil, 303, "/sound?done=test"},
		{"/sound/mute", []string{"muted", "yes"}, 303, "/sound?done=muted"},
		{"/lines/green", nil, 303, "/sound?done=green"},
		{"/lines/buzzer", nil, 404, ""}, // there is none
		{"/lines/door", nil, 404, ""},   // has a page of its own
		{"/door", nil, 400, ""},
		{"/door", []string{"sure", "yes"}, 303, "/sound?done=door"},
		{"/restart", nil, 200, ""},
	} {
		w := b.post(c.path, c.fields...)
		if w.Code != c.status || w.Header().Get("Location") != c.to {
			t.Errorf("%s %v: %d %s", c.path, c.fields, w.Code, w.Header().Get("Location"))
		}
	}
	if r.volume != 35 || !r.muted || !slices.Equal(r.said, []audio.Prompt{audio.Test}) || !slices.Equal(r.tried, []lines.Trial{lines.TryGreen, lines.TryDoor}) || r.restarts != 1 {
		t.Errorf("%d %v %v %v %d", r.volume, r.muted, r.said, r.tried, r.restarts)
	}
	r.quiet = true
	b.post("/sound/volume", "volume", "10")
	k, err := LoadSettings(r.s.Dir)
	if err != nil || k.Volume == nil || *k.Volume != 35 || k.QuietVolume == nil || *k.QuietVolume != 10 || !k.Muted {
		t.Errorf("kept %+v, %v", k, err)
	}
	for path, want := range map[string]string{"/sound?done=muted": "소리를 껐습니다", "/door": "실제로 열립니다", "/help": "munjigi-9c2d.local", "/state": "인터넷을 연결하세요", "/?done=%3Cb%3E": "오늘", "/sound": "꺼져 있습니다"} {
		if w := b.get(path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, no %q", path, w.Code, want)
		}
	}
	r.lines, r.s.Restart = lines.State{None: true}, nil
	if b.get("/door").Code != 404 || b.post("/door", "sure", "yes").Code != 404 || b.get("/restart").Code != 404 || b.post("/restart").Code != 404 {
		t.Error("what is not there can be used")
	}
}

// TestAim: begins by hand, shows the picture to who is logged in, and ends: by
// hand, when no page asks any more, after five minutes, at the log-out.
func TestAim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.s.aim.now, r.s.sessions.now = time.Now, time.Now
		ctx, cancel := contextWithCancel(t)
		done := make(chan struct{})
		go func() { r.s.watchAim(ctx); close(done) }()
		b := r.signedIn()
		picture := image.NewGray(image.Rect(0, 0, 1280, 720))
		for i := range picture.Pix {
			picture.Pix[i] = byte(i / 7 % 2 * 200)
		}
		r.s.Aimed(picture, qr.Finding{}) // before: nothing
		if w := b.get("/aim/frame"); w.Code != http.StatusGone || r.s.aim.gray.Pix != nil {
			t.Errorf("a picture without aim mode: %d", w.Code)
		}
		if w := b.get("/aim"); !strings.Contains(w.Body.String(), "아무도 입장할 수 없고") {
			t.Error("the page does not say what it does to visitors")
		}

		start := func() {
			t.Helper()
			if w := b.post("/aim"); w.Code != http.StatusSeeOther {
				t.Fatalf("%d", w.Code)
			}
		}
		ended := func(want bool) {
			t.Helper()
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			if off := !r.aims[len(r.aims)-1]; off != want || r.s.aim.on.Load() == want {
				t.Errorf("aims %v, ended should be %v", r.aims, want)
			}
		}
		start()
		if w := b.get("/"); !strings.Contains(w.Body.String(), "손님이 입장할 수 없습니다") {
			t.Error("today does not say that visitors wait")
		}
		r.s.Aimed(picture, qr.Finding{Problem: qr.TooSmall})
		w := b.get("/aim/frame?after=0")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/jpeg" || w.Header().Get("Frame-Serial") != "1" || w.Header().Get("Frame-Sharp") == "0" || w.Header().Get("Frame-Left") != "300" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		// The next picture is waited for, and none comes twice.
		go func() { time.Sleep(200 * time.Millisecond); r.s.Aimed(picture, qr.Finding{}) }()
		if w := b.get("/aim/frame?after=1"); w.Header().Get("Frame-Serial") != "2" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if w := b.get("/aim/frame?after=2"); w.Code != http.StatusNoContent {
			t.Errorf("%d", w.Code)
		}

		// The page is closed without a word.
		time.Sleep(aimSilence + time.Second)
		ended(true)
		// It is left open: five minutes, and the kiosk is told meanwhile that it goes on.
		start()
		told := func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.aims) }
		before := told()
		for range 290 {
			time.Sleep(time.Second)
			r.s.Aimed(picture, qr.Finding{})
			b.get("/aim/frame?after=0")
		}
		ended(false)
		if n := told() - before; n < 20 || n > 40 {
			t.Errorf("the kiosk was told %d times in 290 s that aim mode goes on", n)
		}
		for range 11 {
			time.Sleep(time.Second)
			b.get("/aim/frame?after=0")
		}
		ended(true)
		r.s.aim.mu.Lock()
		last := slices.Clone(r.s.aim.gray.Pix)
		r.s.aim.mu.Unlock()
		if slices.ContainsFunc(last, func(p byte) bool { return p != 0 }) {
			t.Error("the last picture is kept")
		}
		start()
		if w := b.post("/aim/stop"); w.Code != http.StatusSeeOther {
			t.Errorf("%d", w.Code)
		}
		ended(true)
		start()
		b.post("/logout")
		ended(true)
		b = r.signedIn()
		start()
		cancel()
		<-done
		ended(true) // the program stops
	})
}

func TestSharpness(t *testing.T) {
	edge := func(width int, light, dark byte) *image.Gray { // stripes whose edges are so many pixels wide
		g := image.NewGray(image.Rect(0, 0, 640, 360))
		for y := range 360 {
			for x := range 640 {
				p := x % 60
				v := float64(min(p, width)) / float64(width)
				if p >= 30 {
					v = 1 - float64(min(p-30, width))/float64(width)
				}
				g.Pix[y*g.Stride+x] = dark + byte(v*float64(light-dark))
			}
		}
		return g
	}
	sharp, soft, softer := sharpness(edge(1, 220, 20)), sharpness(edge(5, 220, 20)), sharpness(edge(15, 220, 20))
	if !(sharp > soft && soft > softer && softer > 0) {
		t.Errorf("sharpness %d, %d, %d", sharp, soft, softer)
	}
	if dim := sharpness(edge(5, 120, 20)); dim-soft > 2 || soft-dim > 2 {
		t.Errorf("%d in light, %d in the dark", soft, dim)
	}
	if n := sharpness(image.NewGray(image.Rect(0, 0, 640, 360))); n != 0 {
		t.Errorf("a wall has %d", n)
	}
	if n := sharpness(image.NewGray(image.Rect(0, 0, 1, 1))); n != 0 {
		t.Errorf("a point has %d", n)
	}
}

func TestShrink(t *testing.T) {
	for _, c := range []struct{ w, h, wantW, wantH int }{{1280, 720, 640, 360}, {640, 480, 640, 480}, {641, 20, 320, 10}, {3, 3, 3, 3}, {1920, 1080, 640, 360}} {
		from, to := image.NewGray(image.Rect(0, 0, c.w, c.h)), new(image.Gray)
		for i := range from.Pix {
			from.Pix[i] = 77
		}
		shrink(to, from)
		if to.Rect != image.Rect(0, 0, c.wantW, c.wantH) || slices.ContainsFunc(to.Pix, func(p byte) bool { return p != 77 }) {
			t.Errorf("%d×%d becomes %v", c.w, c.h, to.Rect)
		}
	}
}

// BenchmarkAimed is what aim mode costs the frame path.
func BenchmarkAimed(b *testing.B) {
	r := newRig(b)
	picture := image.NewGray(image.Rect(0, 0, 1280, 720))
	r.s.aim.start()
	b.ReportAllocs()
	for b.Loop() {
		r.wait(aimEvery)
		r.s.Aimed(picture, qr.Finding{})
	}
}

// TestLocal: the Internet gets no connection.
func TestLocal(t *testing.T) {
	own := func() []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("2001:db8:5::/64"), netip.MustParsePrefix("203.0.113.0/24")}
	}
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "192.168.0.20": true, "10.1.2.3": true, "172.16.9.9": true, "::ffff:192.168.0.20": true, "fe80::1": true, "fd00::7": true, "::1": true,
		"2001:db8:5::9": true, "203.0.113.4": true,
		"8.8.8.8": false, "203.0.114.4": false, "2001:db8:6::9": false, "172.32.0.1": false, "100.64.0.1": false,
	} {
		if got := local(&net.TCPAddr{IP: net.ParseIP(addr)}, own); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if local(&net.UnixAddr{}, own) {
		t.Error("what is no address is local")
	}
}

// TestCertificate: kept as long as it may be, since browsers ask again for
// another one.
func TestCertificate(t *testing.T) {
	now := noon
	c := &certificates{dir: t.TempDir(), today: func() time.Time { return now }}
	c.use(hostNames("k-7f3a9c2d"))
	first := c.fingerprint()
	one, err := c.get(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Leaf.VerifyHostname("munjigi.local"); err != nil {
		t.Error(err)
	}
	if err := one.Leaf.VerifyHostname("munjigi-9c2d.local"); err != nil {
		t.Error(err)
	}
	if life := one.Leaf.NotAfter.Sub(one.Leaf.NotBefore); life > 825*24*time.Hour {
		t.Errorf("lives %v: phones refuse that", life)
	}
	if !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(first) {
		t.Errorf("fingerprint %q", first)
	}
	again := &certificates{dir: c.dir, today: c.today} // a restart
	again.use(hostNames("k-7f3a9c2d"))
	now = noon.Add(700 * 24 * time.Hour)
	if got := again.fingerprint(); got != first {
		t.Error("another certificate after a restart")
	}
	if kept, err := Fingerprint(c.dir); err != nil || kept != first {
		t.Errorf("%q, %v", kept, err)
	}
	now = noon.Add(790 * 24 * time.Hour)
	if got := again.fingerprint(); got == first || got == "" {
		t.Error("the same certificate at its end")
	}
	second := again.fingerprint()
	now = noon // the clock was wrong when it was made
	if got := again.fingerprint(); got == second {
		t.Error("a certificate of the future")
	}
	third := again.fingerprint()
	again.use(hostNames("k-00001111"))
	if got := again.fingerprint(); got == third {
		t.Error("another kiosk's certificate")
	}
	if info, err := os.Stat(filepath.Join(c.dir, CertificateFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, CertificateFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := &certificates{dir: c.dir, today: c.today}
	damaged.use(hostNames("k"))
	if _, err := damaged.current(); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("%v", err)
	}
}

// TestTexts: the two languages say the same things, and every key that a page
// or the program asks for is there.
func TestTexts(t *testing.T) {
	ko, err := loadWords("ko")
	if err != nil {
		t.Fatal(err)
	}
	en, err := loadWords("en")
	if err != nil {
		t.Fatal(err)
	}
	holes := regexp.MustCompile(`\{[a-z]+\}`)
	for key, text := range ko {
		other, ok := en[key]
		if !ok {
			t.Errorf("en.toml lacks %s", key)
		}
		a, b := holes.FindAllString(text, -1), holes.FindAllString(other, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s has other values: %v, %v", key, a, b)
		}
	}
	for key := range en {
		if _, ok := ko[key]; !ok {
			t.Errorf("ko.toml lacks %s", key)
		}
	}
	all, err := files.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\bt "([a-z_.0-9]+)"`)
	for _, f := range all {
		data, err := files.ReadFile("web/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(data), -1) {
			if _, ok := ko[m[1]]; !ok {
				t.Errorf("%s asks for %s, which is no text", f.Name(), m[1])
			}
		}
	}
	for _, name := range append([]string{"unclear"}, mapValues(findings)...) {
		if ko["finding."+name] == "" {
			t.Errorf("finding.%s is missing", name)
		}
	}
	for _, key := range done {
		if ko["done."+key] == "" {
			t.Errorf("done.%s is missing", key)
		}
	}
	if err := Words(Condition{Part: "keys", State: "none-such", Level: display.Bad}); err == nil {
		t.Error("a state without words is not noticed")
	}
}

func mapValues(m map[qr.Problem]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// TestNames: each kiosk has a name of its own, and the one with the lowest id
// the name that owners are told.
func TestNames(t *testing.T) {
	if got := ownName("k-7f3a9c2d"); got != "munjigi-9c2d.local" {
		t.Errorf("%s", got)
	}
	if got := ownName("가-X1"); got != "munjigi-x1.local" {
		t.Errorf("%s", got)
	}
	n := &names{kiosk: "k-5555aaaa", port: 8443, leads: true}
	asks := func(name string) int { return len(n.Records(question(name))) }
	if len(addresses()) > 0 {
		for name, want := range map[string]bool{"munjigi.local.": true, "Munjigi.Local.": true, "munjigi-aaaa.local.": true, "munjigi-bbbb.local.": false, "other.local.": false} {
			if got := asks(name) > 0; got != want {
				t.Errorf("%s is answered: %v", name, got)
			}
		}
	}
	n.meet([]string{"k-5555aaaa", "k-7777bbbb", "<script>", "k-7777bbbb", strings.Repeat("k", 80)})
	if !n.leads || !slices.Equal(n.Others(), []string{"munjigi-bbbb.local"}) {
		t.Errorf("leads %v among %v", n.leads, n.Others())
	}
	n.meet([]string{"k-1111cccc", "k-7777bbbb"})
	if n.leads || len(n.Others()) != 2 || len(addresses()) > 0 && asks("munjigi.local.") != 0 {
		t.Errorf("leads %v among %v", n.leads, n.Others())
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = "k-9" + strings.Repeat("z", 3) + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	n.meet(many)
	if len(n.Others()) > 16 || !n.leads {
		t.Errorf("%d others", len(n.Others()))
	}
}
