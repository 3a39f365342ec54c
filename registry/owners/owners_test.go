package owners

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// t0 is 12:40 on a Sunday in Seoul.
var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

// Numbers whose check digits fit; see TestBusiness.
const (
	business1 = "1248100998"
	business2 = "2208162517"
	password1 = "오늘도 맛있게 드세요"
	password2 = "내일은 비가 옵니다"
)

// house is a registry with the owners' pages over TLS, and its clock.
type house struct {
	t      *testing.T
	db     *store.DB
	book   *devices.Book
	server *Server
	http   *httptest.Server
	outbox *Outbox
	log    *safeBuffer

	mu     sync.Mutex
	clock  time.Time
	bundle *pass.Bundle
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi owners test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newHouse(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, clock: t0, log: &safeBuffer{}}
	h.sign(7, pass.ModeRecord, t0.AddDate(0, -1, 0))
	h.outbox = &Outbox{Now: h.now}
	dir := t.TempDir()
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "문지기 시험 등록소", t0)
	if err != nil {
		t.Fatal(err)
	}
	h.book, err = devices.New(devices.Config{
		SQL: db.SQL(), CA: ca, Receipt: testKey("receipt"), Root: testKey("root").Public().(ed25519.PublicKey),
		Name: "문지기 시험 등록소", Address: "https://registry.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.server, err = New(Config{
		DB: db.SQL(), Devices: h.book, Visits: db, Address: "https://registry.example", Registry: "문지기 시험 등록소",
		Bundles: h, Mail: h.outbox, Cost: cheap, Now: h.now,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewTLSServer(h.server.Handler())
	t.Cleanup(h.http.Close)
	return h
}

// sign makes the newest trust bundle say what restaurants do.
func (h *house) sign(number uint64, mode pass.Mode, since time.Time) {
	h.t.Helper()
	raw, err := pass.SignBundle(testKey("root"), pass.Contents{
		Number: number, Issued: t0.Unix(), Expires: t0.Add(pass.BundleLife).Unix(), Issuers: []pass.Issuer{}, Receipts: [][]byte{},
		Policies: map[string]pass.Policy{"restaurant": {Mode: mode, Since: since.Unix()}, "museum": {Mode: pass.ModeOff, Since: t0.Unix()}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, testKey("root").Public().(ed25519.PublicKey))
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bundle = b
}

// Bundle implements Bundles.
func (h *house) Bundle() *pass.Bundle {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bundle
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

// work does what waits in the background, at once.
func (h *house) work() {
	for {
		select {
		case job := <-h.server.jobs:
			job(context.Background())
		default:
			return
		}
	}
}

// each runs f on both engines.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, newHouse(t, db)) })
}

// lite runs f on SQLite alone: for what the engine has no part in.
func lite(t *testing.T) *house {
	t.Helper()
	return newHouse(t, storetest.Open(t, storetest.File(t), storetest.Keys(t)))
}

// browser is a person at a computer: it keeps cookies and follows nothing.
type browser struct {
	h      *house
	client *http.Client
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	c := *h.http.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{h: h, client: &c, header: http.Header{}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (b *browser) do(method, path, contentType, body string) answer {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, b.h.http.URL+path, strings.NewReader(body))
	if err != nil {
		b.h.t.Fatal(err)
	}
	for k, v := range b.header {
		r.Header[k] = v
	}
	r.Host = r.Header.Get("Host") // empty: the server's
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

func (b *browser) get(path string) answer { b.h.t.Helper(); return b.do("GET", path, "", "") }

func (b *browser) post(path string, fields ...string) answer {
	b.h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// must posts a form that leads on, and returns where to.
func (b *browser) must(path string, fields ...string) string {
	b.h.t.Helper()
	a := b.post(path, fields...)
	if a.status != http.StatusSeeOther {
		b.h.t.Fatalf("POST %s: %d\n%s", path, a.status, problems(a.body))
	}
	return a.location()
}

// see fetches a page that must be there.
func (b *browser) see(path string) string {
	b.h.t.Helper()
	a := b.get(path)
	if a.status != http.StatusOK {
		b.h.t.Fatalf("GET %s: %d %s", path, a.status, a.location())
	}
	return a.body
}

func problems(body string) string {
	return strings.Join(regexp.MustCompile(`(?s)<div class="note bad" role="alert">.*?</div>|<h1>.*?</h1>`).FindAllString(body, -1), "\n")
}

// boss signs a business up and returns its boss's browser.
func (h *house) boss(business, login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.must("/signup", "business", business, "name", "하늘 카페", "representative", "김하늘", "phone", "02-123-4567",
		"person", "김하늘", "login", login, "new-password", password1, "agree", "yes")
	return b
}

// staff is invited by a boss and returns their browser.
func (h *house) staff(boss *browser, login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.must(boss.link("/staff/invite"), "person", "이바다", "login", login, "new-password", password2)
	return b
}

var linkText = regexp.MustCompile(`https://registry\.example(/(?:invite|recover)/[\w-]+)`)

// link makes a link on a page and returns its path.
func (b *browser) link(path string) string {
	b.h.t.Helper()
	a := b.post(path)
	found := linkText.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		b.h.t.Fatalf("POST %s: %d, no link", path, a.status)
	}
	return found[1]
}

// branch makes a branch and returns its address.
func (b *browser) branch(name string) string {
	b.h.t.Helper()
	to := b.must("/branches", "name", name, "kind", "restaurant")
	return strings.TrimSuffix(to, "?done=branch")
}

var codeText = regexp.MustCompile(`id="code">([^<]+)<`)

// code makes an enrolment code.
func (b *browser) code(path string, fields ...string) string {
	b.h.t.Helper()
	a := b.post(path, append(fields, "hours", "1")...)
	found := codeText.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		b.h.t.Fatalf("POST %s: %d\n%s", path, a.status, problems(a.body))
	}
	return strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(found[1])
}

// enrol makes a kiosk of a code, as a device would, and returns its id.
func (h *house) enrol(text, device string) string {
	h.t.Helper()
	code, err := wire.ParseCode(text)
	if err != nil {
		h.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, testKey(device))
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := wire.NewEnrol(code.Code, csr, "1.2.3", 7)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := h.book.Enrol(h.t.Context(), e, h.now())
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.Kiosk
}

// well is the heartbeat of a kiosk with nothing to say.
func well() wire.Heartbeat {
	return wire.Heartbeat{Version: "1.2.3", Bundle: 7, Clock: pass.ClockSure, FPS: 298, Temperature: 512, Disk: 8000, Uptime: 86400}
}

func (h *house) beat(kiosk string, b wire.Heartbeat) {
	h.t.Helper()
	if err := h.book.Beat(h.t.Context(), kiosk, b, h.now()); err != nil {
		h.t.Fatal(err)
	}
}

// visits stores n visits of a facility at a time.
func (h *house) visits(facility, kiosk string, at time.Time, n int) {
	h.t.Helper()
	all := make([]store.Visit, n)
	for i := range all {
		all[i] = store.Visit{Kiosk: kiosk, Facility: facility, Issuer: "kko", Issued: at.Truncate(time.Second), Scanned: at, Received: h.now(), Seq: uint64(i)}
		rand.Read(all[i].ID[:])
	}
	if _, err := h.db.Put(h.t.Context(), all); err != nil {
		h.t.Fatal(err)
	}
}

func facilityOf(path string) string { return strings.TrimPrefix(path, "/branches/") }

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

func TestSilence(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		h.staff(boss, "minsu")
		branch := boss.branch("본점")
		kiosk := h.enrol(boss.code(branch+"/code", "door", "정문"), "door-1")
		other := h.enrol(boss.code(branch+"/code", "door", "후문"), "door-2")
		round := func() []Mail {
			t.Helper()
			before := len(h.outbox.Messages())
			if err := h.server.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.work()
			all := h.outbox.Messages()
			return all[:len(all)-before]
		}
		h.beat(kiosk, well())
		h.beat(other, well())
		h.pass(devices.Silence)
		h.beat(other, well())
		if m := round(); len(m) != 0 {
			t.Errorf("%+v", m)
		}
		h.pass(time.Second)
		m := round()
		if len(m) != 1 || m[0].To != "haneul@example.com" || !strings.Contains(m[0].Subject, "본점 · 정문: 신호가 끊겼습니다") || !strings.Contains(m[0].Text, "https://registry.example"+branch) {
			t.Fatalf("%+v", m)
		}
		if home := boss.see("/"); !strings.Contains(home, "본점 · 정문") || !strings.Contains(home, "신호 없음") {
			t.Error("home does not tell of the silence")
		}
		for range 5 {
			h.pass(time.Minute)
			h.beat(other, well())
			if m := round(); len(m) != 0 {
				t.Errorf("told twice: %+v", m)
			}
		}
		h.beat(kiosk, well())
		if m := round(); len(m) != 1 || !strings.Contains(m[0].Subject, "다시 연결되었습니다") {
			t.Errorf("%+v", m)
		}
		if m := round(); len(m) != 0 {
			t.Errorf("%+v", m)
		}
		// Silent again is told again; a revoked one is nobody's worry.
		h.pass(devices.Silence + time.Second)
		h.beat(other, well())
		if m := round(); len(m) != 1 {
			t.Errorf("%+v", m)
		}
		boss.must(branch + "/kiosks/" + kiosk + "/revoke")
		if m := round(); len(m) != 0 {
			t.Errorf("%+v", m)
		}
	})
}

// Two processes on one database tell an owner once.
func TestSilenceIsToldByOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		branch := boss.branch("본점")
		h.enrol(boss.code(branch+"/code"), "door-1")
		h.pass(devices.Silence + time.Second)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := h.server.watch(context.Background(), h.now()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		h.work()
		if n := len(h.outbox.Messages()); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
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
