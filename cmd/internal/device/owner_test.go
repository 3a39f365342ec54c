package device

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/uplink/journal"
)

// TestOwnersWords: the page has words for every state that a part can be in.
// TestStates sees to those with a table of their own.
func TestOwnersWords(t *testing.T) {
	for part, states := range map[string][2]string{"camera": {"live", "lost"}, "disk": {"good", "fails"}, "network": {"good", "away"}} {
		for _, well := range []bool{true, false} {
			if err := owner.Words(either(part, well, states[0], states[1], display.Bad)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []owner.Condition{
		{Part: "queue", State: "unread", Level: display.Bad},
		{Part: "sound", State: "off"}, {Part: "sound", State: "lost", Level: display.Bad}, {Part: "sound", State: "muted", Level: display.Warn}, {Part: "sound", State: "playing"},
		{Part: "lines", State: "none"}, {Part: "lines", State: "missing", Level: display.Warn}, {Part: "lines", State: "good"},
	} {
		if err := owner.Words(c); err != nil {
			t.Error(err)
		}
	}
	// Nobody need know the minute in which somebody came.
	if c := queueCondition(t0, journal.Stats{Queue: 3, Oldest: t0.Add(-90 * time.Minute)}); c.Number != 3 || c.Time.Minute() != 0 {
		t.Errorf("%+v", c)
	}
}

// TestWelcomeEnds: the password leaves the screen and the memory after a while.
func TestWelcomeEnds(t *testing.T) {
	now := t0
	d := &Device{Config: Defaults(), Owner: new(owner.Server), log: slog.New(slog.DiscardHandler)}
	d.welcome.now = func() time.Time { return now }
	d.Config.Data = t.TempDir()
	e := enroller{d}
	if _, password := e.Welcome(); password != "" {
		t.Error("a password before the enrolment")
	}
	d.newPassword()
	address, password := e.Welcome()
	if address != "munjigi.local:8443" || len(password) != 14 {
		t.Errorf("%q %q", address, password)
	}
	if has, err := owner.HasPassword(d.Config.Data); !has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	now = now.Add(welcomeFor - time.Second)
	if _, again := e.Welcome(); again != password {
		t.Errorf("%q", again)
	}
	now = now.Add(2 * time.Second)
	if address, password := e.Welcome(); address != "" || password != "" || d.welcome.password != "" {
		t.Errorf("after two minutes %q %q", address, password)
	}
	d.Owner = nil // no page: no password
	d.newPassword()
	if _, password := e.Welcome(); password != "" {
		t.Error("a password for no page")
	}
}

func TestOwnersAddress(t *testing.T) {
	for listen, ok := range map[string]bool{"": true, ":8443": true, "192.168.0.7:443": true, "8443": false, "munjigi": false} {
		c := Defaults()
		c.Owner.Listen = listen
		if err := c.check(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "owner.listen") {
			t.Errorf("%q: %v", listen, err)
		}
	}
}
