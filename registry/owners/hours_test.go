package owners

import (
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

func TestHours(t *testing.T) {
	at := func(clock string) time.Time {
		c, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return store.DayOf(t0).Midnight().Add(time.Duration(c.Hour())*time.Hour + time.Duration(c.Minute())*time.Minute)
	}
	for _, c := range []struct {
		opens, closes string
		told, not     []string
	}{
		{"", "", []string{"00:00", "03:00", "12:00", "23:59"}, nil},
		{"09:00", "22:00", []string{"09:15", "12:00", "21:59"}, []string{"22:00", "03:00", "08:59", "09:00", "09:14"}},
		{"18:00", "03:00", []string{"18:15", "23:59", "00:00", "02:59"}, []string{"03:00", "12:00", "18:14"}},
		{"00:00", "23:59", []string{"00:15", "23:58"}, []string{"00:14", "23:59"}},
	} {
		h, err := readHours(c.opens, c.closes)
		if err != nil || h.Opens() != c.opens || h.Closes() != c.closes {
			t.Errorf("%s–%s: %v, read as %s–%s", c.opens, c.closes, err, h.Opens(), h.Closes())
		}
		for _, clock := range c.told {
			if !h.wants(at(clock)) {
				t.Errorf("%s–%s: not told at %s", c.opens, c.closes, clock)
			}
		}
		for _, clock := range c.not {
			if h.wants(at(clock)) {
				t.Errorf("%s–%s: told at %s", c.opens, c.closes, clock)
			}
		}
	}
	for _, bad := range [][2]string{{"9", "22"}, {"09:00", ""}, {"", "22:00"}, {"10:00", "10:00"}, {"25:00", "26:00"}, {"09:00:00", "22:00"}} {
		if _, err := readHours(bad[0], bad[1]); err == nil {
			t.Errorf("%v are taken for hours", bad)
		}
	}
}

// A kiosk that is switched off after closing wakes nobody; one that is still
// silent when the branch has opened does.
func TestNobodyIsWoken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.boss(business1, "haneul@example.com")
		branch := boss.branch("본점")
		kiosk := h.enrol(boss.code(branch+"/code", "door", "정문"), "door-1")
		if a := boss.post(branch+"/hours", "opens", "09:00"); a.status != 422 || !strings.Contains(a.body, "모두 적거나") {
			t.Error(a.status)
		}
		boss.must(branch+"/hours", "opens", "09:00", "closes", "22:00")
		if body := boss.see(branch); !strings.Contains(body, "알림 시간: 09:00–22:00") {
			t.Error("the hours are not shown")
		}
		mails := func() int {
			t.Helper()
			if err := h.server.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.work()
			return len(h.outbox.Messages())
		}
		h.pass(9*time.Hour + 30*time.Minute) // 22:10
		h.beat(kiosk, well())
		h.pass(devices.Silence + time.Second)
		if n := mails(); n != 0 {
			t.Errorf("%d mails after closing", n)
		}
		h.pass(10*time.Hour + 55*time.Minute) // 09:08: being switched on
		if n := mails(); n != 0 {
			t.Errorf("%d mails while kiosks start", n)
		}
		h.pass(10 * time.Minute)
		if n := mails(); n != 1 {
			t.Errorf("%d mails after opening, want 1", n)
		}
	})
}
