package registry

import (
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass/wire"
)

// What an operator's machines read, after every kind of request there is.
func TestMetrics(t *testing.T) {
	h := newHouse(t)
	forged := visit(t, "kko", 2, t0)
	forged.Pass = append([]byte(nil), forged.Pass...)
	forged.Pass[len(forged.Pass)-1] ^= 1
	h.send(t, "door-1", visit(t, "kko", 1, t0), forged, visit(t, "kko", 3, t0))
	h.send(t, "door-1", visit(t, "kko", 1, t0))
	h.send(t, "door-p", visit(t, "kko", 9, t0))
	beat, err := wire.Heartbeat{Version: "v9", Queue: 17, Bundle: 7}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h.post(t, h.doors["door-1"].client, wire.HeartbeatPath, beat)
	h.post(t, h.root, wire.EnrolPath, h.enrolBody(t, "new"))
	if err := h.book.Revoke(t.Context(), h.doors["door-m"].Kiosk, h.time()); err != nil {
		t.Fatal(err)
	}
	h.set(h.time().Add(10 * time.Minute)) // all but door-1 have never been heard, and now nobody lately
	w := httptest.NewRecorder()
	h.Admin().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for name, want := range map[string]string{
		`munjigi_visits_total{result="stored"}`:     "2",
		`munjigi_visits_total{result="duplicate"}`:  "1",
		`munjigi_visits_total{result="signature"}`:  "1",
		`munjigi_visits_total{result="policy-off"}`: "1",
		`munjigi_batch_seconds_count`:               "3",
		`munjigi_requests_in_flight`:                "0",
		`munjigi_turned_away_total`:                 "0",
		`munjigi_commit_queue`:                      "0",
		`munjigi_kiosks{state="heard"}`:             "0",
		`munjigi_kiosks{state="silent"}`:            "4",
		`munjigi_kiosks{state="revoked"}`:           "1",
		`munjigi_kiosk_queue`:                       "17",
		`munjigi_bundle_number`:                     "7",
		`munjigi_bundle_age_seconds`:                "87060",
		`munjigi_bundle_expires_seconds`:            "5.18334e+06",
		`munjigi_oldest_visit_seconds`:              "46260", // from midnight in Seoul to 12:51
		`munjigi_clock_seconds`:                     fmt.Sprint(float64(h.time().Unix())),
		`munjigi_store_up`:                          "1",
	} {
		if !strings.Contains(text, "\n"+name+" "+want+"\n") {
			t.Errorf("want %s %s, got %s", name, want, regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+` .*`).FindString(text))
		}
	}
	// All names, and all labels with their closed lists of values.
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(munjigi_\w+)(\{[^}]*\})? `).FindAllStringSubmatch(text, -1) {
		names[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m[1], "_bucket"), "_sum"), "_count")] = true
		if m[2] != "" && !regexp.MustCompile(`^\{(result="(stored|duplicate|[a-z-]+)"|state="(heard|silent|revoked)"|le="[0-9.+Inf]+")\}$`).MatchString(m[2]) {
			t.Errorf("%s has the labels %s", m[1], m[2])
		}
	}
	want := []string{
		"munjigi_batch_seconds", "munjigi_bundle_age_seconds", "munjigi_bundle_expires_seconds", "munjigi_bundle_number", "munjigi_clock_seconds",
		"munjigi_commit_queue", "munjigi_kiosk_queue", "munjigi_kiosks", "munjigi_oldest_visit_seconds", "munjigi_requests_in_flight",
		"munjigi_store_up", "munjigi_turned_away_total", "munjigi_visits_total",
	}
	var got []string
	for name := range names {
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Nothing in it is about a visitor, a kiosk or a place.
	for _, d := range h.doors {
		for _, id := range []string{d.Kiosk, d.Facility, d.Name} {
			if strings.Contains(text, id) {
				t.Errorf("the metrics name %s", id)
			}
		}
	}
	id := idOf(1)
	for _, s := range []string{"visitor:", hex.EncodeToString(id[:]), id.String()[:16], "kko", "127.0.0.1", "v9"} {
		if strings.Contains(text, s) {
			t.Errorf("the metrics hold %q", s)
		}
	}
}

func TestAdmin(t *testing.T) {
	h := newHouse(t)
	get := func(path string) int {
		w := httptest.NewRecorder()
		h.Admin().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/outbox": 404, wire.VisitsPath: 404, "/": 404} {
		if got := get(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200} {
		if got := get(path); got != want {
			t.Errorf("without a store, %s: %d, want %d", path, got, want)
		}
	}
}
