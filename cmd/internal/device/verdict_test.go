package device_test

import (
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
)

// TestVerdicts holds every kind of bad pass to the camera of a whole kiosk:
// each has a verdict of its own, and none leaves anything in the journal or at
// the registry. (Package kiosk's TestAnswers gives each verdict its own scene
// and words.)
func TestVerdicts(t *testing.T) {
	p := newParty(t, nil)
	// Bundle 2 says that one brand's keys were lost an hour ago.
	if err := p.town.Publish(2, func(c *pass.Contents) {
		for i := range c.Issuers {
			if c.Issuers[i].ID == "nv" {
				c.Issuers[i].RevokedAt = p.now().Add(-time.Hour).Unix()
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	p.refresh()
	board := prove.NewBoard()
	r := p.open(board)
	first := p.pass(town.Good)
	told := map[kiosk.Verdict]string{}
	for _, v := range []struct {
		name string
		text string
		want kiosk.Verdict
	}{
		{"good", first, kiosk.Accepted},
		{"forged", p.pass(town.Forged), "signature"},
		{"expired", p.pass(town.Expired), "expired"},
		{"future", p.pass(town.Future), "not-yet-valid"},
		{"unknown key", p.pass(town.Unknown), "unknown-key"},
		{"revoked", p.revoked(), "revoked"},
		{"truncated", p.pass(town.Truncated), "truncated"},
		{"oversized", p.pass(town.Oversized), "oversized"},
		{"non-canonical", p.nonCanonical(), "non-canonical"},
		{"newer", "MJ2" + first[3:], "version"},
		{"other", p.pass(town.Other), "not-a-pass"},
		{"replayed", first, kiosk.Used},
	} {
		if v.name == "replayed" {
			// By someone else, when the presentation is over and the code still valid.
			if err := board.Show(""); err != nil {
				t.Fatal(err)
			}
			p.later(kiosk.Same + 200*time.Millisecond)
		}
		if err := board.Show(v.text); err != nil {
			t.Fatal(err)
		}
		e := r.answer()
		if e.Verdict != v.want {
			t.Errorf("%s: told %q, want %q", v.name, e.Verdict, v.want)
		}
		if other, taken := told[e.Verdict]; taken {
			t.Errorf("%s and %s are told the same", v.name, other)
		}
		told[e.Verdict] = v.name
		if (e.Seq != 0) != (v.want == kiosk.Accepted) {
			t.Errorf("%s: visit number %d", v.name, e.Seq)
		}
	}
	p.arrived(1)
	r.acknowledged() // the journal is empty, nothing was set aside
	if n := len(p.visits()); n != 1 {
		t.Errorf("%d visits in the registry, want the good one alone", n)
	}
}

func (p *party) revoked() string {
	p.t.Helper()
	text, err := p.town.Issuer.Issue(p.now(), "nv", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// nonCanonical spells the length of the signature in two bytes more than it
// needs (RFC 8949, section 4.2.1: the shortest form).
func (p *party) nonCanonical() string {
	p.t.Helper()
	text := p.pass(town.Good)
	data, err := base45.AppendDecoded(nil, text[len(pass.Magic)+1:])
	if err != nil {
		p.t.Fatal(err)
	}
	at := len(data) - 64 - 2
	if data[at] != 0x58 || data[at+1] != 64 {
		p.t.Fatal("the signature is not where it was")
	}
	longer := append(append([]byte(nil), data[:at]...), 0x59, 0, 64)
	return pass.Text(append(longer, data[at+2:]...))
}
