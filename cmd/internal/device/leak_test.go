package device_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
)

// TestNoHealthByteAnywhere is law 5: vaccinated visitors show their codes to
// the whole line, and afterwards not a byte of what they carried is in the
// journal, the logs of kiosk, registry and issuer at their most talkative, on
// the wire, or in the registry's files. Package prove shows that the search
// finds what is there.
func TestNoHealthByteAnywhere(t *testing.T) {
	p := newParty(t, nil)
	board := prove.NewBoard()
	r := p.open(board)
	search := new(prove.Search)
	reason := func(r pass.Reason) kiosk.Verdict { return kiosk.Verdict(r.String()) }
	admitted := 0
	for i, v := range []struct {
		want kiosk.Verdict
		ago  time.Duration
		edit func([]byte)
	}{
		{want: kiosk.Accepted},
		{want: kiosk.Accepted},
		{want: kiosk.Accepted},
		{want: reason(pass.ReasonExpired), ago: time.Minute},
		{want: reason(pass.ReasonSignature), edit: func(b []byte) { b[len(b)-70] ^= 1 }}, // the payload's last byte but four
		{want: reason(pass.ReasonSignature), edit: func(b []byte) { b[60] ^= 1 }},
	} {
		text := p.vaccinated(i, v.ago)
		if v.edit != nil {
			data, err := base45.AppendDecoded(nil, text[len(pass.Magic)+1:])
			if err != nil {
				t.Fatal(err)
			}
			v.edit(data)
			text = pass.Text(data)
		}
		if err := search.Add(text); err != nil {
			t.Fatal(err)
		}
		if err := board.Show(text); err != nil {
			t.Fatal(err)
		}
		e := r.answer()
		if e.Verdict != v.want {
			t.Errorf("visitor %d was told %q, want %q", i, e.Verdict, v.want)
		}
		if e.Seq != 0 {
			admitted++
		}
	}
	p.arrived(admitted)
	look := func(when string) {
		t.Helper()
		found, err := search.Files(p.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s, %s", when, f)
		}
		for _, f := range search.Find(p.logs.Bytes()) {
			t.Errorf("%s, log: %s", when, f)
		}
		for _, blob := range p.wire.Record() {
			for _, f := range search.Find(blob) {
				t.Errorf("%s, wire: %s", when, f)
			}
		}
	}
	look("while it runs")
	r.stop()
	p.end()
	look("afterwards")

	wire := slices.Concat(p.wire.Record()...)
	if !bytes.Contains(wire, []byte("/visits")) || admitted != 3 {
		t.Errorf("%d visits were admitted and the wire saw %d bytes: the search looked at nothing", admitted, len(wire))
	}
	for _, encoding := range []string{"zstd", "br", "deflate"} {
		if bytes.Contains(wire, []byte("Content-Encoding: "+encoding)) {
			t.Errorf("a body in %s: the search cannot look inside", encoding)
		}
	}
	t.Logf("%d kB searched, the log had %d bytes, the wire %d", search.Bytes>>10, len(p.logs.Bytes()), len(wire))
}

// vaccinated is the pass of visitor n, each with four doses of its own.
func (p *party) vaccinated(n int, ago time.Duration) string {
	p.t.Helper()
	now := p.now()
	h := &pass.Health{Complete: true}
	for i := range pass.MaxDoses {
		h.Doses = append(h.Doses, pass.Dose{Number: i + 1, Date: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 7*n+60*i-400)})
	}
	text, err := p.town.Issuer.Issue(now.Add(-ago), "kko", h)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}
