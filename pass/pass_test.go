package pass

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass/cose"
)

// key is a private key that is the same in every run.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

var (
	t0   = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC) // a Sunday lunch in Seoul
	day1 = 24 * time.Hour
	id1  = ID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	sure = Conditions{Skew: Skew, Facility: "restaurant", Clock: ClockSure}
)

func contents() Contents {
	return Contents{
		Number: 7, Issued: t0.Add(-day1).Unix(), Expires: t0.Add(60 * day1).Unix(),
		Issuers: []Issuer{
			{ID: "kko", Keys: []Key{NewKey(public(key("kko")), t0.Add(-30*day1), t0.Add(60*day1))}},
			{ID: "nv", Keys: []Key{NewKey(public(key("nv")), t0.Add(-30*day1), t0.Add(60*day1))}},
		},
		Policies: map[string]Policy{
			"park":   {Mode: ModeOff, Since: t0.Add(-day1).Unix()},
			"museum": {Mode: ModeVerifyOnly, Since: t0.Add(-day1).Unix()},
		},
		Receipts: [][]byte{public(key("receipt"))},
	}
}

func bundle(t testing.TB, c Contents) *Bundle {
	t.Helper()
	raw, err := SignBundle(key("root"), c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBundle(raw, public(key("root")))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func issue(t testing.TB, health *Health) string {
	t.Helper()
	text, err := Issue(key("kko"), "kko", id1, t0, health)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func verify(text string, now time.Time, b *Bundle, c Conditions) (*Pass, error) {
	u, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return u.Verify(now, b, c)
}

func fourDoses() *Health {
	h := &Health{Complete: true}
	for n := range MaxDoses {
		h.Doses = append(h.Doses, Dose{Number: n + 1, Date: t0.Add(time.Duration(n-9) * 30 * day1).Truncate(day1)})
	}
	return h
}

func TestPass(t *testing.T) {
	p, err := verify(issue(t, nil), t0.Add(3*time.Second), bundle(t, contents()), sure)
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer() != "kko" || p.ID() != id1 || !p.IssuedAt().Equal(t0) || !p.Expires().Equal(t0.Add(Lifetime)) || p.Mode() != ModeRecord || p.ClockUnsure() || p.Health() != nil {
		t.Errorf("the pass says %q %v %v %v %v %v", p.Issuer(), p.ID(), p.IssuedAt(), p.Expires(), p.Mode(), p.Health())
	}
}

func TestHealthBesideThePass(t *testing.T) {
	plain, full := issue(t, nil), issue(t, fourDoses())
	b := bundle(t, contents())
	p, err := verify(full, t0, b, sure)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fourDoses(), p.Health()); diff != "" {
		t.Error(diff)
	}
	if got := Text(p.Bytes()); got != plain {
		t.Errorf("the stored bytes are not those of the pass without its attestation:\n got %s\nwant %s", got, plain)
	}
	// Moved to another pass of the same issuer, the attestation is a forgery.
	other, err := Issue(key("kko"), "kko", ID{9}, t0, nil)
	if err != nil {
		t.Fatal(err)
	}
	uo, _ := Parse(other)
	uf, _ := Parse(full)
	moved := Text(append(append([]byte(nil), uo.pass.Raw...), uf.attestation.Raw...))
	if _, err := verify(moved, t0, b, sure); ReasonOf(err) != ReasonSignature {
		t.Errorf("a moved attestation: %v", err)
	}
	if _, err := ParseBytes(append(append([]byte(nil), uf.pass.Raw...), uf.attestation.Raw...)); err == nil {
		t.Error("a stored pass with its attestation was read")
	}
}

func TestSettled(t *testing.T) {
	last := t0.Truncate(day1).Add(-14 * day1) // t0 is 12:40 of that day in Korea
	for _, c := range []struct {
		name string
		h    Health
		want bool
	}{
		{"14 days", Health{Complete: true, Doses: []Dose{{1, last.Add(-day1)}, {2, last}}}, true},
		{"13 days", Health{Complete: true, Doses: []Dose{{1, last}, {2, last.Add(day1)}}}, false},
		{"not complete", Health{Doses: []Dose{{1, last}}}, false},
		{"no dose", Health{Complete: true}, false},
	} {
		if got := c.h.Settled(t0); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	// The day turns at midnight in Korea, 15:00 UTC.
	h := Health{Complete: true, Doses: []Dose{{1, last}}}
	midnight := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	if h.Settled(midnight.Add(-time.Second)) || !h.Settled(midnight) {
		t.Error("the fourteenth day does not begin at midnight in Korea")
	}
}

// TestSizes holds the figures FORMAT.md promises.
func TestSizes(t *testing.T) {
	plain, full := issue(t, nil), issue(t, fourDoses())
	if len(plain) != 177 || len(full) != MaxText || MaxText != 311 {
		t.Errorf("a pass has %d characters, with four doses %d (most %d), want 177, 311", len(plain), len(full), MaxText)
	}
	if _, err := Issue(key("kko"), "kko", id1, t0, &Health{Doses: make([]Dose, MaxDoses+1)}); err == nil {
		t.Error("five doses were attested")
	}
}

// sign makes a text of arbitrary claims.
func sign(t testing.TB, k ed25519.PrivateKey, h cose.Header, payload any) string {
	t.Helper()
	p, err := cose.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	data, err := cose.Sign(k, h, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return Text(data)
}

func header(k ed25519.PrivateKey) cose.Header {
	kid := cose.KidOf(public(k))
	return cose.Header{Alg: cose.AlgEdDSA, Kid: kid[:]}
}

func good() claims {
	return claims{Issuer: "kko", IssuedAt: t0.Unix(), Expires: t0.Unix() + 15, ID: id1[:]}
}

func TestReasons(t *testing.T) {
	plain := issue(t, nil)
	type with struct {
		text  string
		now   time.Time
		edit  func(*Contents)
		under Conditions
		want  Reason
		by    time.Duration
	}
	revoke := func(at time.Time) func(*Contents) {
		return func(c *Contents) { c.Issuers[0].Keys[0].RevokedAt = at.Unix() }
	}
	flip := func(s string, i int) string {
		c := byte('7')
		if s[i] == c {
			c = '8'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	long := good()
	long.Expires++
	wrongIssuer := good()
	wrongIssuer.Issuer = "nv"
	shortID := good()
	shortID.ID = shortID.ID[:15]
	k := key("kko")
	for name, c := range map[string]with{
		"someone's web page":        {text: "HTTPS://EXAMPLE.ORG", want: ReasonNotPass},
		"empty":                     {text: "", want: ReasonNotPass},
		"magic alone":               {text: "MJ", want: ReasonTruncated},
		"version alone":             {text: "MJ1", want: ReasonTruncated},
		"newer":                     {text: "MJ2" + plain[3:], want: ReasonVersion},
		"newest":                    {text: "MJZ", want: ReasonVersion},
		"version 0":                 {text: "MJ0" + plain[3:], want: ReasonFormat},
		"version ':'":               {text: "MJ:" + plain[3:], want: ReasonFormat},
		"cut by 1":                  {text: plain[:len(plain)-1], want: ReasonFormat}, // the last pair overflows a byte
		"cut by 2":                  {text: plain[:len(plain)-2], want: ReasonTruncated},
		"cut by 3":                  {text: plain[:len(plain)-3], want: ReasonTruncated},
		"cut in half":               {text: plain[:90], want: ReasonTruncated},
		"lower case":                {text: "MJ1" + strings.ToLower(plain[3:]), want: ReasonFormat},
		"too long":                  {text: plain + strings.Repeat("0", 300), want: ReasonOversized},
		"zeros behind":              {text: plain + "000", want: ReasonFormat},
		"unknown key":               {text: sign(t, key("stranger"), header(key("stranger")), good()), want: ReasonUnknownKey},
		"stranger under our kid":    {text: sign(t, key("stranger"), header(k), good()), want: ReasonSignature},
		"flipped":                   {text: flip(plain, 60), want: ReasonSignature},
		"another issuer's key":      {text: sign(t, k, header(k), wrongIssuer), want: ReasonIssuer},
		"16 s":                      {text: sign(t, k, header(k), long), want: ReasonLifetime},
		"id of 15 bytes":            {text: sign(t, k, header(k), shortID), want: ReasonFormat},
		"claims not a map":          {text: sign(t, k, header(k), 1), want: ReasonFormat},
		"claim unknown":             {text: sign(t, k, header(k), map[int]any{1: "kko", 4: t0.Unix() + 15, 6: t0.Unix(), 7: id1[:12], 8: 1}), want: ReasonFormat},
		"typed message":             {text: sign(t, k, cose.Header{Alg: cose.AlgEdDSA, Kid: header(k).Kid, Type: "x"}, good()), want: ReasonFormat},
		"other alg":                 {text: sign(t, k, cose.Header{Alg: -7, Kid: header(k).Kid}, good()), want: ReasonFormat},
		"first moment":              {text: plain, now: t0.Add(-2 * time.Second)},
		"a moment early":            {text: plain, now: t0.Add(-2*time.Second - 1), want: ReasonNotYetValid, by: 2*time.Second + 1},
		"last moment":               {text: plain, now: t0.Add(17*time.Second - 1)},
		"expired":                   {text: plain, now: t0.Add(17 * time.Second), want: ReasonExpired, by: 2 * time.Second},
		"no tolerance":              {text: plain, now: t0.Add(15 * time.Second), under: Conditions{Clock: ClockSure}, want: ReasonExpired},
		"key revoked before":        {text: plain, edit: revoke(t0.Add(-time.Hour)), want: ReasonRevoked},
		"key revoked that second":   {text: plain, edit: revoke(t0), want: ReasonRevoked},
		"key revoked after":         {text: plain, edit: revoke(t0.Add(time.Second))},
		"issuer revoked":            {text: plain, edit: func(c *Contents) { c.Issuers[0].RevokedAt = t0.Unix() - 1 }, want: ReasonRevoked},
		"key not yet in use":        {text: plain, edit: func(c *Contents) { c.Issuers[0].Keys[0].NotBefore = t0.Unix() + 1 }, want: ReasonUnknownKey},
		"key retired":               {text: plain, edit: func(c *Contents) { c.Issuers[0].Keys[0].NotAfter = t0.Unix() }, want: ReasonUnknownKey},
		"no check-in here":          {text: plain, under: Conditions{Facility: "park", Clock: ClockSure}, want: ReasonPolicyOff},
		"clock unsure":              {text: plain, under: Conditions{Clock: ClockUnsure}, want: ReasonClock},
		"clock unsure, admitted":    {text: plain, under: Conditions{Clock: ClockUnsure, AdmitUnsure: true}},
		"clock wrong":               {text: plain, under: Conditions{Clock: ClockWrong, AdmitUnsure: true}, want: ReasonClock},
		"bundle expired":            {text: plain, edit: func(c *Contents) { c.Expires = t0.Unix() }, want: ReasonBundle},
		"forged beats the clock":    {text: flip(plain, 60), under: Conditions{Clock: ClockWrong}, want: ReasonSignature},
		"forged beats what it says": {text: sign(t, key("stranger"), header(k), long), want: ReasonSignature},
	} {
		t.Run(name, func(t *testing.T) {
			content := contents()
			if c.edit != nil {
				c.edit(&content)
			}
			now, under := c.now, c.under
			if now.IsZero() {
				now = t0
			}
			if under == (Conditions{}) {
				under = sure
			}
			p, err := verify(c.text, now, bundle(t, content), under)
			if got := ReasonOf(err); got != c.want {
				t.Fatalf("got %v (%v), want %v", got, err, c.want)
			}
			if (err == nil) != (p != nil) {
				t.Fatalf("pass %v beside error %v", p, err)
			}
			var e *Error
			if errors.As(err, &e) && c.by != 0 && e.By != c.by {
				t.Errorf("by %v, want %v", e.By, c.by)
			}
			if e != nil && e.Reason == ReasonRevoked && e.Since.IsZero() {
				t.Error("revoked without a time")
			}
			if err != nil && len(c.text) > 20 && strings.Contains(err.Error(), c.text[3:20]) {
				t.Error("the error quotes the text")
			}
		})
	}
	if _, err := verify(plain, t0, nil, sure); ReasonOf(err) != ReasonBundle {
		t.Errorf("no bundle: %v", err)
	}
}

// TestEveryKeyWithThatKid makes two keys share a key id, as four bytes allow.
func TestEveryKeyWithThatKid(t *testing.T) {
	c := contents()
	b := bundle(t, c)
	// check() pins the kid to the key, so a collision is built behind it.
	first := b.contents.Issuers[0].Keys[0]
	second := first
	first.Public = public(key("twin"))
	b.contents.Issuers[0].Keys = []Key{first, second}
	if _, err := verify(issue(t, nil), t0, b, sure); err != nil {
		t.Errorf("the second key with the same id was not tried: %v", err)
	}
}

func TestKeyLifeCycle(t *testing.T) {
	old, next := key("old"), key("next")
	change := t0
	c := contents()
	c.Issuers[0].Keys = []Key{
		NewKey(public(old), change.Add(-90*day1), change),
		NewKey(public(next), change, change.Add(90*day1)),
	}
	b := bundle(t, c)
	for _, x := range []struct {
		name string
		key  ed25519.PrivateKey
		at   time.Time
		want Reason
	}{
		{"old, last second", old, change.Add(-time.Second), 0},
		{"old, after the change", old, change, ReasonUnknownKey},
		{"next, before its time", next, change.Add(-time.Second), ReasonUnknownKey},
		{"next, first second", next, change, 0},
	} {
		text, err := Issue(x.key, "kko", id1, x.at, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Scanned a little later, and again by the registry weeks later at the
		// time of the scan: both see the same.
		if _, err := verify(text, x.at.Add(5*time.Second), b, sure); ReasonOf(err) != x.want {
			t.Errorf("%s: %v, want %v", x.name, err, x.want)
		}
	}
}

func TestBundle(t *testing.T) {
	raw, err := SignBundle(key("root"), contents())
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBundle(raw, public(key("root")))
	if err != nil {
		t.Fatal(err)
	}
	if b.Number() != 7 || b.Mode("park", t0) != ModeOff || b.Mode("park", t0.Add(-2*day1)) != ModeRecord || b.Mode("museum", t0) != ModeVerifyOnly || b.Mode("shop", t0) != ModeRecord || b.Issuers() != 2 || len(b.ReceiptKeys()) != 1 {
		t.Errorf("the bundle says %+v", b.contents)
	}
	if _, err := OpenBundle(raw, public(key("other"))); !errors.Is(err, cose.ErrSignature) {
		t.Errorf("another root: %v", err)
	}
	if _, err := OpenBundle(raw[:len(raw)-1], public(key("root"))); !errors.Is(err, cose.ErrTruncated) {
		t.Errorf("truncated: %v", err)
	}
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if _, err := OpenBundle(bad, public(key("root"))); err == nil {
			t.Fatalf("a bundle with byte %d changed was opened", i)
		}
	}
	for name, edit := range map[string]func(*Contents){
		"number 0":       func(c *Contents) { c.Number = 0 },
		"backwards":      func(c *Contents) { c.Expires = c.Issued },
		"a year":         func(c *Contents) { c.Expires = c.Issued + 365*86400 },
		"issuer twice":   func(c *Contents) { c.Issuers[1].ID = "kko" },
		"issuer's name":  func(c *Contents) { c.Issuers[1].ID = "kakao" },
		"alg":            func(c *Contents) { c.Issuers[0].Keys[0].Alg = -7 },
		"kid":            func(c *Contents) { c.Issuers[0].Keys[0].Kid = []byte{1, 2, 3, 4} },
		"key size":       func(c *Contents) { c.Issuers[0].Keys[0].Public = []byte{1} },
		"key's end":      func(c *Contents) { c.Issuers[0].Keys[0].NotAfter = 0 },
		"mode":           func(c *Contents) { c.Policies["park"] = Policy{Mode: 9} },
		"receipt's size": func(c *Contents) { c.Receipts[0] = []byte{1} },
	} {
		c := contents()
		edit(&c)
		if _, err := SignBundle(key("root"), c); err == nil {
			t.Errorf("%s: signed", name)
		}
		forced, err := cose.SignTyped(key("root"), bundleType, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBundle(forced, public(key("root"))); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	// A receipt or a pass is no bundle, even by the root key.
	other, err := cose.SignTyped(key("root"), "application/munjigi-receipt+cbor", contents())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBundle(other, public(key("root"))); !errors.Is(err, cose.ErrHeader) {
		t.Errorf("another type: %v", err)
	}
}

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if s := r.String(); strings.HasPrefix(s, "reason-") || seen[s] {
			t.Errorf("reason %d is called %q", r, s)
		} else {
			seen[s] = true
		}
	}
	if len(seen) != 16 {
		t.Errorf("%d reasons, want 16", len(seen))
	}
}

func TestNothingToPrint(t *testing.T) {
	p, err := verify(issue(t, fourDoses()), t0, bundle(t, contents()), sure)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v", p, p, p), fmt.Sprintf("%v %#v", p.Health(), p.Health())} {
		if strings.ContainsAny(s, "0123456789") {
			t.Errorf("printed as %q", s)
		}
	}
}
