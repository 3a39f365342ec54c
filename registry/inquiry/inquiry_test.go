package inquiry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
)

func TestInquiry(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		in := t0.Add(-150 * time.Minute)
		h.visit("kko", 1, "f-haneul", "door-1", in)
		h.visit("kko", 1, "f-haneul", "door-2", in.Add(5*time.Second)) // lent
		h.visit("nv", 2, "f-haneul", "door-1", in)
		h.visit("xx", 3, "f-haneul", "door-1", in)            // on no roster
		h.visit("kko", 4, "f-museum", "door-9", in)           // elsewhere
		h.visit("kko", 5, "f-haneul", "door-1", draft().To)   // when it was over
		h.visit("kko", 6, "f-haneul", "door-1", draft().From) // its first moment
		path, order, place := h.ask("seoul-1", draft())
		approval := h.approval("seoul-2", order, place)
		h.want(h.do("POST", path+"/approval", approval, nil), http.StatusNoContent, "")

		page := h.page("seoul-1", path)
		report, err := h.roster.OpenReport(who(t, "seoul-1"), page.Report, trace.DigestOf(order), h.now)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Groups) != 2 || report.Lost != 1 || len(page.Groups) != 2 {
			t.Fatalf("%+v", report)
		}
		seen := map[string][]trace.Seen{}
		for n, l := range page.Groups {
			if digest := trace.DigestOf(l.Group); string(report.Groups[n].Group) != string(digest[:]) {
				t.Error("the report names another group")
			}
			answer := h.respond(l.Issuer, l.Group)
			h.want(h.do("POST", path+"/answers", answer, nil), http.StatusNoContent, "")
			h.want(h.do("POST", path+"/answers", answer, nil), http.StatusNoContent, "") // its 204 was lost
		}
		page = h.page("seoul-1", path)
		for _, l := range page.Groups {
			if len(l.Group) > 0 {
				t.Error("sealed pass ids outlive their answer")
			}
			s, err := h.roster.OpenSheet(who(t, "seoul-1"), l.Sheet, trace.DigestOf(order), h.now)
			if err != nil {
				t.Fatal(err)
			}
			people, err := h.roster.OpenAnswer(who(t, "seoul-1"), l.Answer, s, h.now)
			if err != nil {
				t.Fatal(err)
			}
			all, err := trace.Join(s, people)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				seen[p.Person.Name] = p.Seen
			}
		}
		name := func(n int) string { id := idOf(n); return fmt.Sprintf("p%x", id[:3]) }
		want := map[string][]trace.Seen{
			name(1): {{At: in.UnixMilli(), Flags: trace.FlagRelayed}, {At: in.Add(5 * time.Second).UnixMilli(), Flags: trace.FlagRelayed}},
			name(2): {{At: in.UnixMilli()}},
			name(6): {{At: draft().From.UnixMilli()}},
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		h.want(h.called("seoul-2", "POST", path+"/close"), http.StatusForbidden, "not-yours")
		h.want(h.called("seoul-1", "POST", path+"/close"), http.StatusNoContent, "")
		h.want(h.called("seoul-1", "POST", path+"/close"), http.StatusNoContent, "")
		h.want(h.called("seoul-1", "GET", path+"/letters"), http.StatusNotFound, "unknown-inquiry")
		// Neither the order nor the approval begins it again.
		request, _ := who(t, "seoul-1").SealRequest(who(t, "registry").Party(), order, place, h.now)
		h.want(h.do("POST", inquiry.Path, request, nil), http.StatusNotFound, "unknown-inquiry")
		h.want(h.do("POST", path+"/approval", approval, nil), http.StatusNotFound, "unknown-inquiry")

		kinds, text := h.lines()
		if diff := cmp.Diff([]string{"inquiry-asked", "inquiry-approved", "inquiry-grouped", "inquiry-fetched", "inquiry-answered", "inquiry-answered", "inquiry-fetched", "inquiry-closed"}, kinds); diff != "" {
			t.Error(diff)
		}
		for _, secret := range []string{"김하늘", "머무름", fmt.Sprintf("%x", idOf(1)), name(1)} {
			if strings.Contains(text, secret) || strings.Contains(h.log.String(), secret) {
				t.Errorf("%q is in a log", secret)
			}
		}
		var left int
		if err := h.db.SQL().QueryRow(`SELECT (SELECT count(*) FROM inquiry_groups) + count(request) + count(place) + count(report) + count(approval) FROM inquiries`).Scan(&left); err != nil || left != 0 {
			t.Error(left, err)
		}
	})
}

func TestStrangers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.visit("kko", 1, "f-haneul", "door-1", t0.Add(-150*time.Minute))
		h.visit("nv", 2, "f-haneul", "door-1", t0.Add(-150*time.Minute))
		path, order, place := h.ask("seoul-1", draft())
		other, order2, place2 := h.ask("seoul-3", draft())
		registry := who(t, "registry").Party()
		post := func(body []byte, err error) *httptest.ResponseRecorder {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return h.do("POST", inquiry.Path, body, nil)
		}

		// Who may ask.
		forged, p, _ := who(t, "stranger").Ask(draft(), h.now)
		h.want(post(who(t, "stranger").SealRequest(registry, forged, p, h.now)), http.StatusForbidden, "not-an-officer")
		h.want(post(who(t, "kko").SealRequest(registry, order, place, h.now)), http.StatusForbidden, "not-an-officer")
		h.want(post(who(t, "seoul-2").SealRequest(registry, order, place, h.now)), http.StatusConflict, "other-matter")
		h.want(post(who(t, "seoul-1").SealRequest(who(t, "kko").Party(), order, place, h.now)), http.StatusForbidden, "wrong-recipient")
		moved := place
		moved.Facility = "f-museum"
		h.want(post(who(t, "seoul-1").SealRequest(registry, order, moved, h.now)), http.StatusForbidden, "wrong-place")
		d := draft()
		d.Facility = "f-nowhere"
		request, _, _ := h.request("seoul-1", d)
		h.want(post(request, nil), http.StatusNotFound, "unknown-facility")
		h.want(post([]byte("hello"), nil), http.StatusBadRequest, "unreadable")
		h.want(post(nil, nil), http.StatusBadRequest, "unreadable")
		h.want(post(make([]byte, 10<<20), nil), http.StatusRequestEntityTooLarge, "too-big")
		h.want(h.sent("POST", inquiry.Path, "application/json", []byte("{}")), http.StatusUnsupportedMediaType, "media-type")

		// Who may approve.
		own, err := cose.SignTyped(key("seoul-1"), "application/munjigi-trace-approval+cbor", struct {
			Order   []byte `cbor:"1,keyasint"`
			Officer string `cbor:"2,keyasint"`
			At      int64  `cbor:"3,keyasint"`
		}{digest(order), "seoul-1", h.now.UnixMilli()})
		if err != nil {
			t.Fatal(err)
		}
		h.want(h.do("POST", path+"/approval", own, nil), http.StatusForbidden, "one-person")
		h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order2, place2), nil), http.StatusConflict, "other-matter")
		h.want(h.do("POST", path+"/approval", order, nil), http.StatusBadRequest, "unreadable")
		h.want(h.do("POST", inquiry.Path+"/"+strings.Repeat("0", 64)+"/approval", own, nil), http.StatusNotFound, "unknown-inquiry")
		h.want(h.do("POST", inquiry.Path+"/'%20OR%201=1--/approval", own, nil), http.StatusNotFound, "unknown-inquiry")
		if kinds, _ := h.lines(); len(kinds) != 2 {
			t.Errorf("%v", kinds)
		}

		// Who may look.
		h.want(h.do("GET", inquiry.Path, nil, nil), http.StatusUnauthorized, "no-call")
		h.want(h.do("GET", path+"/letters", nil, []byte("x")), http.StatusBadRequest, "unreadable")
		h.want(h.called("kko", "GET", inquiry.Path), http.StatusForbidden, "not-an-officer")
		h.want(h.called("stranger", "GET", inquiry.Path+"/facilities?name=x"), http.StatusForbidden, "not-an-officer")
		call, err := who(t, "seoul-1").Call("GET", inquiry.Path, h.now)
		if err != nil {
			t.Fatal(err)
		}
		h.want(h.do("GET", path+"/letters", nil, call), http.StatusConflict, "other-matter")
		h.want(h.do("POST", path+"/close", nil, call), http.StatusConflict, "other-matter")
		h.now = t0.Add(trace.Skew + time.Second)
		h.want(h.do("GET", inquiry.Path, nil, call), http.StatusUnauthorized, "stale-call")
		h.now = t0

		h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order, place), nil), http.StatusNoContent, "")
		h.want(h.do("POST", path+"/approval", h.approval("seoul-3", order, place), nil), http.StatusConflict, "approved-already")
		for _, officer := range []string{"seoul-2", "seoul-3"} {
			h.want(h.called(officer, "GET", path+"/letters"), http.StatusForbidden, "not-yours")
		}

		// Who may answer.
		page := h.page("seoul-1", path)
		kko := h.respond("kko", page.Groups[0].Group)
		h.want(h.do("POST", other+"/answers", kko, nil), http.StatusForbidden, "wrong-recipient")
		h.want(h.do("POST", path+"/answers", page.Groups[0].Group, nil), http.StatusForbidden, "not-an-officer")
		if _, err := h.roster.OpenGroup(who(t, "nv"), page.Groups[0].Group, h.now); !errors.Is(err, trace.ErrRecipient) {
			t.Errorf("another issuer's group is opened: %v", err)
		}
		// An issuer that answers for another: the group is not among its own.
		path3, order3, place3 := h.ask("seoul-1", draft())
		h.want(h.do("POST", path3+"/approval", h.approval("seoul-2", order3, place3), nil), http.StatusNoContent, "")
		h.want(h.do("POST", path3+"/answers", kko, nil), http.StatusNotFound, "unknown-group")
		h.now = t0.Add(trace.AnswerWithin)
		h.want(h.do("POST", path+"/answers", kko, nil), http.StatusGone, "expired")
		h.now = t0

		// A revoked officer.
		h.sign(func(c *trace.Contents) { c.Number, c.Officers[0].RevokedAt = 2, t0.Unix() })
		h.want(h.called("seoul-1", "GET", path+"/letters"), http.StatusForbidden, "not-an-officer")
		request, _, _ = h.request("seoul-1", draft())
		h.want(post(request, nil), http.StatusForbidden, "not-an-officer")
		h.sign(func(c *trace.Contents) { c.Number, c.Officers[1].NotAfter = 3, t0.Unix() })
		h.want(h.do("POST", other+"/approval", h.approvalOf("seoul-2", order2), nil), http.StatusForbidden, "not-an-officer")

		// No roster, or one that does not know this registry.
		h.sign(func(c *trace.Contents) { c.Registries = nil })
		h.want(h.called("seoul-1", "GET", inquiry.Path), http.StatusServiceUnavailable, "not-listed")
		h.roster = nil
		h.want(h.called("seoul-1", "GET", inquiry.Path), http.StatusServiceUnavailable, "no-roster")
		h.want(h.do("GET", inquiry.Path+"/roster", nil, nil), http.StatusServiceUnavailable, "no-roster")
	})
}

// approvalOf signs without asking whether one may.
func (h *house) approvalOf(officer string, order []byte) []byte {
	raw, err := cose.SignTyped(key(officer), "application/munjigi-trace-approval+cbor", struct {
		Order   []byte `cbor:"1,keyasint"`
		Officer string `cbor:"2,keyasint"`
		At      int64  `cbor:"3,keyasint"`
	}{digest(order), officer, h.now.UnixMilli()})
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

func digest(raw []byte) []byte { d := trace.DigestOf(raw); return d[:] }

func TestListing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pathA, orderA, placeA := h.ask("seoul-1", draft())
		h.want(h.do("POST", pathA+"/approval", h.approval("seoul-2", orderA, placeA), nil), http.StatusNoContent, "")
		_, orderB, _ := h.ask("seoul-1", draft())
		for officer, want := range map[string][]string{"seoul-1": {"asked", "answered"}, "seoul-2": {"asked", "answered"}, "seoul-3": {"asked"}} {
			call, err := who(t, officer).Call("GET", inquiry.Path, h.now)
			if err != nil {
				t.Fatal(err)
			}
			w := h.do("GET", inquiry.Path, nil, call)
			h.want(w, http.StatusOK, "")
			if strings.Contains(w.Body.String(), "haneul") {
				t.Error("a listing can be read on its way")
			}
			entries, err := h.roster.OpenListing(who(t, officer), w.Body.Bytes(), call, h.now)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				o, err := h.roster.OpenOrder(e.Order, h.now)
				if err != nil || o.Holds(e.Place) != nil {
					t.Error(err)
				}
				if e.State == trace.StateAsked && !bytes.Equal(e.Order, orderB) {
					t.Error("another order")
				}
				got = append(got, string(e.State))
			}
			// Both were asked in the same millisecond: any order.
			if len(got) == 2 && got[0] != "asked" {
				got[0], got[1] = got[1], got[0]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", officer, diff)
			}
		}
		for query, want := range map[string]int{"카페": 2, "MUSEUM": 1, "f-haneul": 1, "%25": 0, "_": 0, "'": 0, "": 2} {
			w := h.called("seoul-1", "GET", inquiry.Path+"/facilities?name="+query)
			h.want(w, http.StatusOK, "")
			var all []struct{ ID string }
			if err := json.NewDecoder(w.Body).Decode(&all); err != nil || len(all) != want {
				t.Errorf("%q: %d, %v, want %d", query, len(all), err, want)
			}
		}
		w := h.do("GET", inquiry.Path+"/roster", nil, nil)
		h.want(w, http.StatusOK, "")
		if raw, _ := io.ReadAll(w.Body); !bytes.Equal(raw, h.roster.Raw()) {
			t.Error("another roster")
		}
	})
}

func TestTimes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		// An order nobody approves.
		path, order, place := h.ask("seoul-1", draft())
		approval := h.approval("seoul-2", order, place)
		h.now = t0.Add(trace.ApproveWithin)
		h.want(h.do("POST", path+"/approval", approval, nil), http.StatusGone, "expired")
		h.sweep()
		h.now = h.now.Add(time.Hour)
		h.sweep()

		// A window of which nothing is left.
		old := draft()
		old.From, old.To = h.now.AddDate(0, 0, -40), h.now.AddDate(0, 0, -40).Add(time.Hour)
		request, _, _ := h.request("seoul-1", old)
		h.want(h.do("POST", inquiry.Path, request, nil), http.StatusGone, "window-gone")

		// One of which nothing is left by the time it is approved, and which says so.
		h.now = time.Date(2026, 11, 24, 14, 30, 0, 0, time.UTC) // 23:30 in Seoul
		edge := draft()
		edge.From = time.Date(2026, 10, 28, 1, 0, 0, 0, time.UTC) // the oldest day kept
		edge.To = edge.From.Add(time.Hour)
		h.visit("kko", 1, "f-haneul", "door-1", edge.From.Add(time.Minute))
		path, order, place = h.ask("seoul-1", edge)
		h.now = h.now.Add(31 * time.Minute)
		h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order, place), nil), http.StatusNoContent, "")
		page := h.page("seoul-1", path)
		report, err := h.roster.OpenReport(who(t, "seoul-1"), page.Report, trace.DigestOf(order), h.now)
		if err != nil || len(report.Groups) != 0 || report.Since <= edge.To.Unix() {
			t.Errorf("%+v %v", report, err)
		}
		if _, text := h.lines(); !strings.Contains(text, `"gone_to":"2026-10-29T00:00:00+09:00"`) {
			t.Error(text)
		}

		// Pass ids that wait for an answer go when their day does.
		edge.From = time.Date(2026, 10, 29, 1, 0, 0, 0, time.UTC)
		edge.To = edge.From.Add(time.Hour)
		h.visit("kko", 2, "f-haneul", "door-1", edge.From.Add(time.Minute))
		path, order, place = h.ask("seoul-1", edge)
		h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order, place), nil), http.StatusNoContent, "")
		sealed := h.page("seoul-1", path).Groups[0].Group
		answer := h.respond("kko", sealed)
		h.now = time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC) // midnight
		h.sweep()
		if l := h.page("seoul-1", path).Groups[0]; len(l.Group) != 0 {
			t.Error("pass ids outlive their day")
		}
		h.want(h.do("POST", path+"/answers", answer, nil), http.StatusGone, "expired")

		// And all of it 28 days after the approval.
		h.now = h.now.Add(inquiry.Keep)
		h.sweep()
		h.now = h.now.Add(time.Hour)
		h.sweep()
		var left int
		if err := h.db.SQL().QueryRow(`SELECT (SELECT count(*) FROM inquiry_groups) + (SELECT count(*) FROM inquiries)`).Scan(&left); err != nil || left != 0 {
			t.Error(left, err)
		}
		kinds, _ := h.lines()
		want := []string{
			"inquiry-asked", "inquiry-expired", "inquiry-asked", "inquiry-approved", "inquiry-grouped", "inquiry-fetched",
			"inquiry-asked", "inquiry-approved", "inquiry-grouped", "inquiry-fetched", "inquiry-fetched", "inquiry-erased", "inquiry-erased",
		}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

func (h *house) sweep() {
	h.t.Helper()
	if err := h.Sweep(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// TestAtOnce lets eight approvals of the same inquiry race, as two processes
// would: pass ids are grouped once.
func TestAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.visit("kko", 1, "f-haneul", "door-1", t0.Add(-150*time.Minute))
		path, order, place := h.ask("seoul-1", draft())
		approval := h.approval("seoul-2", order, place)
		var group errgroup.Group
		for range 8 {
			group.Go(func() error {
				if w := h.do("POST", path+"/approval", approval, nil); w.Code != http.StatusNoContent && w.Code != http.StatusConflict {
					return fmt.Errorf("%d %s", w.Code, w.Body)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if n := len(h.page("seoul-1", path).Groups); n != 1 {
			t.Errorf("%d groups", n)
		}
		kinds, _ := h.lines()
		if diff := cmp.Diff([]string{"inquiry-asked", "inquiry-approved", "inquiry-grouped", "inquiry-fetched"}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// TestGroupedLater: what fails behind the approval is done by the next sweep or
// fetch, and the approval stands.
func TestGroupedLater(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.visit("kko", 1, "f-haneul", "door-1", t0.Add(-150*time.Minute))
		for _, again := range []func(path string){
			func(string) { h.sweep() },
			func(path string) { h.page("seoul-1", path) },
		} {
			path, order, place := h.ask("seoul-1", draft())
			if _, err := h.db.SQL().Exec(`ALTER TABLE inquiry_groups RENAME TO away`); err != nil {
				t.Fatal(err)
			}
			h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order, place), nil), http.StatusServiceUnavailable, "try-again")
			if _, err := h.db.SQL().Exec(`ALTER TABLE away RENAME TO inquiry_groups`); err != nil {
				t.Fatal(err)
			}
			again(path)
			if n := len(h.page("seoul-1", path).Groups); n != 1 {
				t.Errorf("%d groups", n)
			}
		}
	})
}

// TestMany needs several groups of one issuer and several pages.
func TestMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const n = 2*trace.MaxPasses + 5
		at := t0.Add(-150 * time.Minute)
		var all []store.Visit
		for i := range n {
			all = append(all, store.Visit{Kiosk: "door-1", Facility: "f-haneul", Issuer: "kko", ID: idOf(i), Issued: at, Scanned: at, Received: at, Seq: uint64(i + 1)})
		}
		if _, err := h.db.Put(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		path, order, place := h.ask("seoul-1", draft())
		h.want(h.do("POST", path+"/approval", h.approval("seoul-2", order, place), nil), http.StatusNoContent, "")
		got := map[pass.ID]bool{}
		for _, l := range h.page("seoul-1", path).Groups {
			g, err := h.roster.OpenGroup(who(t, "kko"), l.Group, h.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range g.Passes {
				got[id] = true
			}
		}
		if len(got) != n {
			t.Errorf("%d of %d passes", len(got), n)
		}
	})
}

func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for range inquiry.MaxAsks {
			h.ask("seoul-1", draft())
		}
		request, _, _ := h.request("seoul-1", draft())
		h.want(h.do("POST", inquiry.Path, request, nil), http.StatusTooManyRequests, "too-many")
		h.ask("seoul-2", draft())
		for range 120 {
			h.do("GET", inquiry.Path+"/roster", nil, nil)
		}
		w := h.do("GET", inquiry.Path+"/roster", nil, nil)
		h.want(w, http.StatusTooManyRequests, "too-many")
		if w.Header().Get("Retry-After") != "1" {
			t.Error(w.Header())
		}
		h.now = h.now.Add(time.Minute)
		h.want(h.do("GET", inquiry.Path+"/roster", nil, nil), http.StatusOK, "")
	})
}

// Whoever has a whole network of addresses has one bucket, and however many
// networks ask, an officer at an address of their own need not wait.
func TestCrowd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		roster := func(from string) int {
			r := httptest.NewRequest("GET", inquiry.Path+"/roster", nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, r)
			return w.Code
		}
		for n := range 5000 {
			roster(fmt.Sprintf("[2001:db8::%x]:1", n))
		}
		if got := roster("[2001:db8::ffff]:1"); got != http.StatusTooManyRequests {
			t.Errorf("one more address of a network that asks too often: %d", got)
		}
		for n := range 5000 {
			roster(fmt.Sprintf("[2001:db8:1:%x::1]:1", n))
		}
		if got := roster("192.0.2.7:1"); got != http.StatusOK {
			t.Errorf("an officer at a fresh address: %d", got)
		}
	})
}
