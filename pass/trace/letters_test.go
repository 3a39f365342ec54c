package trace

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

// moved is a letter with one field of the outside changed, signed anew by key.
func moved(t *testing.T, raw []byte, typ, key string, change func(*letter)) []byte {
	t.Helper()
	m, _, err := cose.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	var l letter
	if err := cose.Unmarshal(m.Payload, &l); err != nil {
		t.Fatal(err)
	}
	change(&l)
	return must(cose.SignTyped(testKey(key), typ, l))(t)
}

func TestGroupRefuses(t *testing.T) {
	r := roster(t)
	w, _ := warrant(t, r)
	now := t0.Add(2 * time.Hour)
	registry, kko := who(t, "registry"), who(t, "kko")
	to := must(r.Issuer("kko", now))(t)
	good := must(registry.SealGroup(to, w, ids(5), now))(t)
	inside := func(g group) []byte {
		return must(registry.seal(typeGroup, to, w.Digest(), now, g))(t)
	}
	sorted := ids(2)
	if string(sorted[0][:]) > string(sorted[1][:]) {
		sorted[0], sorted[1] = sorted[1], sorted[0]
	}
	two := append(append([]byte{}, sorted[0][:]...), sorted[1][:]...)
	swapped := append(append([]byte{}, sorted[1][:]...), sorted[0][:]...)
	order2, place2 := ask(t, "seoul-1", draft(), t0)
	w2 := must(r.OpenWarrant(order2, must(who(t, "seoul-2").Approve(must(r.OpenOrder(order2, t0))(t), place2, t0))(t), t0))(t)
	same := func(*letter) {}
	self := must(cose.SignTyped(testKey("seoul-1"), typeApproval, approval{Order: w.Order.digestBytes(), Officer: "seoul-1", At: t0.UnixMilli()}))(t)

	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"good":                       {good, now, nil},
		"the last moment":            {good, w.Until().Add(-time.Second), nil},
		"too late":                   {good, w.Until(), ErrExpired},
		"before it was made":         {good, now.Add(-time.Hour), ErrFuture},
		"another issuer's":           {must(registry.SealGroup(must(r.Issuer("nv", now))(t), w, ids(1), now))(t), now, ErrRecipient},
		"another's, readdressed":     {moved(t, must(registry.SealGroup(must(r.Issuer("nv", now))(t), w, ids(1), now))(t), typeGroup, "registry", func(l *letter) { l.To = "kko" }), now, ErrSealed},
		"signed by an officer":       {moved(t, good, typeGroup, "seoul-1", same), now, ErrParty},
		"signed by another issuer":   {moved(t, good, typeGroup, "nv", same), now, ErrParty},
		"in another registry's name": {moved(t, good, typeGroup, "registry", func(l *letter) { l.From = "registry-2" }), now, ErrParty},
		"another time":               {moved(t, good, typeGroup, "registry", func(l *letter) { l.At-- }), now, ErrSealed},
		"another matter":             {moved(t, good, typeGroup, "registry", func(l *letter) { d := w2.Digest(); l.About = d[:] }), now, ErrSealed},
		"no matter":                  {moved(t, good, typeGroup, "registry", func(l *letter) { l.About = nil }), now, ErrContent},
		"another type":               {moved(t, good, typeSheet, "registry", same), now, cose.ErrHeader},
		"a sheet as a group":         {moved(t, must(registry.SealSheet(to, w, Sheet{Seen: [][]Seen{{{At: 1}}}}, now))(t), typeGroup, "registry", same), now, ErrSealed},
		"one bit of ciphertext":      {moved(t, good, typeGroup, "registry", func(l *letter) { l.Body[40] ^= 1 }), now, ErrSealed},
		"one bit of the key":         {moved(t, good, typeGroup, "registry", func(l *letter) { l.Body[3] ^= 1 }), now, ErrSealed},
		"cut ciphertext":             {moved(t, good, typeGroup, "registry", func(l *letter) { l.Body = l.Body[:len(l.Body)-16] }), now, ErrSealed},
		"no body":                    {moved(t, good, typeGroup, "registry", func(l *letter) { l.Body = nil }), now, ErrSealed},
		"cut short":                  {good[:len(good)/2], now, cose.ErrTruncated},
		"another warrant inside":     {inside(group{w2.raw, w2.approval, two}), now, ErrSubject},
		"two warrants mixed":         {inside(group{w.raw, w2.approval, two}), now, ErrSubject},
		"one person's approval":      {inside(group{w.raw, self, two}), now, ErrTwoPersons},
		"no approval":                {inside(group{w.raw, []byte{}, two}), now, cose.ErrTruncated},
		"no passes":                  {inside(group{w.raw, w.approval, []byte{}}), now, ErrContent},
		"half a pass":                {inside(group{w.raw, w.approval, two[:24]}), now, ErrContent},
		"a pass twice":               {inside(group{w.raw, w.approval, append(append([]byte{}, two[:16]...), two[:16]...)}), now, ErrContent},
		"out of order":               {inside(group{w.raw, w.approval, swapped}), now, ErrContent},
		"too many":                   {inside(group{w.raw, w.approval, make([]byte, 16*(MaxPasses+1))}), now, ErrContent},
	} {
		g, err := r.OpenGroup(kko, c.raw, c.now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && g != nil {
			t.Errorf("%s: a group beside an error", name)
		}
	}
	if _, err := registry.SealGroup(to, w, nil, now); !errors.Is(err, ErrContent) {
		t.Errorf("an empty group: %v", err)
	}
	if _, err := registry.SealGroup(to, w, make([]pass.ID, MaxPasses+1), now); !errors.Is(err, ErrContent) {
		t.Errorf("a group too big: %v", err)
	}
	revoked := roster(t, func(c *Contents) { c.Registries[0].RevokedAt = now.Unix() })
	if _, err := revoked.OpenGroup(kko, good, now); !errors.Is(err, ErrParty) {
		t.Errorf("a registry whose key was stolen: %v", err)
	}
}

// digestBytes is Digest as a slice, for messages made by hand.
func (o *Order) digestBytes() []byte { d := o.Digest(); return d[:] }

func TestAnswerRefuses(t *testing.T) {
	r := roster(t)
	w, _ := warrant(t, r)
	now := t0.Add(2 * time.Hour)
	registry, kko, officer := who(t, "registry"), who(t, "kko"), who(t, "seoul-1")
	g := must(r.OpenGroup(kko, must(registry.SealGroup(must(r.Issuer("kko", now))(t), w, ids(2), now))(t), now))(t)
	g2 := must(r.OpenGroup(kko, must(registry.SealGroup(must(r.Issuer("kko", now))(t), w, ids(2), now))(t), now))(t)
	s := &Sheet{Issuer: "kko", Group: g.Digest, Seen: [][]Seen{{{At: 1}}, {{At: 2}}}}
	p := &Person{Name: "김", Phone: "010"}
	good := must(r.SealAnswer(kko, g, []*Person{p, nil}, now))(t)
	to := must(r.Officer("seoul-1", now))(t)
	inside := func(people []*Person) []byte {
		return must(kko.seal(typeAnswer, to, g.Digest, now, answer{people}))(t)
	}
	same := func(*letter) {}
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"good":                     {good, now, nil},
		"weeks later":              {good, now.AddDate(0, 0, 20), nil},
		"another group's":          {must(r.SealAnswer(kko, g2, []*Person{p, p}, now))(t), now, ErrSubject},
		"another's, moved here":    {moved(t, must(r.SealAnswer(kko, g2, []*Person{p, p}, now))(t), typeAnswer, "kko", func(l *letter) { l.About = g.Digest[:] }), now, ErrSealed},
		"by another issuer":        {moved(t, good, typeAnswer, "nv", func(l *letter) { l.From = "nv" }), now, ErrSealed},
		"another issuer's own":     {must(who(t, "nv").seal(typeAnswer, to, g.Digest, now, answer{[]*Person{p, p}}))(t), now, ErrParty},
		"in the issuer's name":     {moved(t, good, typeAnswer, "nv", same), now, ErrParty},
		"by the registry":          {moved(t, good, typeAnswer, "registry", same), now, ErrParty},
		"for another officer":      {must(kko.seal(typeAnswer, must(r.Officer("seoul-2", now))(t), g.Digest, now, answer{[]*Person{p, p}}))(t), now, ErrRecipient},
		"one person short":         {inside([]*Person{p}), now, ErrContent},
		"one person more":          {inside([]*Person{p, p, p}), now, ErrContent},
		"a name that commands":     {inside([]*Person{p, {Name: "\x1b]0;x", Phone: "1"}}), now, ErrContent},
		"no name":                  {inside([]*Person{p, {Phone: "1"}}), now, ErrContent},
		"a name without end":       {inside([]*Person{p, {Name: strings.Repeat("김", 40), Phone: "1"}}), now, ErrContent},
		"from the future":          {good, now.Add(-time.Hour), ErrFuture},
		"one bit":                  {moved(t, good, typeAnswer, "kko", func(l *letter) { l.Body[50] ^= 1 }), now, ErrSealed},
		"cut short":                {good[:len(good)-1], now, cose.ErrTruncated},
		"the group sent back":      {must(registry.SealGroup(must(r.Issuer("kko", now))(t), w, ids(2), now))(t), now, ErrParty},
		"two megabytes of nothing": {make([]byte, MaxMessage+1), now, ErrContent},
	} {
		people, err := r.OpenAnswer(officer, c.raw, s, c.now)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && people != nil {
			t.Errorf("%s: people beside an error", name)
		}
	}
	if _, err := r.SealAnswer(kko, g, []*Person{p}, now); !errors.Is(err, ErrContent) {
		t.Errorf("sealed one short: %v", err)
	}
	if _, err := r.SealAnswer(kko, g, []*Person{p, {Name: "a\n", Phone: "1"}}, now); !errors.Is(err, ErrContent) {
		t.Errorf("sealed a name that commands: %v", err)
	}
	gone := roster(t, func(c *Contents) { c.Officers[0].RevokedAt = now.Unix() })
	if _, err := gone.SealAnswer(kko, g, []*Person{p, p}, now); !errors.Is(err, ErrParty) {
		t.Errorf("sealed to a revoked officer: %v", err)
	}
}

func TestRequestAndCallRefuse(t *testing.T) {
	r := roster(t)
	registry, officer := who(t, "registry"), who(t, "seoul-1")
	to := must(r.Registry(t0))(t)
	order, place := ask(t, "seoul-1", draft(), t0)
	other, _ := ask(t, "seoul-2", draft(), t0)
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"good":                     {must(officer.SealRequest(to, order, place, t0))(t), t0, nil},
		"an hour later":            {must(officer.SealRequest(to, order, place, t0))(t), t0.Add(time.Hour), nil},
		"a day later":              {must(officer.SealRequest(to, order, place, t0))(t), t0.Add(ApproveWithin), ErrExpired},
		"another officer's order":  {must(officer.SealRequest(to, other, place, t0))(t), t0, ErrSubject},
		"another place":            {must(officer.SealRequest(to, order, Place{place.Salt, "f-x", place.Reason}, t0))(t), t0, ErrPlace},
		"to somebody else":         {must(officer.SealRequest(must(r.Issuer("kko", t0))(t), order, place, t0))(t), t0, ErrRecipient},
		"about something else":     {must(officer.seal(typeRequest, to, DigestOf(other), t0, request{order, place}))(t), t0, ErrSubject},
		"by an issuer":             {must(who(t, "kko").SealRequest(to, order, place, t0))(t), t0, ErrParty},
		"by somebody":              {must(who(t, "nobody").SealRequest(to, order, place, t0))(t), t0, ErrParty},
		"by an officer who is out": {must(who(t, "ended").SealRequest(to, order, place, t0))(t), t0, ErrParty},
	} {
		if _, _, err := r.OpenRequest(registry, c.raw, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	good := must(officer.Call("GET", "/v1/inquiries", t0))(t)
	for name, c := range map[string]struct {
		raw          []byte
		method, path string
		now          time.Time
		want         error
	}{
		"good":             {good, "GET", "/v1/inquiries", t0.Add(Skew), nil},
		"old":              {good, "GET", "/v1/inquiries", t0.Add(Skew + time.Second), ErrStale},
		"from the future":  {good, "GET", "/v1/inquiries", t0.Add(-Skew - time.Second), ErrFuture},
		"another path":     {good, "GET", "/v1/inquiries/x", t0, ErrSubject},
		"another method":   {good, "POST", "/v1/inquiries", t0, ErrSubject},
		"an order":         {order, "GET", "/v1/inquiries", t0, cose.ErrHeader},
		"by an issuer":     {must(who(t, "kko").Call("GET", "/v1/inquiries", t0))(t), "GET", "/v1/inquiries", t0, ErrParty},
		"in another's":     {must(cose.SignTyped(testKey("seoul-1"), typeCall, call{"GET", "/v1/inquiries", "seoul-2", t0.UnixMilli(), make([]byte, 16)}))(t), "GET", "/v1/inquiries", t0, ErrParty},
		"without a nonce":  {must(cose.SignTyped(testKey("seoul-1"), typeCall, call{"GET", "/v1/inquiries", "seoul-1", t0.UnixMilli(), nil}))(t), "GET", "/v1/inquiries", t0, ErrContent},
		"not even a call":  {[]byte("Basic YWRtaW46YWRtaW4="), "GET", "/v1/inquiries", t0, cose.ErrMalformed},
		"revoked an hour ": {must(who(t, "revoked").Call("GET", "/", t0.Add(2*time.Hour)))(t), "GET", "/", t0.Add(2 * time.Hour), ErrParty},
	} {
		if _, err := r.OpenCall(c.raw, c.method, c.path, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A listing answers one call of one officer.
	to = must(r.Officer("seoul-1", t0))(t)
	list := must(registry.SealListing(to, good, nil, t0))(t)
	if _, err := r.OpenListing(officer, list, good, t0); err != nil {
		t.Error(err)
	}
	again := must(officer.Call("GET", "/v1/inquiries", t0))(t)
	if _, err := r.OpenListing(officer, list, again, t0); !errors.Is(err, ErrSubject) {
		t.Errorf("an old listing for a new call: %v", err)
	}
	if _, err := r.OpenListing(who(t, "seoul-2"), list, good, t0); !errors.Is(err, ErrRecipient) {
		t.Errorf("another officer's listing: %v", err)
	}
}

func TestRosterRefuses(t *testing.T) {
	for name, change := range map[string]func(*Contents){
		"number 0":          func(c *Contents) { c.Number = 0 },
		"91 days":           func(c *Contents) { c.Expires = c.Issued + 91*24*3600 },
		"ends first":        func(c *Contents) { c.Expires = c.Issued },
		"one id twice":      func(c *Contents) { c.Officers[1].ID = "seoul-1" },
		"an id in two":      func(c *Contents) { c.Registries[0].ID = "kko" },
		"a key twice":       func(c *Contents) { c.Officers[1].Sign = c.Officers[0].Sign },
		"a seal key twice":  func(c *Contents) { c.Officers[1].Seal = c.Officers[0].Seal },
		"a short key":       func(c *Contents) { c.Officers[1].Seal = make([]byte, 31) },
		"upper case":        func(c *Contents) { c.Officers[1].ID = "Seoul" },
		"a long issuer":     func(c *Contents) { c.Issuers[0].ID = "kakao" },
		"an address by ftp": func(c *Contents) { c.Issuers[0].Address = "ftp://kko.example/" },
		"plain http":        func(c *Contents) { c.Issuers[0].Address = "http://kko.example/" },
		"a password":        func(c *Contents) { c.Issuers[0].Address = "https://a:b@kko.example/" },
		"ends as it begins": func(c *Contents) { c.Officers[0].NotAfter = c.Officers[0].NotBefore },
	} {
		c := contents(t)
		change(&c)
		if _, err := SignRoster(testKey("authority"), c); err == nil {
			t.Errorf("%s: signed", name)
		}
		// The same by somebody who does not check.
		raw := must(cose.SignTyped(testKey("authority"), typeRoster, c))(t)
		if _, err := OpenRoster(raw, public(testKey("authority"))); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	raw := must(SignRoster(testKey("authority"), contents(t)))(t)
	for name, key := range map[string]ed25519.PublicKey{"another authority": public(testKey("root")), "no key": nil} {
		if _, err := OpenRoster(raw, key); !errors.Is(err, ErrAuthority) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenRoster(make([]byte, MaxRoster+1), public(testKey("authority"))); !errors.Is(err, ErrAuthority) {
		t.Errorf("too big: %v", err)
	}
	null := struct {
		Number, Issued, Expires int64
	}{}
	if _, err := OpenRoster(must(cose.SignTyped(testKey("authority"), typeRoster, null))(t), public(testKey("authority"))); err == nil {
		t.Error("opened something else")
	}
	// A receipt key is being replaced: the new one is written to, until it ends.
	two := roster(t, func(c *Contents) { c.Registries = append(c.Registries, party(t, "registry-2")) })
	if p, err := two.Registry(t0); err != nil || p.ID != "registry-2" {
		t.Error(p.ID, err)
	}
	two = roster(t, func(c *Contents) {
		c.Registries = append(c.Registries, party(t, "registry-2"))
		c.Registries[1].RevokedAt = 1
	})
	if p, err := two.Registry(t0); err != nil || p.ID != "registry" {
		t.Error(p.ID, err)
	}
	if _, err := roster(t, func(c *Contents) { c.Registries[0].RevokedAt = 1 }).Registry(t0); !errors.Is(err, ErrParty) {
		t.Error(err)
	}
	if id, ok := roster(t).RegistryOf(public(testKey("registry"))); !ok || id != "registry" {
		t.Error(id, ok)
	}
	if _, ok := roster(t).RegistryOf(public(testKey("kko"))); ok {
		t.Error("an issuer is taken for a registry")
	}
}

func TestCard(t *testing.T) {
	i := who(t, "kko")
	text := must(i.Card("https://kko.example/v1/trace"))(t)
	p := must(ParseCard(text + "\n"))(t)
	if want := i.Party(); p.ID != "kko" || string(p.Sign) != string(want.Sign) || string(p.Seal) != string(want.Seal) || p.Address != "https://kko.example/v1/trace" {
		t.Errorf("%+v", p)
	}
	if len(p.Fingerprint()) != 24 {
		t.Error(p.Fingerprint())
	}
	forged := func(c card) string {
		return cardPrefix + must(encode(cose.SignTyped(testKey("thief"), typeCard, c)))(t)
	}
	other := who(t, "nv").Party()
	for name, bad := range map[string]string{
		"nothing":             "",
		"no prefix":           strings.TrimPrefix(text, cardPrefix),
		"cut":                 text[:len(text)-4],
		"another's key in it": forged(card{ID: "x", Sign: other.Sign, Seal: other.Seal}),
		"short key":           forged(card{ID: "x", Sign: []byte{1}, Seal: other.Seal}),
	} {
		if _, err := ParseCard(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := i.Card("http://kko.example"); err == nil {
		t.Error("a card with plain http")
	}
	for _, v := range []any{i, &Person{Name: "김하늘", Phone: "010"}, Person{Name: "김하늘", Phone: "010"}} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(form, v); strings.Contains(text, "김하늘") || len(text) > 20 {
				t.Errorf("%s prints %s", form, text)
			}
		}
	}
}

func encode(raw []byte, err error) (string, error) {
	return base64.RawURLEncoding.EncodeToString(raw), err
}
