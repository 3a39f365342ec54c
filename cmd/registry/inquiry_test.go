package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	issuerstore "github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/pass/trace/rosterfile"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// circle is everybody who takes part in an investigation, each with what is its
// own: an authority, three officers, the registry, and three issuers.
type circle struct {
	t       *testing.T
	now     time.Time
	dir     string
	db      *store.DB
	receipt ed25519.PrivateKey
	log     bytes.Buffer
	issuers map[string]*issuerHouse
	issuing errgroup.Group
	rogue   func(path string, answer []byte) []byte // what a registry that lies answers
}

// issuerHouse is one issuer's server and what it keeps.
type issuerHouse struct {
	dir    string
	key    ed25519.PrivateKey // signs passes
	db     *issuerstore.DB
	desk   *httptest.Server
	people []issuerstore.PersonID
}

// presence is a line of what the officer is to find out.
type presence struct{ Time, Name, Phone, Issuer string }

const people = 100 // of each brand

var brands = []string{"kko", "nv", "pss"}

// cli runs a command as somebody types it.
func (c *circle) cli(args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	err := run(c.t.Context(), args, func() time.Time { return c.now }, strings.NewReader(""), &stdout, &stderr)
	return stdout.String() + stderr.String(), err
}

func (c *circle) must(args ...string) string {
	c.t.Helper()
	out, err := c.cli(args...)
	if err != nil {
		c.t.Fatalf("registry %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *circle) in(names ...string) string {
	return filepath.Join(append([]string{c.dir}, names...)...)
}

var cardForm = regexp.MustCompile(`MJC1\.\S+`)

func newCircle(t *testing.T, db *store.DB) *circle {
	c := &circle{t: t, now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), dir: t.TempDir(), db: db, issuers: map[string]*issuerHouse{}}
	log := slog.New(slog.NewTextHandler(&c.log, nil))
	clock := func() time.Time { return c.now }
	out := c.must("officer", "authority", c.in("authority"))
	authority := regexp.MustCompile(`authority = "(.+)"`).FindStringSubmatch(out)[1]
	public := configs.PublicKey{}
	if err := public.UnmarshalText([]byte(authority)); err != nil {
		t.Fatal(err)
	}
	rosters, err := rosterfile.Open(c.in("authority", rosterName), ed25519.PublicKey(public), log)
	if err != nil {
		t.Fatal(err)
	}

	if c.receipt, err = configs.CreateKey(c.in("receipt.key")); err != nil {
		t.Fatal(err)
	}
	inquiries, err := inquiry.New(inquiry.Config{DB: db, Audit: store.NewAudit(db, c.receipt, clock), Rosters: rosters, Key: c.receipt, Now: clock, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.rogue == nil {
			inquiries.Handler().ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		inquiries.Handler().ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		w.Write(c.rogue(r.URL.Path, rec.Body.Bytes()))
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(c.in("ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	add := func(role, card string) {
		t.Helper()
		c.must("officer", "add", "-as", role, "-authority", c.in("authority"), cardForm.FindString(card))
	}
	add("registry", c.must("officer", "card", "-id", "registry", "-key", c.in("receipt.key")))
	for _, id := range []string{"seoul-1", "seoul-2", "seoul-3"} {
		add("officer", c.must("officer", "init", "-id", id, "-registry", server.URL, "-authority", authority, "-ca", c.in("ca.crt"), c.in(id)))
	}
	for _, brand := range brands {
		h := &issuerHouse{dir: c.in(brand)}
		c.issuers[brand] = h
		if err := os.Mkdir(h.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		traceKey, err := configs.CreateKey(filepath.Join(h.dir, "trace.key"))
		if err != nil {
			t.Fatal(err)
		}
		if h.key, err = configs.CreateKey(filepath.Join(h.dir, brand+".key")); err != nil {
			t.Fatal(err)
		}
		if err := issuerstore.CreateDataKey(filepath.Join(h.dir, "data.key")); err != nil {
			t.Fatal(err)
		}
		keys, err := issuerstore.OpenKeys(filepath.Join(h.dir, "data.key"), filepath.Join(h.dir, "days"))
		if err != nil {
			t.Fatal(err)
		}
		if h.db, err = issuerstore.Open(t.Context(), filepath.Join(h.dir, "issuer.db"), keys); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.db.Close() })
		notes, err := issuer.OpenTraceFile(filepath.Join(h.dir, "trace.log"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { notes.Close() })
		me, err := trace.NewIdentity(brand, traceKey)
		if err != nil {
			t.Fatal(err)
		}
		h.desk = httptest.NewTLSServer(&issuer.Tracer{Brands: []*trace.Identity{me}, Roster: rosters.Roster, Issued: h.db, Notes: notes, Now: clock, Log: log})
		t.Cleanup(h.desk.Close)
		add("issuer", c.must("officer", "card", "-id", brand, "-key", filepath.Join(h.dir, "trace.key"), "-address", h.desk.URL+issuer.TracePath))
	}
	for _, f := range []string{"haneul", "museum"} {
		if _, err := db.SQL().ExecContext(t.Context(), `INSERT INTO facilities (id, name, kind, owner, created) VALUES ($1, $2, 'cafe', '', 0)`, "f-"+f, "하늘 카페 "+f); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// populate enters people at every issuer.
func (c *circle) populate(each int) {
	c.t.Helper()
	for _, brand := range brands {
		h := c.issuers[brand]
		for n := range each {
			p := issuerstore.Person{Brand: brand, Name: personName(brand, n), Phone: personPhone(brand, n), Birth: "1990-01-01"}
			id, err := h.db.Verify(c.t.Context(), p, "sms", c.now.AddDate(0, 0, -3), nil)
			if err != nil {
				c.t.Fatal(err)
			}
			h.people = append(h.people, id)
		}
	}
}

func personName(brand string, n int) string  { return fmt.Sprintf("방문자%s%04d", brand, n) }
func personPhone(brand string, n int) string { return fmt.Sprintf("0107%d%06d", len(brand), n) }

func (c *circle) bundle() *pass.Bundle {
	c.t.Helper()
	contents := pass.Contents{Number: 1, Issued: c.now.AddDate(0, 0, -30).Unix(), Expires: c.now.AddDate(0, 0, 30).Unix()}
	for _, brand := range brands {
		public := c.issuers[brand].key.Public().(ed25519.PublicKey)
		contents.Issuers = append(contents.Issuers, pass.Issuer{ID: brand, Keys: []pass.Key{pass.NewKey(public, c.now.AddDate(0, 0, -40), c.now.AddDate(0, 0, 40))}})
	}
	seed := sha256.Sum256([]byte("munjigi test key root"))
	root := ed25519.NewKeyFromSeed(seed[:])
	raw, err := pass.SignBundle(root, contents)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, root.Public().(ed25519.PublicKey))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// visit makes a real signed pass for person n and shows it at a door.
func (c *circle) visit(b *pass.Bundle, brand string, n int, facility string, at time.Time, seq int) store.Visit {
	c.t.Helper()
	h := c.issuers[brand]
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", brand, n, seq))
	id, iat := pass.ID(sum[:16]), at.Add(-4*time.Second).Truncate(time.Second)
	c.issuing.Go(func() error { return h.db.Issued(c.t.Context(), id, h.people[n], iat) }) // many share a commit
	text, err := pass.Issue(h.key, brand, id, iat, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	u, err := pass.Parse(text)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := u.Verify(at, b, pass.Conditions{Skew: pass.Skew, Facility: "cafe", Clock: pass.ClockSure})
	if err != nil {
		c.t.Fatal(err)
	}
	return store.Visit{
		Kiosk: "door-" + facility, Facility: "f-" + facility, Issuer: p.Issuer(), ID: p.ID(), Issued: p.IssuedAt(),
		Scanned: at, Received: at.Add(time.Minute), Seq: uint64(seq),
	}
}

// TestCircle is the whole investigation: 1,000 visits of 300 people of three
// issuers at two places; the officer who asks names exactly those who were at
// one of them in an hour, and nobody else names anybody anywhere.
func TestCircle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newCircle(t, db)
		c.populate(people)
		b := c.bundle()
		random := rand.New(rand.NewPCG(1, 2))
		from := c.now.Add(-20 * time.Hour).Truncate(time.Minute) // 16:00 in Korea, the day before
		to := from.Add(time.Hour)
		var want []presence
		var visits []store.Visit
		for seq := 1; seq <= 1000; seq++ {
			brand, n := brands[random.IntN(3)], random.IntN(people)
			facility := []string{"haneul", "museum"}[random.IntN(2)]
			at := from.Add(-2*time.Hour + time.Duration(random.Int64N(int64(5*time.Hour)))).Truncate(time.Millisecond)
			switch seq {
			case 1:
				at = from
			case 2:
				at = to // not in it any more
			case 3:
				at = to.Add(-time.Millisecond)
			}
			visits = append(visits, c.visit(b, brand, n, facility, at, seq))
			if facility == "haneul" && !at.Before(from) && at.Before(to) {
				want = append(want, presence{korean(at), personName(brand, n), personPhone(brand, n), brand})
			}
		}
		if err := c.issuing.Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Put(t.Context(), visits); err != nil {
			t.Fatal(err)
		}
		if len(want) < 50 || len(want) > 200 {
			t.Fatalf("%d of 1000 were there: another seed, please", len(want))
		}

		clock := func(at time.Time) string { return at.In(store.Seoul).Format("2006-01-02T15:04") }
		if out := c.must("inquiry", "find", "-officer", c.in("seoul-1"), "haneul"); !strings.Contains(out, `"f-haneul"`) {
			t.Error(out)
		}
		out := c.must("inquiry", "ask", "-officer", c.in("seoul-1"), "-facility", "f-haneul", "-from", clock(from), "-to", clock(to), "-case", "2026-1234", "-reason", "확진자 1명이 머물렀음")
		name := regexp.MustCompile(`asked: ([0-9a-f]+)`).FindStringSubmatch(out)[1]
		if out, err := c.cli("inquiry", "open", "-officer", c.in("seoul-1"), name); err == nil {
			t.Errorf("opened before anybody approved: %s", out)
		}
		if out, err := c.cli("inquiry", "approve", "-officer", c.in("seoul-1"), "-yes", name); err == nil || !strings.Contains(err.Error(), "another officer") {
			t.Errorf("one person: %v %s", err, out)
		}
		if out := c.must("inquiry", "approve", "-officer", c.in("seoul-2"), name); !strings.Contains(out, "f-haneul") || !strings.Contains(out, "-yes") {
			t.Error(out)
		}
		c.must("inquiry", "approve", "-officer", c.in("seoul-2"), "-yes", name)
		if out, err := c.cli("inquiry", "open", "-officer", c.in("seoul-1"), name); err == nil {
			t.Errorf("opened before any issuer answered: %s", out)
		}
		if out := c.must("inquiry", "fetch", "-officer", c.in("seoul-1"), name); strings.Count(out, "answered now") != 3 {
			t.Error(out)
		}
		c.must("inquiry", "fetch", "-officer", c.in("seoul-1"), name)

		rows, err := csv.NewReader(strings.NewReader(c.must("inquiry", "open", "-officer", c.in("seoul-1"), "-csv", name))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []presence
		for _, r := range rows[1:] {
			got = append(got, presence{r[0], r[1], r[2], r[5]})
		}
		order := func(a, b presence) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		}
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the officer names others than were there: %s", diff)
		}
		t.Logf("%d of 1000 visits named, exactly those in the window", len(got))

		// Nobody else can, the one who approved included.
		for _, officer := range []string{"seoul-2", "seoul-3"} {
			if out, err := c.cli("inquiry", "open", "-officer", c.in(officer), name); err == nil {
				t.Errorf("%s opens it: %s", officer, out)
			}
		}
		c.searchRegistry(visits)
		c.searchIssuers()
		c.tamper()
		c.must("inquiry", "close", "-officer", c.in("seoul-1"), name)
		if out := c.must("inquiry", "list", "-officer", c.in("seoul-1")); out != "" {
			t.Errorf("still listed: %s", out)
		}
	})
}

// searchRegistry looks for people and pass ids in all that the registry keeps.
func (c *circle) searchRegistry(visits []store.Visit) {
	c.t.Helper()
	dump := dumpTables(c.t, c.db)
	if c.db.Dialect() == store.SQLite {
		var path string
		if err := c.db.SQL().QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
			c.t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(path + suffix)
			if err != nil {
				c.t.Fatal(err)
			}
			dump = append(dump, data...)
		}
	}
	dump = append(dump, c.log.Bytes()...)
	if !bytes.Contains(dump, []byte("f-haneul")) || !bytes.Contains(dump, []byte("inquiry_groups")) {
		c.t.Fatal("the search looks at nothing")
	}
	for _, brand := range brands {
		for n := range people {
			for _, secret := range []string{personName(brand, n), personPhone(brand, n)} {
				if bytes.Contains(dump, []byte(secret)) {
					c.t.Fatalf("%s is at the registry", secret)
				}
			}
		}
	}
	for _, v := range visits {
		if bytes.Contains(dump, v.ID[:]) || bytes.Contains(dump, fmt.Appendf(nil, "%x", v.ID)) {
			c.t.Fatal("a pass id lies open at the registry")
		}
	}
}

// dumpTables is every value of every table, with the tables' names.
func dumpTables(t *testing.T, db *store.DB) []byte {
	t.Helper()
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if db.Dialect() == store.Postgres {
		list = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	rows, err := db.SQL().Query(list)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	rows.Close()
	var dump bytes.Buffer
	for _, table := range tables {
		fmt.Fprintf(&dump, "\n%s\n", table)
		rows, err := db.SQL().Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			if err := rows.Scan(to...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				switch v := v.(type) {
				case []byte:
					dump.Write(v)
				default:
					fmt.Fprintf(&dump, " %v ", v)
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return dump.Bytes()
}

// searchIssuers looks for the place in all that the issuers keep.
func (c *circle) searchIssuers() {
	c.t.Helper()
	for brand, h := range c.issuers {
		var kept []byte
		err := filepath.Walk(h.dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			kept = append(kept, data...)
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
		if !bytes.Contains(kept, []byte(`"case":"2026-1234"`)) || !bytes.Contains(kept, []byte(`"approver":"seoul-2"`)) {
			c.t.Errorf("%s has not noted whom it answered", brand)
		}
		for _, secret := range []string{"haneul", "museum", "door-", "머물렀음", personName(brand, 0), personPhone(brand, 0)} {
			if bytes.Contains(kept, []byte(secret)) {
				c.t.Errorf("%s keeps %q", brand, secret)
			}
		}
	}
}

// tamper changes the audit log in every way, and puts it right again.
func (c *circle) tamper() {
	c.t.Helper()
	ctx, keys := c.t.Context(), []ed25519.PublicKey{c.receipt.Public().(ed25519.PublicKey)}
	_, roster, err := openAuthority(c.in("authority"))
	if err != nil {
		c.t.Fatal(err)
	}
	verify := func(seen string) (string, error) {
		var out bytes.Buffer
		err := verifyAudit(ctx, c.db, keys, roster, seen, &out)
		return out.String(), err
	}
	out, err := verify("")
	if err != nil || !strings.Contains(out, "1 inquiries were grouped, each signed by two officers") {
		c.t.Fatal(out, err)
	}
	head := regexp.MustCompile(`ends at (\d+:[0-9a-f]{64})`).FindStringSubmatch(out)[1]
	if _, err := verify(head); err != nil {
		c.t.Error(err)
	}
	lines := map[int64][]byte{}
	rows, err := c.db.SQL().Query(`SELECT seq, line FROM audit`)
	if err != nil {
		c.t.Fatal(err)
	}
	for rows.Next() {
		var seq int64
		var line []byte
		if err := rows.Scan(&seq, &line); err != nil {
			c.t.Fatal(err)
		}
		lines[seq] = line
	}
	rows.Close()
	last := int64(len(lines))
	flipped := slices.Clone(lines[2])
	flipped[len(flipped)/2] ^= 1
	for name, tt := range map[string]struct {
		do   string
		args []any
		want string
	}{
		"one bit":            {`UPDATE audit SET line = $1 WHERE seq = 2`, []any{flipped}, "line 2"},
		"a line taken out":   {`DELETE FROM audit WHERE seq = 3`, nil, "line 3"},
		"a line in another":  {`UPDATE audit SET line = $1 WHERE seq = 3`, []any{lines[2]}, "line 3"},
		"the end taken off":  {`DELETE FROM audit WHERE seq >= $1`, []any{last}, fmt.Sprintf("line %d", last)},
		"everything at once": {`DELETE FROM audit`, nil, fmt.Sprintf("line %d", last)},
	} {
		if _, err := c.db.SQL().Exec(tt.do, tt.args...); err != nil {
			c.t.Fatal(err)
		}
		if out, err := verify(head); err == nil || !strings.Contains(err.Error(), tt.want) {
			c.t.Errorf("%s: %v %s, want %s", name, err, out, tt.want)
		}
		for seq, line := range lines {
			if _, err := c.db.SQL().Exec(`INSERT INTO audit (seq, line) VALUES ($1, $2) ON CONFLICT (seq) DO UPDATE SET line = excluded.line`, seq, line); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if _, err := verify(head); err != nil {
		c.t.Error(err)
	}
	// A registry that opens pass ids on its own: its signature is good, the
	// officers' are missing.
	for _, kind := range []string{inquiry.KindAsked, inquiry.KindApproved, inquiry.KindGrouped} {
		tx, err := c.db.SQL().BeginTx(ctx, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		defer tx.Rollback()
		audit := store.NewAudit(c.db, c.receipt, func() time.Time { return c.now })
		if err := audit.AppendTx(context.Background(), tx, kind, inquiry.Line{Inquiry: "made up", Signed: []byte("x")}); err != nil {
			c.t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := verify(head); err == nil || !strings.Contains(err.Error(), "without two officers") {
		c.t.Errorf("a registry on its own: %v", err)
	}
	if _, err := c.db.SQL().Exec(`DELETE FROM audit WHERE seq > $1`, last); err != nil {
		c.t.Fatal(err)
	}
}
