package owners

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
)

const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`

// Names are shown as they are and never as markup, on every page.
func TestNamesAreNoMarkup(t *testing.T) {
	h := lite(t)
	b := h.browser()
	b.must("/signup", "business", business1, "name", evil, "representative", evil, "phone", "0212345678", "person", evil, "login", "haneul@example.com", "new-password", password1, "agree", "yes")
	branch := b.branch(evil)
	kiosk := h.enrol(b.code(branch+"/code", "door", evil), "door-1")
	h.staff(b, "minsu")
	staff := h.accountOf("minsu")
	h.pass(time.Hour)
	for _, r := range h.server.routes {
		if r.method != http.MethodGet || strings.HasSuffix(r.path, ".csv") {
			continue
		}
		a := b.get(at(r.path, branch, kiosk, staff))
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "<img") {
			t.Errorf("GET %s runs what a name says", r.path)
		}
		csp := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: content security policy %q", r.path, csp)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := a.header.Get(header); got != want {
				t.Errorf("GET %s: %s is %q", r.path, header, got)
			}
		}
		if regexp.MustCompile(`(?i) (style|on\w+)="`).MatchString(a.body) {
			t.Errorf("GET %s has an inline style or handler, which its policy forbids", r.path)
		}
	}
	// What was typed comes back as text too, and passwords never do.
	a := b.post("/signup", "business", evil, "name", evil, "login", evil, "new-password", "geheim geheim", "person", evil, "phone", evil)
	if a.status != 422 || strings.Contains(a.body, "<script") || strings.Contains(a.body, "geheim") {
		t.Error("a refused form comes back as markup or with the password")
	}
	for _, path := range []string{"/?lang=" + url.QueryEscape(evil), "/?done=" + url.QueryEscape(evil), "/nowhere" + url.PathEscape(evil), branch + "?day=" + url.QueryEscape(evil)} {
		if a := b.get(path); strings.Contains(a.body, "<script") {
			t.Errorf("GET %s runs what an address says", path)
		}
	}
	for _, name := range []string{"", "   ", "a\x00b", "x\u202egnp.exe", strings.Repeat("긴", 61), "\xff"} {
		if a := b.post("/branches", "name", name, "kind", "restaurant"); a.status != 422 {
			t.Errorf("a branch may be called %q: %d", name, a.status)
		}
	}
	if a := b.post("/branches", "name", "x", "kind", "casino"); a.status != 422 {
		t.Error("a kind nobody has a policy for is taken", a.status)
	}
}

// A table is no program and its name no header.
func TestTables(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	for name, cell := range map[string]string{
		`=HYPERLINK("https://evil.example","x")`: `"'=HYPERLINK(""https://evil.example"",""x"")",`,
		"+1-1":                                   "'+1-1,", "@SUM(A1)": "'@SUM(A1),", "-2+3": "'-2+3,", "＝1": "'＝1,",
		"본점, \"강남\"": `"본점, ""강남""",`,
	} {
		branch := b.branch(name)
		for _, file := range []string{"/hours.csv", "/days.csv"} {
			a := b.get(branch + file)
			if !strings.Contains(a.body, "\r\n"+cell) {
				t.Errorf("%s writes %q as %.80q", file, name, a.body)
			}
			if got := a.header.Get("Content-Disposition"); !regexp.MustCompile(`^attachment; filename="visits-[0-9a-z-]+\.csv"$`).MatchString(got) {
				t.Errorf("%s: %q", file, got)
			}
		}
		if a := b.get(branch + "/hours.csv?day=" + url.QueryEscape("2026-11-22\r\nSet-Cookie: a=b")); a.status != 404 || a.header.Get("Set-Cookie") != "" {
			t.Error("a day in an address reaches a header", a.status)
		}
	}
	if a := b.post("/branches", "name", "본점\r\n=1+1", "kind", "restaurant"); a.status == 303 {
		if csv := b.see(strings.TrimSuffix(a.location(), "?done=branch") + "/days.csv"); strings.Contains(csv, "\n=1") {
			t.Error("a name makes a row of its own")
		}
	}
}

// Nothing leads to another site: no address that is asked for, no header.
func TestNoWayOut(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	liar := h.browser()
	liar.header = http.Header{"Host": {"evil.example"}, "X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example"}}
	if a := liar.post("/recover", "login", "haneul@example.com"); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	inside := func(path string, a answer) {
		t.Helper()
		if to := a.location(); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`)) {
			t.Errorf("%s leads to %s", path, to)
		}
		if strings.Contains(a.body, `href="https://evil`) || strings.Contains(a.body, `href="//`) || strings.Contains(a.body, `action="//`) {
			t.Errorf("%s links to another site", path)
		}
	}
	for _, path := range []string{"/login?next=//evil.example", "/login?next=https://evil.example", "/?lang=en&next=//evil.example", "//evil.example/", "//evil.example/%2e%2e", "/\\evil.example", "/branches//evil.example"} {
		inside(path, b.get(path))
		inside(path, h.browser().get(path))
	}
	out := h.browser()
	out.header = http.Header{"X-Forwarded-Host": {"evil.example"}}
	inside("/login", out.post("/login?next=//evil.example", "login", "haneul@example.com", "password", password1, "next", "//evil.example"))
	h.work()
	if len(h.outbox.Messages()) != 1 {
		t.Error("no mail is sent")
	}
	for _, m := range h.outbox.Messages() {
		if strings.Contains(m.Text, "evil") || !strings.Contains(m.Text, "https://registry.example/recover/") {
			t.Errorf("a mail's link goes by what a browser claims: %s", m.Text)
		}
	}
}

// An invitation makes staff, whatever the form asks for, and one of them.
func TestInvitation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		link := boss.link("/staff/invite")
		var group sync.WaitGroup
		statuses := make([]int, 4)
		for i := range statuses {
			b := h.browser()
			group.Go(func() {
				statuses[i] = b.post(link, "person", "x", "login", fmt.Sprint("crowd", i), "new-password", password2, "role", "boss", "owner", "x").status
			})
		}
		group.Wait()
		made := 0
		for _, s := range statuses {
			if s == http.StatusSeeOther {
				made++
			} else if s != http.StatusGone && s != http.StatusServiceUnavailable {
				t.Errorf("status %d", s)
			}
		}
		var n, bosses int
		if err := h.db.SQL().QueryRow(`SELECT count(*), sum(CASE WHEN role = 'boss' THEN 1 ELSE 0 END) FROM accounts`).Scan(&n, &bosses); err != nil {
			t.Fatal(err)
		}
		if made != 1 || n != 2 || bosses != 1 {
			t.Errorf("one invitation made %d accounts (%v), %d bosses", n-1, statuses, bosses)
		}
		link = boss.link("/staff/invite")
		h.pass(InviteLife)
		if a := h.browser().get(link); a.status != http.StatusGone {
			t.Error("an invitation outlives its time", a.status)
		}
	})
}

// What is kept and what is logged opens nothing and names nobody.
func TestNothingToFind(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	link := b.link("/staff/invite")
	h.browser().post("/recover", "login", "haneul@example.com")
	h.browser().post("/login", "login", password1, "password", password1) // a password in the wrong field
	h.work()
	recovery := linkText.FindStringSubmatch(h.outbox.Messages()[0].Text)[1]
	kept := h.state()
	rows, err := h.db.SQL().Query(`SELECT subject FROM owner_tries`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var subject string
		if err := rows.Scan(&subject); err != nil {
			t.Fatal(err)
		}
		kept += subject + "\n"
	}
	for _, secret := range []string{password1, strings.TrimPrefix(link, "/invite/"), strings.TrimPrefix(recovery, "/recover/"), "127.0.0.1"} {
		if strings.Contains(kept, secret) {
			t.Errorf("the database holds %q", secret)
		}
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if strings.Contains(h.log.String(), "haneul") {
		t.Error("the log names somebody")
	}
}

// What is typed is a value, never a query.
func TestQueries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.boss(business1, "haneul@example.com")
		before := h.state()
		for _, evil := range []string{`' OR '1'='1`, `'; DROP TABLE accounts; --`, `haneul@example.com' --`, `" OR ""="`, `%`, `$1`} {
			if a := h.browser().post("/login", "login", evil, "password", evil); a.status != http.StatusUnprocessableEntity {
				t.Errorf("login %q: %d", evil, a.status)
			}
			for _, path := range []string{"/branches/", "/recover/", "/invite/"} {
				if a := b.get(path + url.PathEscape(evil)); a.status != http.StatusNotFound && a.status != http.StatusGone {
					t.Errorf("GET %s%q: %d", path, evil, a.status)
				}
			}
		}
		if h.state() != before {
			t.Error("a query got through")
		}
		branch := b.branch(`'; DROP TABLE facilities; --`)
		if body := b.see(branch); !strings.Contains(body, "DROP TABLE facilities") {
			t.Error("a name is not shown as it is")
		}
	})
}

// A crowd at the login is turned away before it takes the whole registry.
func TestCrowd(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	for range maxPages {
		h.server.slots <- struct{}{}
	}
	if a := b.get("/login"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "기록은 사라지지 않습니다") {
		t.Error(a.status, a.header)
	}
	<-h.server.slots
	b.see("/")
	b.see("/")
}

func TestLargeForms(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	for _, path := range []string{"/login", "/signup", "/branches", "/recover"} {
		if a := b.post(path, "name", strings.Repeat("x", maxForm)); a.status != http.StatusBadRequest {
			t.Errorf("POST %s with %d bytes: %d", path, maxForm, a.status)
		}
	}
}

// An owner asks for what is not there any more: the same answer as for another
// owner's.
func TestDaysAreBounded(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	branch := b.branch("본점")
	today := store.DayOf(t0)
	for day, want := range map[store.Day]int{today: 200, today - store.Days + 1: 200, today - store.Days: 404, today + 1: 404} {
		for _, path := range []string{"", "/hours.csv"} {
			if a := b.get(branch + path + "?day=" + day.String()); a.status != want {
				t.Errorf("%s %s: %d, want %d", path, day, a.status, want)
			}
		}
	}
}
