package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// later is asked of a batch that must be sent again.
func (h *house) later(t *testing.T, name, why string, visits ...wire.Visit) {
	t.Helper()
	body, _ := h.encode(t, name, visits...)
	resp, answer := h.post(t, h.doors[name].client, wire.VisitsPath, body)
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	if !strings.Contains(h.log.String(), why) {
		t.Errorf("the log does not say %q:\n%s", why, h.log)
	}
}

// The registry's clock alone is wrong: nobody is refused for it for ever.
func TestOwnClockIsWrong(t *testing.T) {
	t.Run("behind", func(t *testing.T) {
		h := newHouse(t)
		v := visit(t, "kko", 1, t0.Add(10*day))
		h.later(t, "door-1", "check the clock", v)
		h.set(t0.Add(10*day + time.Minute))
		if got := h.send(t, "door-1", v); got[0] != "stored" {
			t.Errorf("got %s", got[0])
		}
	})
	t.Run("before its bundle", func(t *testing.T) {
		h := newHouse(t)
		h.set(t0.Add(-3 * day))
		body, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0.Add(-3*day)))
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, h.request("door-1", body))
		if kind := problemOf(t, w.Code, w.Header(), w.Body.Bytes()); kind != wire.ProblemNoBundle {
			t.Errorf("got %s", kind)
		}
	})
	t.Run("ahead", func(t *testing.T) {
		h := newHouse(t)
		h.send(t, "door-1", visit(t, "kko", 1, t0))
		h.set(t0.Add(29 * day))
		h.later(t, "door-1", "check it", visit(t, "kko", 2, t0))
		// A fresh visit is a witness that it is right: the old one is too old.
		if got := h.send(t, "door-2", visit(t, "kko", 3, t0.Add(29*day))); got[0] != "stored" {
			t.Errorf("got %s", got[0])
		}
		if got := h.send(t, "door-1", visit(t, "kko", 2, t0)); got[0] != wire.ReasonRetention {
			t.Errorf("got %s", got[0])
		}
	})
}

// The kiosk has a newer bundle than this registry: what only that one could
// judge is asked for again.
func TestOlderBundleThanTheKiosks(t *testing.T) {
	h := newHouse(t)
	unknown := visit(t, "who", 1, t0)
	if got := h.send(t, "door-1", unknown); got[0] != "unknown-key" {
		t.Errorf("got %s", got[0])
	}
	for _, door := range []string{"door-1", "door-m"} {
		if err := h.book.Beat(t.Context(), h.doors[door].Kiosk, wire.Heartbeat{Bundle: 8}, h.time()); err != nil {
			t.Fatal(err)
		}
	}
	h.later(t, "door-1", "newer bundle.cbor", unknown, visit(t, "kko", 2, t0))
	h.later(t, "door-m", "newer bundle.cbor", visit(t, "kko", 2, t0))
	if got := h.send(t, "door-1", visit(t, "kko", 2, t0)); got[0] != "stored" {
		t.Errorf("got %s", got[0])
	}
}
