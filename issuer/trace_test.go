package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/trace"
)

// traceDesk is an issuer's tracer with two brands, and all who may write to it.
type traceDesk struct {
	*Tracer
	t      *testing.T
	now    time.Time
	roster *trace.Roster
	log    bytes.Buffer
	notes  []TraceEntry
	fail   error                           // of Note and Whose
	passes map[string]store.PersonID       // by day and pass id
	people map[store.PersonID]store.Person // known ones
}

func (d *traceDesk) Note(e TraceEntry) error {
	if d.fail == nil {
		d.notes = append(d.notes, e)
	}
	return d.fail
}

func dayPass(id [16]byte, at time.Time) string { return fmt.Sprintf("%d %x", store.Day(at), id) }

func (d *traceDesk) Whose(_ context.Context, id [16]byte, at time.Time) (store.PersonID, error) {
	who, ok := d.passes[dayPass(id, at)]
	if !ok {
		return who, store.ErrNobody
	}
	return who, d.fail
}

func (d *traceDesk) Named(_ context.Context, id store.PersonID) (store.Person, error) {
	p, ok := d.people[id]
	if !ok {
		return p, store.ErrNobody
	}
	return p, nil
}

func traceKey(id string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi test key " + id))
	return ed25519.NewKeyFromSeed(seed[:])
}

func traceWho(t *testing.T, id string) *trace.Identity {
	t.Helper()
	i, err := trace.NewIdentity(id, traceKey(id))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func newTraceDesk(t *testing.T) *traceDesk {
	d := &traceDesk{t: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), passes: map[string]store.PersonID{}, people: map[store.PersonID]store.Person{}}
	c := trace.Contents{Number: 1, Issued: d.now.Add(-time.Hour).Unix(), Expires: d.now.AddDate(0, 0, 60).Unix()}
	for list, ids := range map[*[]trace.Party][]string{&c.Officers: {"seoul-1", "seoul-2"}, &c.Issuers: {"kko", "nv", "pss"}, &c.Registries: {"registry"}} {
		for _, id := range ids {
			p := traceWho(t, id).Party()
			p.NotBefore, p.NotAfter = d.now.AddDate(-1, 0, 0).Unix(), d.now.AddDate(1, 0, 0).Unix()
			*list = append(*list, p)
		}
	}
	raw, err := trace.SignRoster(traceKey("authority"), c)
	if err != nil {
		t.Fatal(err)
	}
	if d.roster, err = trace.OpenRoster(raw, traceKey("authority").Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	d.Tracer = &Tracer{
		Brands: []*trace.Identity{traceWho(t, "kko"), traceWho(t, "nv")}, Roster: func() *trace.Roster { return d.roster },
		Issued: d, Notes: d, Now: func() time.Time { return d.now }, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
	}
	return d
}

// enter notes that a pass was made at the time at for somebody of a brand.
func (d *traceDesk) enter(brand string, n int, at time.Time) pass.ID {
	id := pass.ID{byte(n)}
	who := store.PersonID{byte(n)}
	d.passes[dayPass(id, at)] = who
	d.people[who] = store.Person{ID: who, Brand: brand, Name: fmt.Sprintf("방문자%d", n), Phone: fmt.Sprintf("010%08d", n)}
	return id
}

func (d *traceDesk) warrant() *trace.Warrant {
	d.t.Helper()
	order, place, err := traceWho(d.t, "seoul-1").Ask(trace.Draft{Case: "2026-1", From: d.now.Add(-20 * time.Hour), To: d.now.Add(-19 * time.Hour), Facility: "f-haneul", Reason: "r"}, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	o, err := d.roster.OpenOrder(order, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	approval, err := traceWho(d.t, "seoul-2").Approve(o, place, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	w, err := d.roster.OpenWarrant(order, approval, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

func (d *traceDesk) group(issuer string, w *trace.Warrant, ids ...pass.ID) []byte {
	d.t.Helper()
	raw, err := traceWho(d.t, "registry").SealGroup(traceWho(d.t, issuer).Party(), w, ids, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

func (d *traceDesk) post(body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", TracePath, bytes.NewReader(body))
	r.Header.Set("Content-Type", trace.ContentType)
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, r)
	inTraceAPI(d.t, r, w)
	return w
}

// inTraceAPI holds an answer to trace.yaml.
func inTraceAPI(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(traceAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	r = httptest.NewRequest(r.Method, r.URL.Path, nil)
	route, params, err := router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s stands not in trace.yaml: %v", r.Method, r.URL.Path, err)
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true}
	if w.Code == http.StatusOK { // cbor and yaml are no JSON that a schema could describe
		options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: options,
	}); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
}

// TestTraceAPI holds that the document is served and every route in it is one
// of the desk's; that nothing else is, TestTraceDesk holds.
func TestTraceAPI(t *testing.T) {
	d := newTraceDesk(t)
	doc, err := openapi3.NewLoader().LoadFromData(traceAPI)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
			d.Handler().ServeHTTP(w, r)
			if w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed {
				t.Errorf("%s %s is not served: %d", method, path, w.Code)
			}
			inTraceAPI(t, r, w)
		}
	}
	r, w := httptest.NewRequest("GET", "/v1/openapi.yaml", nil), httptest.NewRecorder()
	if d.Handler().ServeHTTP(w, r); !bytes.Equal(w.Body.Bytes(), traceAPI) {
		t.Error("the document is not served")
	}
	if doc.Paths.Find(TracePath) == nil {
		t.Error("trace.yaml lacks " + TracePath)
	}
}

func TestTraceAnswers(t *testing.T) {
	d := newTraceDesk(t)
	w := d.warrant()
	in := w.From.Add(time.Minute)
	ids := []pass.ID{
		d.enter("nv", 1, in),
		d.enter("nv", 2, w.From.Add(-30*time.Second)),
		d.enter("nv", 3, w.From.AddDate(0, 0, -3)), // not made on a day of the window
		d.enter("kko", 4, in),                      // another brand's
		d.enter("nv", 5, in),                       // whose name is gone
		{6},                                        // made by nobody here
		d.enter("nv", 7, in),                       // a child
	}
	delete(d.people, store.PersonID{5})
	child := d.people[store.PersonID{7}]
	child.Guardian = &store.Guardian{Name: "보호자", Phone: "0101"}
	d.people[store.PersonID{7}] = child

	group := d.group("nv", w, ids...)
	answer := d.post(group)
	if answer.Code != http.StatusOK {
		t.Fatal(answer.Code, answer.Body, d.log.String())
	}
	sheet := &trace.Sheet{Issuer: "nv", Group: trace.DigestOf(group), Seen: make([][]trace.Seen, len(ids))}
	people, err := d.roster.OpenAnswer(traceWho(t, "seoul-1"), answer.Body.Bytes(), sheet, d.now)
	if err != nil {
		t.Fatal(err)
	}
	want := []*trace.Person{
		{Name: "방문자1", Phone: "01000000001"}, {Name: "방문자2", Phone: "01000000002"}, nil, nil, nil, nil,
		{Name: "방문자7", Phone: "01000000007", Guardian: "보호자", GuardianPhone: "0101"},
	}
	if diff := cmp.Diff(want, people); diff != "" {
		t.Error(diff)
	}
	if _, err := d.roster.OpenAnswer(traceWho(t, "seoul-2"), answer.Body.Bytes(), sheet, d.now); !errors.Is(err, trace.ErrRecipient) {
		t.Errorf("the second officer opens it: %v", err)
	}
	note := TraceEntry{
		At: d.now, Brand: "nv", Case: "2026-1", Officer: "seoul-1", Approver: "seoul-2",
		Order: w.Order.Digest().String(), Group: trace.DigestOf(group).String(), Asked: 7, Named: 3,
	}
	if diff := cmp.Diff([]TraceEntry{note}, d.notes); diff != "" {
		t.Error(diff)
	}
	if d.post(group); len(d.notes) != 2 {
		t.Error("the same group again is not noted again")
	}
	if strings.Contains(d.log.String(), "방문자") || strings.Contains(d.log.String(), "haneul") {
		t.Error(d.log.String())
	}
}

func TestTraceRefuses(t *testing.T) {
	d := newTraceDesk(t)
	w := d.warrant()
	id := d.enter("nv", 1, w.From.Add(time.Minute))
	good := d.group("nv", w, id)
	for name, c := range map[string]struct {
		body   []byte
		change func()
		status int
	}{
		"good":               {good, func() {}, http.StatusOK},
		"another issuer's":   {d.group("pss", w, id), func() {}, http.StatusForbidden},
		"one bit":            {append(append([]byte{}, good[:len(good)-1]...), good[len(good)-1]^1), func() {}, http.StatusForbidden},
		"cut short":          {good[:100], func() {}, http.StatusBadRequest},
		"nothing":            {nil, func() {}, http.StatusBadRequest},
		"too big":            {make([]byte, maxGroup+1), func() {}, http.StatusRequestEntityTooLarge},
		"an order":           {w.Raw(), func() {}, http.StatusForbidden},
		"too late":           {good, func() { d.now = d.now.Add(trace.AnswerWithin) }, http.StatusGone},
		"no roster":          {good, func() { d.roster = nil }, http.StatusServiceUnavailable},
		"a log that is full": {good, func() { d.fail = errors.New("disk full") }, http.StatusServiceUnavailable},
	} {
		now, roster := d.now, d.roster
		c.change()
		before := len(d.notes)
		if got := d.post(c.body); got.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.Code, got.Body, c.status)
		} else if got.Code != http.StatusOK && (len(d.notes) != before || got.Header().Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: answered with %s", name, got.Header())
		}
		d.now, d.roster, d.fail = now, roster, nil
	}
	r := httptest.NewRequest("POST", TracePath, bytes.NewReader(good))
	rec := httptest.NewRecorder()
	if d.ServeHTTP(rec, r); rec.Code != http.StatusUnsupportedMediaType {
		t.Error(rec.Code)
	}
}

func TestTraceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.log")
	write := func(n int) {
		t.Helper()
		f, err := OpenTraceFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := f.Note(TraceEntry{Case: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(3)
	write(2)
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 5 {
		t.Fatalf("%s %v", whole, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	// A crash in the middle of a line: it was never answered.
	if err := os.WriteFile(path, append(bytes.Clone(whole), `{"at":"20`...), 0o600); err != nil {
		t.Fatal(err)
	}
	write(1)
	if got, _ := os.ReadFile(path); !bytes.HasPrefix(got, whole) || bytes.Count(got, []byte("\n")) != 6 {
		t.Errorf("%s", got)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for name, bad := range map[string]struct {
		data []byte
		line string
	}{
		"a line taken out": {bytes.Join([][]byte{lines[0], lines[2]}, nil), ":2:"},
		"a line changed":   {bytes.Replace(whole, []byte(`"case":"1"`), []byte(`"case":"7"`), 1), ":3:"},
		"no line at all":   {[]byte("hello\n"), ":1:"},
	} {
		if err := os.WriteFile(path, bad.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTraceFile(path); err == nil || !strings.Contains(err.Error(), path+bad.line) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenTraceFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for range 2 {
		if err := f.Note(TraceEntry{}); err == nil {
			t.Error("a note that was not written counts")
		}
	}
}
