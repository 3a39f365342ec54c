package inquiry_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func who(t testing.TB, id string) *trace.Identity {
	t.Helper()
	i, err := trace.NewIdentity(id, key(id))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// house is a registry with one café, its officers, and two issuers.
type house struct {
	*inquiry.Server
	t       *testing.T
	db      *store.DB
	handler http.Handler
	now     time.Time
	log     bytes.Buffer
	roster  *trace.Roster
}

func (h *house) Roster() *trace.Roster { return h.roster }

func (h *house) sign(change func(*trace.Contents)) {
	h.t.Helper()
	party := func(id string) trace.Party {
		p := who(h.t, id).Party()
		p.NotBefore, p.NotAfter = t0.AddDate(-1, 0, 0).Unix(), t0.AddDate(1, 0, 0).Unix()
		return p
	}
	c := trace.Contents{Number: 1, Issued: t0.Add(-time.Hour).Unix(), Expires: t0.AddDate(0, 0, 60).Unix()}
	for _, id := range []string{"seoul-1", "seoul-2", "seoul-3"} {
		c.Officers = append(c.Officers, party(id))
	}
	for _, id := range []string{"kko", "nv"} {
		c.Issuers = append(c.Issuers, party(id))
	}
	c.Registries = []trace.Party{party("registry")}
	if change != nil {
		change(&c)
	}
	raw, err := trace.SignRoster(key("authority"), c)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.roster, err = trace.OpenRoster(raw, key("authority").Public().(ed25519.PublicKey)); err != nil {
		h.t.Fatal(err)
	}
}

func each(t *testing.T, f func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := &house{t: t, db: db, now: t0}
		h.sign(nil)
		for _, id := range []string{"f-haneul", "f-museum"} {
			if _, err := db.SQL().ExecContext(t.Context(), `INSERT INTO facilities (id, name, kind, owner, created) VALUES ($1, $2, 'restaurant', '', 0)`, id, "하늘 카페 "+id); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		h.Server, err = inquiry.New(inquiry.Config{
			DB: db, Audit: store.NewAudit(db, key("registry"), func() time.Time { return h.now }), Rosters: h, Key: key("registry"),
			Now: func() time.Time { return h.now }, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		h.handler = h.Server.Handler()
		f(t, h)
	})
}

func idOf(n int) pass.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "pass %d", n))
	return pass.ID(sum[:16])
}

// visit puts pass n of an issuer before a door at the time at.
func (h *house) visit(issuer string, n int, facility, kiosk string, at time.Time) {
	h.t.Helper()
	if _, err := h.db.Put(h.t.Context(), []store.Visit{{
		Kiosk: kiosk, Facility: facility, Issuer: issuer, ID: idOf(n), Issued: at.Truncate(pass.Lifetime), // one pass, one iat
		Scanned: at, Received: at.Add(time.Minute), Seq: uint64(n + 1),
	}}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) do(method, path string, body, call []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", trace.ContentType)
	if call != nil {
		r.Header.Set("Authorization", inquiry.Scheme+" "+base64.RawURLEncoding.EncodeToString(call))
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	document.check(h.t, r, body, w)
	return w
}

// sent is do with another media type.
func (h *house) sent(method, path, media string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	document.check(h.t, r, body, w)
	return w
}

// called is do with a call by the officer.
func (h *house) called(officer, method, path string) *httptest.ResponseRecorder {
	h.t.Helper()
	call, err := who(h.t, officer).Call(method, path, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.do(method, path, nil, call)
}

// want checks an answer's status and, for a problem, its name.
func (h *house) want(w *httptest.ResponseRecorder, status int, name string) {
	h.t.Helper()
	var p struct{ Type, Detail string }
	if w.Header().Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			h.t.Fatal(err)
		}
	}
	if w.Code != status || strings.TrimPrefix(p.Type, "urn:munjigi:problem:") != name {
		h.t.Fatalf("%d %s (%s), want %d %s; log: %s", w.Code, p.Type, p.Detail, status, name, h.log.String())
	}
}

func draft() trace.Draft {
	return trace.Draft{Case: "2026-1234", From: t0.Add(-3 * time.Hour), To: t0.Add(-2 * time.Hour), Facility: "f-haneul", Reason: "확진자 김하늘이 머무름"}
}

func (h *house) request(officer string, d trace.Draft) (request, order []byte, p trace.Place) {
	h.t.Helper()
	order, p, err := who(h.t, officer).Ask(d, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	to, err := h.roster.Registry(h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	request, err = who(h.t, officer).SealRequest(to, order, p, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	return request, order, p
}

// ask begins an inquiry and returns its address.
func (h *house) ask(officer string, d trace.Draft) (path string, order []byte, p trace.Place) {
	h.t.Helper()
	request, order, p := h.request(officer, d)
	h.want(h.do("POST", inquiry.Path, request, nil), http.StatusCreated, "")
	return inquiry.Path + "/" + trace.DigestOf(order).String(), order, p
}

func (h *house) approval(officer string, order []byte, p trace.Place) []byte {
	h.t.Helper()
	o, err := h.roster.OpenOrder(order, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := who(h.t, officer).Approve(o, p, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

func (h *house) page(officer, path string) trace.Page {
	h.t.Helper()
	w := h.called(officer, "GET", path+"/letters")
	h.want(w, http.StatusOK, "")
	p, err := trace.DecodePage(w.Body.Bytes())
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// respond is an issuer that names every pass.
func (h *house) respond(issuer string, sealed []byte) []byte {
	h.t.Helper()
	g, err := h.roster.OpenGroup(who(h.t, issuer), sealed, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	people := make([]*trace.Person, len(g.Passes))
	for n, id := range g.Passes {
		people[n] = &trace.Person{Name: fmt.Sprintf("p%x", id[:3]), Phone: "010"}
	}
	raw, err := h.roster.SealAnswer(who(h.t, issuer), g, people, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

// lines are the kinds of the audit log's lines.
func (h *house) lines() (kinds []string, text string) {
	h.t.Helper()
	if _, err := h.db.Verify(h.t.Context(), []ed25519.PublicKey{key("registry").Public().(ed25519.PublicKey)}, func(e store.Entry) error {
		kinds = append(kinds, e.Kind)
		text += string(e.Body) + "\n"
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	return kinds, text
}
