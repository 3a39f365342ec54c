package device

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/journal"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

// TestStates is docs/kiosk-states.md at its edges.
func TestStates(t *testing.T) {
	queue := func(age time.Duration) State {
		return QueueState(t0, journal.Stats{Queue: 3, Oldest: t0.Add(-age)})
	}
	keys := func(confirmed, left time.Duration) State {
		return KeysState(t0, uplink.TrustState{Number: 4, Issued: t0.Add(-40 * day), Confirmed: t0.Add(-confirmed), Expires: t0.Add(left)})
	}
	certificate := func(left time.Duration, refused string) State {
		return CertificateState(t0, uplink.LinkState{Kiosk: "k-1", Registry: "하늘", Expires: t0.Add(left), Refused: refused})
	}
	ticking := func(ntp bool, edit func(*clock.Clock)) State {
		c := clock.New(func() bool { return ntp }, false)
		edit(c)
		return ClockState(t0, c)
	}
	nothing := func(*clock.Clock) {}
	for _, c := range []struct {
		part  string
		got   State
		want  string
		level display.Level
	}{
		{"queue", QueueState(t0, journal.Stats{}), "sent", display.OK},
		{"queue", queue(QueueWarn - 1), "sent", display.OK},
		{"queue", queue(QueueWarn), "waiting", display.Warn},
		{"queue", queue(QueueOld - 1), "waiting", display.Warn},
		{"queue", queue(QueueOld), "old", display.Bad},
		{"queue", queue(QueueAlarm), "alarm", display.Bad},
		{"keys", KeysState(t0, uplink.TrustState{}), "none", display.Bad},
		{"keys", keys(KeysWarn-1, 50*day), "fresh", display.OK},
		{"keys", keys(KeysWarn, 50*day), "stale", display.Warn},
		{"keys", keys(KeysBad, 50*day), "old", display.Bad},
		{"keys", keys(0, KeysEnd), "fresh", display.OK},
		{"keys", keys(0, KeysEnd-1), "ending", display.Bad},
		{"keys", keys(0, 0), "expired", display.Bad},
		{"certificate", CertificateState(t0, uplink.LinkState{}), "none", display.Bad},
		{"certificate", certificate(CertificateEnd, ""), "good", display.OK},
		{"certificate", certificate(CertificateEnd-1, ""), "ending", display.Warn},
		{"certificate", certificate(0, ""), "expired", display.Warn},
		{"certificate", certificate(80*day, wire.ProblemRevoked), "refused", display.Bad},
		{"clock", ticking(true, nothing), "sure", display.OK},
		{"clock", ticking(false, nothing), "unsure", display.Warn},
		{"clock", ticking(true, func(c *clock.Clock) { c.Raise(t0.Add(time.Hour)) }), "wrong", display.Bad},
		{"clock", ticking(true, func(c *clock.Clock) {
			for range 3 {
				c.Hint(time.Minute)
			}
		}), "behind", display.Warn},
		{"clock", ticking(true, func(c *clock.Clock) {
			if err := c.Signed(t0, t0.Add(ClockDiffers+time.Second)); err != nil {
				t.Error(err)
			}
		}), "differs", display.Warn},
	} {
		if c.got.Name != c.want || c.got.Level != c.level || c.got.Say == "" {
			t.Errorf("%s: %+v, want %q with light %d", c.part, c.got, c.want, c.level)
		}
		documented(t, c.part, c.want)
		if err := owner.Words(condition(c.part, c.got)); err != nil {
			t.Error(err)
		}
	}
	// The owner hears of it long before anything is destroyed.
	if !strings.Contains(queue(QueueAlarm).Say, "destroyed in 7 days") {
		t.Error(queue(QueueAlarm).Say)
	}
}

// documented holds the table in docs/kiosk-states.md to every state.
func documented(t *testing.T, part, name string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/kiosk-states.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "| "+part+" | **"+name+"** |") {
		t.Errorf("docs/kiosk-states.md does not say what the %s does when %s", part, name)
	}
}
