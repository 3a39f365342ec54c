package owners

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// town is two businesses with a branch and a kiosk each, and staff of the first.
type town struct {
	*house
	boss, staff, other         *browser
	branch, otherBranch        string // addresses
	kiosk, otherKiosk          string
	staffAccount, otherAccount string
}

func newTown(h *house) *town {
	h.t.Helper()
	w := &town{house: h}
	w.boss, w.other = h.boss(business1, "haneul@example.com"), h.boss(business2, "bada@example.com")
	w.staff = h.staff(w.boss, "minsu")
	w.branch, w.otherBranch = w.boss.branch("본점"), w.other.branch("바다점")
	w.kiosk = h.enrol(w.boss.code(w.branch+"/code", "door", "정문"), "door-1")
	w.otherKiosk = h.enrol(w.other.code(w.otherBranch+"/code"), "door-2")
	w.staffAccount, w.otherAccount = h.accountOf("minsu"), h.accountOf("bada@example.com")
	return w
}

func (h *house) accountOf(login string) (id string) {
	h.t.Helper()
	if err := h.db.SQL().QueryRow(`SELECT id FROM accounts WHERE login = $1`, login).Scan(&id); err != nil {
		h.t.Fatal(err)
	}
	return id
}

// at is a route's address for a branch, a kiosk and an account.
func at(path, branch, kiosk, account string) string {
	return strings.NewReplacer("{$}", "", "{facility}", facilityOf(branch), "{kiosk}", kiosk, "{account}", account, "{token}", "no-such-token").Replace(path)
}

// state is all that forms can change, as text.
func (h *house) state() string {
	h.t.Helper()
	var all strings.Builder
	for _, query := range []string{
		`SELECT login || role || name || password FROM accounts ORDER BY id`, `SELECT id || name || representative || phone FROM owners ORDER BY id`,
		`SELECT id || name FROM facilities ORDER BY id`, `SELECT id || COALESCE(revoked, 0) FROM kiosks ORDER BY id`,
		`SELECT id FROM codes ORDER BY id`, `SELECT facility || opens || closes FROM branch_hours ORDER BY facility`, `SELECT hash FROM owner_links ORDER BY hash`, `SELECT account FROM owner_sessions ORDER BY hash`,
	} {
		rows, err := h.db.SQL().Query(query)
		if err != nil {
			h.t.Fatal(err)
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				h.t.Fatal(err)
			}
			fmt.Fprintln(&all, text)
		}
		if err := rows.Err(); err != nil {
			h.t.Fatal(err)
		}
	}
	return all.String()
}

// full is a form that every route would take.
var full = []string{
	"name", "x", "kind", "restaurant", "representative", "x", "phone", "0212345678", "hours", "1", "opens", "09:00", "closes", "22:00", "role", "boss", "password", password1, "new-password", "ein ganz neues Passwort",
	"person", "x", "login", "intruder", "business", "1208147521", "agree", "yes",
}

// Who may do what: every route for everybody, by the table the server itself
// is made of, so that none can be forgotten.
func TestRights(t *testing.T) {
	w := newTown(lite(t))
	for _, r := range w.server.routes {
		if r.who == anybody {
			continue
		}
		own := at(r.path, w.branch, w.kiosk, w.staffAccount)
		ask := func(b *browser, path string) answer {
			if r.method == http.MethodPost {
				return b.post(path, full...)
			}
			return b.get(path)
		}
		before := w.state()
		if a := ask(w.browser(), own); a.status != http.StatusSeeOther || a.location() != "/login" {
			t.Errorf("%s %s without a session: %d %s", r.method, own, a.status, a.location())
		}
		if r.who == bossOnly {
			if a := ask(w.staff, own); a.status != http.StatusForbidden {
				t.Errorf("%s %s by staff: %d", r.method, own, a.status)
			}
		}
		// Another business's boss, and the own branch with another's kiosk.
		if strings.Contains(r.path, "{facility}") || strings.Contains(r.path, "{account}") {
			if a := ask(w.other, own); a.status != http.StatusNotFound {
				t.Errorf("%s %s by another owner: %d", r.method, own, a.status)
			}
			foreign := at(r.path, w.branch, w.otherKiosk, w.otherAccount)
			if strings.Contains(r.path, "{kiosk}") || strings.Contains(r.path, "{account}") {
				if a := ask(w.boss, foreign); a.status != http.StatusNotFound {
					t.Errorf("%s %s with what is another's: %d", r.method, foreign, a.status)
				}
			}
			never := at(r.path, "/branches/f-00000000", "k-00000000", "nobody")
			if a := ask(w.boss, never); a.status != http.StatusNotFound {
				t.Errorf("%s %s, which never was: %d", r.method, never, a.status)
			}
		}
		if after := w.state(); after != before {
			t.Errorf("%s %s was refused and yet changed something", r.method, own)
		}
	}
	// The same routes do open for whom they are meant.
	for _, r := range w.server.routes {
		if r.method != http.MethodGet || r.who == anybody {
			continue
		}
		own := at(r.path, w.branch, w.kiosk, w.staffAccount)
		if a := w.boss.get(own); a.status != http.StatusOK {
			t.Errorf("GET %s by the boss: %d", own, a.status)
		}
		if r.who == signedIn {
			if a := w.staff.get(own); a.status != http.StatusOK {
				t.Errorf("GET %s by staff: %d", own, a.status)
			}
		}
	}
}

// Forms of other sites change nothing (CSRF), whoever is signed in.
func TestForeignForms(t *testing.T) {
	w := newTown(lite(t))
	before := w.state()
	for _, headers := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
		{"Sec-Fetch-Site": {"cross-site"}, "Origin": {w.http.URL}},
	} {
		w.boss.header = headers
		for _, r := range w.server.routes {
			if r.method != http.MethodPost {
				continue
			}
			path := at(r.path, w.branch, w.kiosk, w.staffAccount)
			if a := w.boss.post(path, full...); a.status != http.StatusForbidden {
				t.Errorf("POST %s with %v: %d", path, headers, a.status)
			}
		}
	}
	if w.state() != before {
		t.Error("a foreign form changed something")
	}
	w.boss.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {w.http.URL}}
	w.boss.must(w.branch+"/name", "name", "강남점")
	// A link from elsewhere opens a page, but never does anything: no address
	// that takes a form answers a plain request by doing it.
	w.boss.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	before = w.state()
	for _, r := range w.server.routes {
		if r.method == http.MethodPost {
			w.boss.get(at(r.path, w.branch, w.kiosk, w.staffAccount) + "?" + url.Values{"name": {"x"}, "hours": {"1"}, "role": {"boss"}}.Encode())
		}
	}
	if w.state() != before {
		t.Error("a link changed something")
	}
}

func cookie(a answer) *http.Cookie {
	for _, line := range a.header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == sessionCookie {
			return c
		}
	}
	return nil
}

// A cookie that somebody planted is never the one a person is signed in by.
func TestFixation(t *testing.T) {
	h := lite(t)
	h.boss(business1, "haneul@example.com")
	b := h.browser()
	b.header = http.Header{"Cookie": {sessionCookie + "=planted"}}
	a := b.post("/login", "login", "haneul@example.com", "password", password1)
	first := cookie(a)
	if first == nil || first.Value == "planted" || len(first.Value) < 43 {
		t.Fatalf("%+v", first)
	}
	if !first.Secure || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" || first.Domain != "" || !strings.HasPrefix(first.Name, "__Host-") {
		t.Errorf("the cookie is not guarded: %+v", first)
	}
	if a := b.get("/"); a.location() != "/login" {
		t.Error("the planted cookie opens the pages")
	}
	// Signing in again, and a new password, each take a fresh one and end the old.
	b.header = http.Header{"Cookie": {sessionCookie + "=" + first.Value}}
	second := cookie(b.post("/login", "login", "haneul@example.com", "password", password1))
	if second == nil || second.Value == first.Value {
		t.Fatal("a login keeps the cookie")
	}
	if a := b.get("/"); a.location() != "/login" {
		t.Error("the cookie before the login lives on")
	}
	b.header = http.Header{"Cookie": {sessionCookie + "=" + second.Value}}
	third := cookie(b.post("/account/password", "password", password1, "new-password", password2))
	if third == nil || third.Value == second.Value {
		t.Fatal("a new password keeps the cookie")
	}
	if a := b.get("/"); a.location() != "/login" {
		t.Error("the cookie before the new password lives on")
	}
	// What is kept opens nothing: neither cookie nor link is in the database.
	var hash string
	if err := h.db.SQL().QueryRow(`SELECT hash FROM owner_sessions`).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	b.header = http.Header{"Cookie": {sessionCookie + "=" + hash}}
	if a := b.get("/"); a.location() != "/login" {
		t.Error("what the database keeps of a session opens the pages")
	}
}

// How many guesses somebody gets who never rests: at one account wherever they
// come from, and from one address whatever they guess at.
func TestGuessing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, c := range []struct {
			limit limit
			most  int
		}{{loginByAccount, 110}, {loginByAddress, 140}} {
			day, guesses := t0.Add(24*time.Hour), 0
			for now := t0; now.Before(day); {
				var early WaitError
				err := h.server.guard.try(t.Context(), c.limit, "somebody", now)
				switch {
				case err == nil:
					guesses++
				case errors.As(err, &early):
					now = now.Add(early.Wait)
				default:
					t.Fatal(err)
				}
			}
			t.Logf("%s: %d guesses a day", c.limit.name, guesses)
			if guesses > c.most || guesses < c.limit.free {
				t.Errorf("%s: %d guesses a day, want %d to %d", c.limit.name, guesses, c.limit.free, c.most)
			}
		}
		// A day of peace forgives everything; the day after begins anew.
		if err := h.server.guard.try(t.Context(), loginByAccount, "somebody", t0.Add(49*time.Hour)); err != nil {
			t.Error(err)
		}
		// Many at once are counted too.
		var wait sync.WaitGroup
		var mu sync.Mutex
		passed := 0
		for range 40 {
			wait.Go(func() {
				if err := h.server.guard.try(t.Context(), loginByAccount, "crowd", t0); err == nil {
					mu.Lock()
					passed++
					mu.Unlock()
				} else if !errors.As(err, new(WaitError)) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if passed != loginByAccount.free {
			t.Errorf("%d of 40 guesses at once are looked at, want %d", passed, loginByAccount.free)
		}
	})
}

// The answers to wrong logins are the same whether there is such an account,
// up to the letter and to the delay.
func TestNoEnumeration(t *testing.T) {
	h := lite(t)
	h.boss(business1, "haneul@example.com")
	b := h.browser()
	for n := range loginByAccount.free + 3 {
		known := b.post("/login", "login", "haneul@example.com", "password", "wrong password")
		unknown := b.post("/login", "login", "nobody@example.com", "password", "wrong password")
		if strings.ReplaceAll(known.body, "haneul@", "nobody@") != unknown.body || known.status != unknown.status || known.header.Get("Retry-After") != unknown.header.Get("Retry-After") {
			t.Fatalf("try %d tells: %d %d", n, known.status, unknown.status)
		}
		want := http.StatusUnprocessableEntity
		if n >= loginByAccount.free {
			want = http.StatusTooManyRequests
		}
		if known.status != want {
			t.Errorf("try %d: %d, want %d", n, known.status, want)
		}
	}
	// The right password does not help while the delay lasts, and does after it.
	if a := b.post("/login", "login", "haneul@example.com", "password", password1); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "30" {
		t.Error(a.status, a.header.Get("Retry-After"))
	}
	h.pass(30 * time.Second)
	b.must("/login", "login", "haneul@example.com", "password", password1)
	for range loginByAccount.free {
		if a := b.post("/login", "login", "haneul@example.com", "password", "wrong password"); a.status != http.StatusUnprocessableEntity {
			t.Error("a success does not begin anew", a.status)
		}
	}
}

// Whoever has an account of their own does not guess at others' from it for ever.
func TestOwnLoginDoesNotFreeTheAddress(t *testing.T) {
	h := lite(t)
	h.boss(business1, "haneul@example.com")
	h.boss(business2, "victim@example.com")
	b := h.browser()
	guesses := 0
	for n := range 200 {
		switch a := b.post("/login", "login", fmt.Sprintf("victim%d", n%50), "password", "guess"); a.status {
		case http.StatusUnprocessableEntity:
			guesses++
		case http.StatusTooManyRequests:
		default:
			t.Fatal(a.status)
		}
		if n%3 == 0 {
			b.post("/login", "login", "haneul@example.com", "password", password1)
		}
	}
	if guesses > 2*loginByAddress.free {
		t.Errorf("%d guesses pass from one address", guesses)
	}
}

// Headers that anybody may write make nobody another.
func TestForwardedIsNotBelieved(t *testing.T) {
	h := lite(t)
	b := h.browser()
	limited := 0
	for n := range loginByAddress.free + 5 {
		b.header = http.Header{"X-Forwarded-For": {fmt.Sprintf("203.0.113.%d", n)}, "Forwarded": {fmt.Sprintf("for=203.0.113.%d", n)}}
		if a := b.post("/login", "login", fmt.Sprint("somebody", n), "password", "x"); a.status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("a header that anybody may write makes a fresh address")
	}
}
