package owners

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/devices"
)

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

// Several processes that see the same silence, and the same end of it, tell an
// owner once of each.
func TestSilenceIsToldByOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		branch := boss.branch("본점")
		kiosk := h.enrol(boss.code(branch+"/code"), "door-1")
		h.beat(kiosk, well())
		h.pass(devices.Silence + time.Second)
		seen, err := h.server.silences(t.Context(), silenceColumns+`WHERE k.id = $1`, kiosk)
		if err != nil || len(seen) != 1 {
			t.Fatal(seen, err)
		}
		together := func(note func() error) {
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					if err := note(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			h.work()
		}
		together(func() error { return h.server.fell(t.Context(), seen[0]) })
		if n := len(h.outbox.Messages()); n != 1 {
			t.Errorf("told %d times of a silence", n)
		}
		h.beat(kiosk, well())
		seen[0].since = h.now()
		together(func() error { return h.server.came(t.Context(), seen[0], h.now()) })
		if n := len(h.outbox.Messages()); n != 2 {
			t.Errorf("told %d times of its end", n-1)
		}
	})
}
