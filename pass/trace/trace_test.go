package trace

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func who(t testing.TB, id string) *Identity {
	t.Helper()
	i, err := NewIdentity(id, testKey(id))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func party(t testing.TB, id string) Party {
	p := who(t, id).Party()
	p.NotBefore, p.NotAfter = t0.AddDate(0, -1, 0).Unix(), t0.AddDate(1, 0, 0).Unix()
	return p
}

func contents(t testing.TB) Contents {
	c := Contents{Number: 7, Issued: t0.AddDate(0, 0, -1).Unix(), Expires: t0.AddDate(0, 0, 80).Unix()}
	for _, id := range []string{"seoul-1", "seoul-2", "busan-1", "revoked", "ended", "later"} {
		c.Officers = append(c.Officers, party(t, id))
	}
	c.Officers[3].RevokedAt = t0.Add(time.Hour).Unix() // from then on
	c.Officers[4].NotAfter = t0.Add(-time.Hour).Unix()
	c.Officers[5].NotBefore = t0.Add(time.Hour).Unix()
	c.Issuers = []Party{party(t, "kko"), party(t, "nv")}
	c.Issuers[0].Address = "https://kko.example/v1/trace"
	c.Registries = []Party{party(t, "registry")}
	return c
}

func roster(t testing.TB, change ...func(*Contents)) *Roster {
	t.Helper()
	c := contents(t)
	for _, f := range change {
		f(&c)
	}
	raw, err := SignRoster(testKey("authority"), c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenRoster(raw, public(testKey("authority")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func draft() Draft {
	return Draft{Case: "2026-1234", From: t0.Add(-3 * time.Hour), To: t0.Add(-2 * time.Hour), Facility: "f-haneul", Reason: "확진자 1명이 머물렀음"}
}

// must keeps the happy path in one line.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ask(t testing.TB, officer string, d Draft, at time.Time) ([]byte, Place) {
	t.Helper()
	raw, p, err := who(t, officer).Ask(d, at)
	if err != nil {
		t.Fatal(err)
	}
	return raw, p
}

// warrant is a good one, asked by seoul-1 at t0 and approved by seoul-2 an hour later.
func warrant(t testing.TB, r *Roster) (*Warrant, Place) {
	t.Helper()
	raw, p := ask(t, "seoul-1", draft(), t0)
	o := must(r.OpenOrder(raw, t0))(t)
	approval := must(who(t, "seoul-2").Approve(o, p, t0.Add(time.Hour)))(t)
	return must(r.OpenWarrant(raw, approval, t0.Add(time.Hour)))(t), p
}

func ids(n int) []pass.ID {
	all := make([]pass.ID, n)
	for i := range all {
		sum := sha256.Sum256(fmt.Appendf(nil, "pass %d", i))
		all[i] = pass.ID(sum[:16])
	}
	return all
}

func TestCircle(t *testing.T) {
	r := roster(t)
	now := t0.Add(time.Hour)
	officer, second, registry, kko := who(t, "seoul-1"), who(t, "seoul-2"), who(t, "registry"), who(t, "kko")

	order, place := ask(t, "seoul-1", draft(), t0)
	request := must(officer.SealRequest(must(r.Registry(t0))(t), order, place, t0))(t)
	o, got, err := r.OpenRequest(registry, request, t0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(place, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(request), "haneul") || strings.Contains(string(order), "haneul") {
		t.Error("the place can be read")
	}

	call := must(second.Call("GET", "/v1/inquiries", t0))(t)
	caller := must(r.OpenCall(call, "GET", "/v1/inquiries", t0))(t)
	list := must(registry.SealListing(caller, call, []Entry{{Order: order, Place: place, State: StateAsked}}, t0))(t)
	entries := must(r.OpenListing(second, list, call, t0))(t)
	seen := must(r.OpenOrder(entries[0].Order, t0))(t)
	approval := must(second.Approve(seen, entries[0].Place, now))(t)
	w := must(r.OpenWarrant(o.Raw(), approval, now))(t)

	passes := ids(3)
	group := must(registry.SealGroup(must(r.Issuer("kko", now))(t), w, passes, now))(t)
	to := must(r.Officer(w.Officer, now))(t)
	s := Sheet{Issuer: "kko", Group: DigestOf(group), Seen: [][]Seen{{{At: 1}}, {{At: 2}, {At: 3, Flags: FlagRelayed}}, {{At: 4}}}}
	rawSheet := must(registry.SealSheet(to, w, s, now))(t)
	digest := DigestOf(group)
	rawReport := must(registry.SealReport(to, w, Report{Groups: []GroupRef{{"kko", digest[:], 3}}, Since: 5}, now))(t)

	g := must(r.OpenGroup(kko, group, now))(t)
	if diff := cmp.Diff(passes, g.Passes); diff != "" {
		t.Error(diff) // SealGroup has sorted passes
	}
	if g.Case != "2026-1234" || g.Officer != "seoul-1" || g.Approver != "seoul-2" {
		t.Errorf("%+v", g)
	}
	people := []*Person{{Name: "김하늘", Phone: "010-0000-0001"}, nil, {Name: "박", Phone: "1", Guardian: "박 부모", GuardianPhone: "2"}}
	answer := must(r.SealAnswer(kko, g, people, now))(t)
	issuer, forWhom, about, err := r.CheckAnswer(answer, now)
	if err != nil || issuer != "kko" || forWhom != "seoul-1" || about != digest {
		t.Error(issuer, forWhom, about, err)
	}

	report := must(r.OpenReport(officer, rawReport, w.Digest(), now))(t)
	if string(report.Groups[0].Group) != string(digest[:]) {
		t.Error("the report names another group")
	}
	opened := must(r.OpenSheet(officer, rawSheet, w.Digest(), now))(t)
	named := must(r.OpenAnswer(officer, answer, opened, now))(t)
	joined := must(Join(opened, named))(t)
	want := []Presence{{"kko", people[0], s.Seen[0]}, {"kko", nil, s.Seen[1]}, {"kko", people[2], s.Seen[2]}}
	if diff := cmp.Diff(want, joined); diff != "" {
		t.Error(diff)
	}
	// Nobody else opens any of it.
	for _, i := range []*Identity{second, registry, kko, who(t, "nv"), who(t, "busan-1")} {
		if _, err := r.OpenAnswer(i, answer, opened, now); !errors.Is(err, ErrRecipient) {
			t.Errorf("%s opens the answer: %v", i.ID(), err)
		}
		if _, err := r.OpenSheet(i, rawSheet, w.Digest(), now); !errors.Is(err, ErrRecipient) {
			t.Errorf("%s opens the sheet: %v", i.ID(), err)
		}
		if i != kko {
			if _, err := r.OpenGroup(i, group, now); !errors.Is(err, ErrRecipient) {
				t.Errorf("%s opens the group: %v", i.ID(), err)
			}
		}
	}
}

func TestAskRefuses(t *testing.T) {
	for name, change := range map[string]func(*Draft){
		"no case":            func(d *Draft) { d.Case = "" },
		"long case":          func(d *Draft) { d.Case = strings.Repeat("1", 65) },
		"a terminal's order": func(d *Draft) { d.Reason = "\x1b[2J" },
		"no reason":          func(d *Draft) { d.Reason = "" },
		"no facility":        func(d *Draft) { d.Facility = "" },
		"not over yet":       func(d *Draft) { d.To = t0.Add(time.Second) },
		"more than a day":    func(d *Draft) { d.From = d.To.Add(-24*time.Hour - time.Second) },
		"backwards":          func(d *Draft) { d.From, d.To = d.To, d.From },
		"empty":              func(d *Draft) { d.From = d.To },
	} {
		d := draft()
		change(&d)
		if _, _, err := who(t, "seoul-1").Ask(d, t0); !errors.Is(err, ErrContent) && !errors.Is(err, ErrWindow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOrderRefuses(t *testing.T) {
	r := roster(t)
	good, place := ask(t, "seoul-1", draft(), t0)
	sign := func(officer, key, typ string, change func(*order)) []byte {
		o := order{Case: "1", Officer: officer, At: t0.UnixMilli(), From: t0.Unix() - 100, To: t0.Unix() - 50, Place: make([]byte, 32)}
		change(&o)
		return must(cose.SignTyped(testKey(key), typ, o))(t)
	}
	same := func(*order) {}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"good":                  {good, t0, nil},
		"a stranger":            {sign("stranger", "stranger", typeOrder, same), t0, ErrParty},
		"in another's name":     {sign("seoul-2", "seoul-1", typeOrder, same), t0, ErrParty},
		"an issuer":             {sign("kko", "kko", typeOrder, same), t0, ErrParty},
		"the registry":          {sign("registry", "registry", typeOrder, same), t0, ErrParty},
		"the authority":         {sign("seoul-1", "authority", typeOrder, same), t0, ErrParty},
		"another type":          {sign("seoul-1", "seoul-1", typeApproval, same), t0, cose.ErrHeader},
		"one bit":               {flipped, t0, ErrParty},
		"cut short":             {good[:len(good)-1], t0, cose.ErrTruncated},
		"a byte more":           {append(append([]byte(nil), good...), 0), t0, cose.ErrNonCanonical},
		"nothing":               {nil, t0, cose.ErrTruncated},
		"revoked by now":        {sign("revoked", "revoked", typeOrder, same), t0.Add(2 * time.Hour), ErrParty},
		"not yet revoked":       {sign("revoked", "revoked", typeOrder, same), t0, nil},
		"ended":                 {sign("ended", "ended", typeOrder, same), t0, ErrParty},
		"not begun":             {sign("later", "later", typeOrder, same), t0, ErrParty},
		"from the future":       {good, t0.Add(-Skew - time.Second), ErrFuture},
		"an expired roster":     {good, t0.AddDate(0, 0, 80), ErrAuthority},
		"a roster to come":      {good, t0.AddDate(0, 0, -2), ErrAuthority},
		"a window of 25 h":      {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.From = o.To - 25*3600 }), t0, ErrWindow},
		"a window to come":      {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.To = t0.Unix() + 1 }), t0, ErrWindow},
		"a window past numbers": {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.From, o.To = 1<<62, 1<<62+1 }), t0, ErrWindow},
		"before 1970":           {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.From, o.To = -5, -4 }), t0, ErrWindow},
		"a short place":         {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.Place = nil }), t0, ErrContent},
		"a case that commands":  {sign("seoul-1", "seoul-1", typeOrder, func(o *order) { o.Case = "a\nb" }), t0, ErrContent},
	} {
		_, err := r.OpenOrder(c.raw, c.now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	o := must(r.OpenOrder(good, t0))(t)
	for name, p := range map[string]Place{
		"another facility": {place.Salt, "f-museum", place.Reason},
		"another reason":   {place.Salt, place.Facility, "none"},
		"another salt":     {make([]byte, 32), place.Facility, place.Reason},
		"a moved border":   {place.Salt, place.Facility + place.Reason[:1], place.Reason[1:]},
		"nothing":          {},
	} {
		if err := o.Holds(p); !errors.Is(err, ErrPlace) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, _ := ask(t, "seoul-1", draft(), t0)
	if o2 := must(r.OpenOrder(again, t0))(t); string(o.place) == string(o2.place) {
		t.Error("the same place is committed to in the same words twice: issuers could tell")
	}
}

func TestWarrantRefuses(t *testing.T) {
	r := roster(t)
	order, place := ask(t, "seoul-1", draft(), t0)
	other, _ := ask(t, "seoul-1", draft(), t0)
	o := must(r.OpenOrder(order, t0))(t)
	if _, err := who(t, "seoul-1").Approve(o, place, t0); !errors.Is(err, ErrTwoPersons) {
		t.Errorf("the same officer approves: %v", err)
	}
	if _, err := who(t, "seoul-2").Approve(o, Place{}, t0); !errors.Is(err, ErrPlace) {
		t.Errorf("approved unread: %v", err)
	}
	if _, err := who(t, "seoul-2").Approve(o, place, t0.Add(ApproveWithin)); !errors.Is(err, ErrExpired) {
		t.Errorf("approved late: %v", err)
	}
	d, e := DigestOf(order), DigestOf(other)
	sign := func(officer, key string, about Digest, at time.Time) []byte {
		return must(cose.SignTyped(testKey(key), typeApproval, approval{Order: about[:], Officer: officer, At: at.UnixMilli()}))(t)
	}
	now := t0.Add(time.Hour)
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"good":               {sign("seoul-2", "seoul-2", d, now), now, nil},
		"one person":         {sign("seoul-1", "seoul-1", d, now), now, ErrTwoPersons},
		"one behind another": {sign("seoul-2", "seoul-1", d, now), now, ErrParty},
		"another order":      {sign("seoul-2", "seoul-2", e, now), now, ErrSubject},
		"an issuer":          {sign("kko", "kko", d, now), now, ErrParty},
		"revoked by now":     {sign("revoked", "revoked", d, t0), now, ErrParty},
		"ended":              {sign("ended", "ended", d, now), now, ErrParty},
		"a day late":         {sign("seoul-2", "seoul-2", d, t0.Add(ApproveWithin)), t0.Add(ApproveWithin), ErrExpired},
		"before it was":      {sign("seoul-2", "seoul-2", d, t0.Add(-time.Hour)), now, ErrExpired},
		"from the future":    {sign("seoul-2", "seoul-2", d, now.Add(time.Hour)), now, ErrFuture},
		"the order itself":   {order, now, cose.ErrHeader},
		"before all time":    {sign("seoul-2", "seoul-2", d, time.UnixMilli(-1)), now, ErrContent},
	} {
		w, err := r.OpenWarrant(order, c.raw, c.now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && w != nil {
			t.Errorf("%s: a warrant beside an error", name)
		}
	}
	if _, err := roster(t, func(c *Contents) { c.Officers[0].RevokedAt = now.Unix() }).OpenWarrant(order, sign("seoul-2", "seoul-2", d, now), now); !errors.Is(err, ErrParty) {
		t.Errorf("an order by an officer who is revoked since: %v", err)
	}
}

func TestSigners(t *testing.T) {
	r := roster(t, func(c *Contents) { c.Officers[0].RevokedAt = 1 })
	w, _ := warrant(t, roster(t))
	if asked, approved, err := r.Signers(w.Raw(), w.Approval()); asked != "seoul-1" || approved != "seoul-2" || err != nil {
		t.Error(asked, approved, err)
	}
	other, _ := ask(t, "seoul-1", draft(), t0)
	if _, _, err := r.Signers(other, w.Approval()); !errors.Is(err, ErrSubject) {
		t.Error(err)
	}
	own := must(cose.SignTyped(testKey("seoul-1"), typeApproval, approval{Order: w.digestBytes(), Officer: "seoul-1"}))(t)
	if _, _, err := r.Signers(w.Raw(), own); !errors.Is(err, ErrTwoPersons) {
		t.Error(err)
	}
	if _, _, err := r.Signers(w.Raw(), w.Raw()); err == nil {
		t.Error("an order approves itself")
	}
}

func TestUntil(t *testing.T) {
	r := roster(t)
	w, _ := warrant(t, r)
	if want := t0.Add(time.Hour + AnswerWithin); !w.Until().Equal(want) {
		t.Errorf("%v, want %v", w.Until(), want)
	}
	// The last of the window is destroyed in a day: no issuer is asked after it.
	d := draft()
	d.From, d.To = t0.Add(-Retention), t0.Add(24*time.Hour-Retention)
	raw, p := ask(t, "seoul-1", d, t0)
	a := must(who(t, "seoul-2").Approve(must(r.OpenOrder(raw, t0))(t), p, t0))(t)
	if w := must(r.OpenWarrant(raw, a, t0))(t); !w.Until().Equal(t0.Add(24 * time.Hour)) {
		t.Errorf("%v", w.Until())
	}
}
