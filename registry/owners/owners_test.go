package owners

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
)

// From nothing to counts, on both engines.
func TestOwner(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		if body := boss.see("/"); !strings.Contains(body, "환영합니다") || !strings.Contains(body, "하늘 카페") {
			t.Error("a new owner is not welcomed")
		}
		branch := boss.branch("본점")
		id := facilityOf(branch)
		text := boss.code(branch+"/code", "door", "정문")
		kiosk := h.enrol(text, "door-1")
		if body := boss.see(branch); !strings.Contains(body, "정문") || !strings.Contains(body, "첫 신호 기다림") {
			t.Error("an enrolled kiosk is not on the page")
		}
		h.beat(kiosk, well())
		h.visits(id, kiosk, t0.Add(-time.Hour), 1234)
		h.visits(id, kiosk, t0.AddDate(0, 0, -3), 20)
		body := boss.see(branch)
		for _, want := range []string{"1,234", "정상", "정문", "11시: 1,234", "11월 19일 (목): 20", "기록</span> QR을 확인하고 방문을 기록합니다."} {
			if !strings.Contains(body, want) {
				t.Errorf("the branch's page lacks %q", want)
			}
		}
		if body := boss.see("/"); !strings.Contains(body, "1,234") {
			t.Error("home lacks the day's visits")
		}
		if body := boss.see(branch + "?day=2026-11-19"); !strings.Contains(body, "12시: 20") || !strings.Contains(body, "다음 날") {
			t.Error("an earlier day is not shown")
		}
		for _, day := range []string{"2026-11-23", "2026-10-25", "yesterday", "2026-11-19'--"} {
			if a := boss.get(branch + "?day=" + url.QueryEscape(day)); a.status != http.StatusNotFound {
				t.Errorf("day %s: %d", day, a.status)
			}
		}
		if body := boss.see(branch + "?day=2026-10-26"); strings.Contains(body, "전날") {
			t.Error("a day that is gone is offered")
		}
		csv := boss.see(branch + "/hours.csv?day=2026-11-22")
		if !strings.HasPrefix(csv, "\ufeff지점,날짜,시,방문\r\n본점,2026-11-22,0,0\r\n") || !strings.Contains(csv, "본점,2026-11-22,11,1234\r\n") {
			t.Errorf("%q", csv)
		}
		if csv := boss.see(branch + "/days.csv"); !strings.Contains(csv, "본점,2026-11-19,20\r\n") || strings.Count(csv, "\r\n") != 15 {
			t.Errorf("%q", csv)
		}
		proof := boss.see(branch + "/proof")
		for _, want := range []string{"124-81-00998", "하늘 카페", "2026년 11월 22일 (일) 12:40", "1,234건", "정상"} {
			if !strings.Contains(proof, want) {
				t.Errorf("the inspector's page lacks %q", want)
			}
		}
		if paper := boss.see(branch + "/paper"); !strings.Contains(paper, "개인안심번호") || !strings.Contains(paper, "거주지") {
			t.Error("the paper form lacks its fields")
		}
		boss.must(branch+"/name", "name", "강남점")
		if body := boss.see(branch); !strings.Contains(body, "강남점") {
			t.Error("the branch is not renamed")
		}

		// A broken device is replaced under the same kiosk.
		page := branch + "/kiosks/" + kiosk
		if again := h.enrol(boss.code(page+"/code"), "door-1b"); again != kiosk {
			t.Errorf("replaced %s is %s", kiosk, again)
		}
		boss.must(page + "/revoke")
		if body := boss.see(page); !strings.Contains(body, "해지한 단말기") || strings.Contains(body, page+"/revoke") {
			t.Error("a revoked kiosk does not say so")
		}
		if k, err := h.book.Kiosk(t.Context(), kiosk); err != nil || k.Revoked.IsZero() {
			t.Error("the kiosk is not revoked", err)
		}
		if body := boss.see(branch); !strings.Contains(body, "해지한 단말기 1대") {
			t.Error("the branch hides a revoked kiosk")
		}

		h.sign(8, pass.ModeVerifyOnly, t0.Add(-time.Hour))
		if body := boss.see(branch); !strings.Contains(body, "확인만</span>") {
			t.Error("the policy is not shown")
		}
		if english := boss.see("/?lang=en"); !strings.Contains(english, "Visits today") || !strings.Contains(boss.see(branch), "Checking only") {
			t.Error("no English")
		}
		if logged := h.log.String(); strings.Contains(logged, "haneul@") || strings.Contains(logged, "김하늘") || strings.Contains(logged, text) {
			t.Errorf("the log names somebody:\n%s", logged)
		}
	})
}

func TestAccounts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "Haneul@Example.com ")
		// The business and the login are taken now.
		other := h.browser()
		sign := func(business, login string) answer {
			return other.post("/signup", "business", business, "name", "바다", "representative", "이바다", "phone", "0212345678", "person", "이바다", "login", login, "new-password", password2, "agree", "yes")
		}
		if a := sign("124-81-00998", "bada"); a.status != 422 || !strings.Contains(a.body, "이미 가입된 사업자") {
			t.Error(a.status, problems(a.body))
		}
		if a := sign(business2, "haneul@example.com"); a.status != 422 || !strings.Contains(a.body, "이미 쓰고 있는") {
			t.Error(a.status, problems(a.body))
		}
		if a := other.get("/"); a.location() != "/login" {
			t.Error("a refused sign-up signs in")
		}
		if a := sign(business2, "bada"); a.status != 303 {
			t.Error("a sign-up that failed half has left something behind", a.status, problems(a.body))
		}

		staff := h.staff(boss, "minsu")
		if body := staff.see("/"); strings.Contains(body, "/staff") || strings.Contains(body, "/branches\"") {
			t.Error("staff are offered what they may not do")
		}
		list := boss.see("/staff")
		ids := regexp.MustCompile(`/staff/(\w+)/link`).FindStringSubmatch(list)
		if ids == nil {
			t.Fatal(problems(list))
		}
		id := ids[1]

		// A changed role ends the session: nobody goes on with old rights.
		boss.must("/staff/"+id+"/role", "role", "boss")
		if a := staff.get("/"); a.location() != "/login" {
			t.Error("a session outlives a change of rights")
		}
		staff.must("/login", "login", "MINSU", "password", password2)
		staff.see("/staff")
		boss.must("/staff/"+id+"/role", "role", "boss") // sent twice: nothing changes
		staff.see("/staff")
		boss.must("/staff/"+id+"/role", "role", "staff")
		staff.must("/login", "login", "minsu", "password", password2)
		if a := staff.get("/staff"); a.status != 403 {
			t.Error("staff see the staff page", a.status)
		}

		// The boss hands out a link for a new password.
		reset := boss.link("/staff/" + id + "/link")
		if a := staff.post(reset, "new-password", "짧다"); a.status != 422 {
			t.Error("a short password is taken", a.status)
		}
		if to := staff.must(reset, "new-password", "새로 정한 비밀번호"); to != "/login?done=recovered" {
			t.Error(to)
		}
		if a := staff.get("/"); a.location() != "/login" {
			t.Error("a session outlives a recovered password")
		}
		if a := staff.post(reset, "new-password", "새로 정한 비밀번호"); a.status != http.StatusGone {
			t.Error("a link works twice", a.status)
		}
		if a := staff.post("/login", "login", "minsu", "password", password2); a.status != 422 {
			t.Error("the old password works", a.status)
		}
		staff.must("/login", "login", "minsu", "password", "새로 정한 비밀번호")

		// One's own new password needs the present one and ends other sessions.
		phone := h.browser()
		phone.must("/login", "login", "minsu", "password", "새로 정한 비밀번호")
		if a := staff.post("/account/password", "password", "falsch", "new-password", password2); a.status != 422 {
			t.Error(a.status)
		}
		staff.must("/account/password", "password", "새로 정한 비밀번호", "new-password", password2)
		staff.see("/account")
		if a := phone.get("/"); a.location() != "/login" {
			t.Error("another session outlives a changed password")
		}
		phone.must("/login", "login", "minsu", "password", password2)
		staff.must("/account/logout")
		if a := phone.get("/"); a.location() != "/login" {
			t.Error("logout everywhere leaves a session")
		}

		// Removed people are out at once; the last boss and oneself stay.
		phone.must("/login", "login", "minsu", "password", password2)
		boss.must("/staff/" + id + "/remove")
		if a := phone.get("/"); a.location() != "/login" {
			t.Error("a removed account is signed in")
		}
		var own string
		if err := h.db.SQL().QueryRow(`SELECT id FROM accounts WHERE login = 'haneul@example.com'`).Scan(&own); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/remove", "/role", "/link"} {
			if a := boss.post("/staff/"+own+path, "role", "staff"); a.status != 404 {
				t.Errorf("a boss's own %s: %d", path, a.status)
			}
		}

		boss.must("/account/business", "name", "하늘 카페 (주)", "representative", "박하늘", "phone", "031-123-4567")
		if body := boss.see("/account"); !strings.Contains(body, "하늘 카페 (주)") || !strings.Contains(body, "031-123-4567") {
			t.Error("the business is not changed")
		}
		boss.must("/logout")
		if a := boss.get("/"); a.location() != "/login" {
			t.Error("logout leaves a session")
		}
	})
}

// Who deletes an account leaves nothing of themselves, and with the last boss
// nothing of the business but the names of its branches.
func TestLeave(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		w := newTown(h)
		rows := func(query string, args ...any) (n int) {
			t.Helper()
			if err := h.db.SQL().QueryRow(query, args...).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if a := w.staff.post("/account/leave", "password", "falsch"); a.status != 422 {
			t.Error("a wrong password deletes", a.status)
		}
		w.staff.see("/")
		if to := w.staff.must("/account/leave", "password", password2); to != "/login?done=deleted" {
			t.Error(to)
		}
		if a := w.staff.get("/"); a.location() != "/login" {
			t.Error("a deleted account is signed in")
		}
		if a := w.staff.post("/login", "login", "minsu", "password", password2); a.status != 422 {
			t.Error("a deleted account can log in", a.status)
		}
		w.boss.see(w.branch)

		// The last boss goes only behind the kiosks.
		second := h.staff(w.boss, "second")
		w.boss.link("/staff/invite")
		code := w.boss.code(w.branch + "/code")
		body := w.boss.see("/account/leave")
		if !strings.Contains(body, "정문") || strings.Contains(body, `type="password"`) {
			t.Error("the page does not say which kiosks are in the way")
		}
		before := h.state()
		if a := w.boss.post("/account/leave", "password", password1); a.status != http.StatusConflict {
			t.Error("a business goes while its kiosk works", a.status)
		}
		if h.state() != before {
			t.Error("a refused deletion has changed something")
		}
		w.boss.must(w.branch + "/kiosks/" + w.kiosk + "/revoke")
		w.boss.must("/account/leave", "password", password1)
		if a := second.get("/"); a.location() != "/login" {
			t.Error("staff of a deleted business are signed in")
		}
		for _, query := range []string{
			`SELECT count(*) FROM owners WHERE business = '` + business1 + `'`, `SELECT count(*) FROM accounts WHERE login IN ('haneul@example.com', 'second', 'minsu')`,
			`SELECT count(*) FROM owner_links`, `SELECT count(*) FROM owner_sessions WHERE account <> '` + w.otherAccount + `'`,
			`SELECT count(*) FROM facilities WHERE owner <> '' AND owner NOT IN (SELECT id FROM owners)`,
			`SELECT count(*) FROM codes WHERE secret IS NOT NULL AND facility = '` + facilityOf(w.branch) + `'`,
		} {
			if n := rows(query); n != 0 {
				t.Errorf("%d rows: %s", n, query)
			}
		}
		if rows(`SELECT count(*) FROM facilities WHERE id = $1`, facilityOf(w.branch)) != 1 {
			t.Error("the place of visits is gone before them")
		}
		if _, err := h.tryEnrol(code, "door-3"); err == nil {
			t.Error("a code of a deleted business makes a kiosk")
		}
		name := func() (name string) {
			t.Helper()
			if err := h.db.SQL().QueryRow(`SELECT name FROM facilities WHERE id = $1`, facilityOf(w.branch)).Scan(&name); err != nil {
				t.Fatal(err)
			}
			return name
		}
		for _, day := range []struct {
			n    int
			want string
		}{{27, "본점"}, {28, ""}} {
			if err := h.book.Tidy(t.Context(), h.now().AddDate(0, 0, day.n)); err != nil || name() != day.want {
				t.Errorf("on day %d the place is called %q, %v", day.n, name(), err)
			}
		}
		// The other business notices nothing, and the number is free again.
		w.other.see(w.otherBranch)
		h.boss(business1, "haneul@example.com")
	})
}

func TestRecovery(t *testing.T) {
	h := lite(t)
	h.boss(business1, "haneul@example.com")
	b := h.browser()
	known, unknown := b.post("/recover", "login", "Haneul@example.com"), b.post("/recover", "login", "nobody@example.com")
	if strings.ReplaceAll(known.body, "Haneul@example.com", "") != strings.ReplaceAll(unknown.body, "nobody@example.com", "") || known.status != 200 || unknown.status != 200 {
		t.Error("the answer tells whether there is an account")
	}
	if len(h.outbox.Messages()) != 0 {
		t.Error("a mail is sent before the answer: its time tells")
	}
	h.work()
	all := h.outbox.Messages()
	if len(all) != 1 || all[0].To != "haneul@example.com" || all[0].Phone != "021234567" {
		t.Fatalf("%+v", all)
	}
	link := linkText.FindStringSubmatch(all[0].Text)[1]
	b.see(link)
	b.see(link) // looking does not use it up
	// A second request ends the first link.
	b.post("/recover", "login", "haneul@example.com")
	h.work()
	if a := b.get(link); a.status != http.StatusGone {
		t.Error("an older link works", a.status)
	}
	link = linkText.FindStringSubmatch(h.outbox.Messages()[0].Text)[1]
	h.pass(RecoverLife)
	if a := b.post(link, "new-password", password2); a.status != http.StatusGone {
		t.Error("a link outlives its time", a.status)
	}
	// A letter-box is not filled by strangers.
	for range 20 {
		b.post("/recover", "login", "haneul@example.com")
	}
	h.work()
	if n := len(h.outbox.Messages()); n > 4 {
		t.Errorf("%d mails are sent", n)
	}
	// Nor is a link for one thing good for another.
	if a := b.get(strings.Replace(link, "recover", "invite", 1)); a.status != http.StatusGone {
		t.Error(a.status)
	}
}

func TestSessionsEnd(t *testing.T) {
	h := lite(t)
	boss := h.boss(business1, "haneul@example.com")
	for range 11 {
		h.pass(SessionIdle - time.Second)
		boss.see("/")
	}
	h.pass(SessionIdle)
	if a := boss.get("/"); a.location() != "/login" {
		t.Error("an idle session lives on")
	}
	boss.must("/login", "login", "haneul@example.com", "password", password1)
	for range 12 {
		h.pass(SessionIdle - time.Second)
		boss.get("/")
	}
	h.pass(SessionIdle / 2)
	if a := boss.get("/"); a.location() != "/login" {
		t.Error("a session outlives its longest life")
	}
	if err := h.server.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"owner_sessions", "owner_tries", "owner_links"} {
		var n int
		if err := h.db.SQL().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s has %d rows left, %v", table, n, err)
		}
	}
}

func TestRunEnds(t *testing.T) {
	h := lite(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Run(ctx) }()
	<-h.server.Ready()
	sent := make(chan struct{})
	h.server.later(func(context.Context) { close(sent) })
	<-sent
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if fmt.Sprint(h.server) == "" {
		t.Error("no name")
	}
}

// Bosses who demote or remove each other at the same moment leave one.
func TestBossesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.boss(business1, "haneul@example.com")
		a := h.server.accounts
		first, _, err := a.byLogin(ctx, "haneul@example.com")
		if err != nil {
			t.Fatal(err)
		}
		owner := first.Owner
		if _, err := h.db.SQL().Exec(`INSERT INTO accounts (id, owner, login, name, role, password, created) VALUES ('second', $1, 'second', '이바다', 'boss', '', 0)`, owner); err != nil {
			t.Fatal(err)
		}
		for round := range 20 {
			var both sync.WaitGroup
			for _, id := range []string{first.ID, "second"} {
				both.Go(func() { a.setRole(ctx, owner, id, Staff) })
			}
			both.Wait()
			var bosses int
			if err := h.db.SQL().QueryRow(`SELECT count(*) FROM accounts WHERE role = 'boss'`).Scan(&bosses); err != nil || bosses != 1 {
				t.Fatalf("round %d: %d bosses, %v", round, bosses, err)
			}
			if _, err := h.db.SQL().Exec(`UPDATE accounts SET role = 'boss'`); err != nil {
				t.Fatal(err)
			}
		}
	})
}
