package devices_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi devices test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func csr(t *testing.T, name string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key(name))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newCA(t *testing.T) *devices.CA {
	t.Helper()
	dir := t.TempDir()
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "문지기 test", t0)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func open(t *testing.T, db *store.DB, ca *devices.CA) *devices.Book {
	t.Helper()
	b, err := devices.New(devices.Config{
		SQL: db.SQL(), CA: ca, Receipt: key("receipt"), Root: key("root").Public().(ed25519.PublicKey), Name: "문지기 test", Address: "https://registry.example:8443",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// each runs f on every engine with a book that has one facility.
func each(t *testing.T, f func(t *testing.T, b *devices.Book, facility string)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, newCA(t))
		place, err := b.AddFacility(t.Context(), "하늘 카페", "restaurant", "", t0)
		if err != nil {
			t.Fatal(err)
		}
		f(t, b, place.ID)
	})
}

func newCode(t *testing.T, b *devices.Book, facility, replaces string) wire.Code {
	t.Helper()
	text, code, err := b.NewCode(t.Context(), facility, "정문", replaces, time.Hour, t0)
	if err != nil {
		t.Fatal(err)
	}
	u, err := wire.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Verify([]ed25519.PublicKey{b.Receipt.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(code, got); diff != "" {
		t.Error(diff)
	}
	return code
}

func request(t *testing.T, code wire.Code, name string) wire.Enrol {
	t.Helper()
	e, err := wire.NewEnrol(code, csr(t, name), "v1", 7)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func enrol(t *testing.T, b *devices.Book, code wire.Code, name string) (wire.Enrolment, *x509.Certificate) {
	t.Helper()
	e, err := b.Enrol(t.Context(), request(t, code, name), t0.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return e, parse(t, e.Certificate)
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestEnrol(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		code := newCode(t, b, facility, "")
		e, cert := enrol(t, b, code, "one")
		want := wire.Enrolment{Kiosk: e.Kiosk, Facility: facility, Kind: "restaurant", Certificate: e.Certificate, CA: b.CA.DER(), Now: t0.Add(time.Minute).UnixMilli(), Name: "하늘 카페"}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}
		who, err := b.Identify(ctx, cert, t0.Add(time.Hour))
		if err != nil || who.ID != e.Kiosk || who.Facility != facility || who.Kind != "restaurant" || who.Name != "정문" || who.Expired {
			t.Fatalf("%+v %v", who, err)
		}
		if life := cert.NotAfter.Sub(t0.Add(time.Minute)); life != devices.CertificateLife || cert.Subject.CommonName != e.Kiosk {
			t.Errorf("%s %s", life, cert.Subject)
		}
		// Expired, it is known still: it may renew.
		if who, err := b.Identify(ctx, cert, cert.NotAfter.Add(time.Second)); err != nil || !who.Expired {
			t.Errorf("%+v %v", who, err)
		}
		// The answer was lost: the same kiosk, also when its software has changed meanwhile.
		again := request(t, code, "one")
		again.Version, again.MAC = "v2", make([]byte, 32)
		if e2, err := b.Enrol(ctx, again, t0.Add(2*time.Minute)); err != nil || e2.Kiosk != e.Kiosk {
			t.Errorf("asked again: %+v %v", e2, err)
		}
		// Another code, and the same device: still the same kiosk.
		if e3, _ := enrol(t, b, newCode(t, b, facility, ""), "one"); e3.Kiosk != e.Kiosk {
			t.Errorf("a second code makes %s of %s", e3.Kiosk, e.Kiosk)
		}
		kiosks, err := b.KiosksOf(ctx, facility)
		if err != nil || len(kiosks) != 1 || kiosks[0].Health.Version != "v1" || kiosks[0].Expires.IsZero() {
			t.Errorf("%+v %v", kiosks, err)
		}
	})
}

// What a stranger tries with codes.
func TestEnrolRefuses(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		used := newCode(t, b, facility, "")
		enrol(t, b, used, "one")
		fresh := newCode(t, b, facility, "")
		other, err := b.AddFacility(ctx, "other", "restaurant", "", t0)
		if err != nil {
			t.Fatal(err)
		}
		guessed := fresh
		guessed.Secret = []byte("sixteen bytes ok")
		never := fresh
		never.ID = []byte("eight by")
		overheard := request(t, fresh, "thief")
		overheard.CSR = csr(t, "another thief")
		unsigned := request(t, fresh, "one")
		unsigned.CSR[len(unsigned.CSR)-1] ^= 1
		for name, c := range map[string]struct {
			e    wire.Enrol
			at   time.Duration
			want error
		}{
			"a guessed secret":             {request(t, guessed, "thief"), 0, devices.ErrNoCode},
			"a code never made":            {request(t, never, "thief"), 0, devices.ErrNoCode},
			"an overheard code":            {overheard, 0, devices.ErrNoCode},
			"a used code, another key":     {request(t, used, "thief"), 0, devices.ErrCodeUsed},
			"an expired code":              {request(t, fresh, "thief"), time.Hour, devices.ErrCodeExpired},
			"a used code, expired":         {request(t, used, "one"), time.Hour, devices.ErrCodeExpired},
			"the key of another facility":  {request(t, newCode(t, b, other.ID, ""), "one"), 0, devices.ErrKeyTaken},
			"a request nobody signed":      {unsigned, 0, nil},
			"an expired and guessed one":   {request(t, guessed, "thief"), 2 * time.Hour, devices.ErrCodeExpired},
			"the id of a used one, no mac": {wire.Enrol{Code: used.ID, CSR: csr(t, "thief"), MAC: make([]byte, 32), Version: "v"}, 0, devices.ErrCodeUsed},
		} {
			_, err := b.Enrol(ctx, c.e, t0.Add(c.at))
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// None of that has used the code up.
		enrol(t, b, fresh, "two")
	})
}

// Of many keys that use one code at the same time, one wins.
func TestEnrolRace(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		code := newCode(t, b, facility, "")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			e := request(t, code, strings.Repeat("x", i+1))
			wg.Go(func() { _, errs[i] = b.Enrol(t.Context(), e, t0) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, devices.ErrCodeUsed):
				t.Error(err)
			}
		}
		if kiosks, err := b.KiosksOf(t.Context(), facility); won != 1 || len(kiosks) != 1 {
			t.Errorf("%d won, %d kiosks, %v", won, len(kiosks), err)
		}
	})
}

// A kiosk that gave up waiting and asked again is enrolled all the same.
func TestEnrolTwiceAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		e := request(t, newCode(t, b, facility, ""), "one")
		var wg sync.WaitGroup
		answers, errs := make([]wire.Enrolment, 8), make([]error, 8)
		for i := range errs {
			wg.Go(func() { answers[i], errs[i] = b.Enrol(t.Context(), e, t0) })
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil || answers[i].Kiosk == "" || answers[i].Kiosk != answers[0].Kiosk {
				t.Errorf("%q, %v", answers[i].Kiosk, err)
			}
		}
		if kiosks, err := b.KiosksOf(t.Context(), facility); len(kiosks) != 1 {
			t.Errorf("%d kiosks, %v", len(kiosks), err)
		}
	})
}

func TestSecretsAreErased(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		secrets := func() (n int) {
			t.Helper()
			if err := b.SQL.QueryRow(`SELECT COUNT(*) FROM codes WHERE secret IS NOT NULL`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		code := newCode(t, b, facility, "")
		var sealed []byte
		if err := b.SQL.QueryRow(`SELECT secret FROM codes`).Scan(&sealed); err != nil || strings.Contains(string(sealed), string(code.Secret)) {
			t.Errorf("the secret stands in the table: %v", err)
		}
		enrol(t, b, code, "one")
		if n := secrets(); n != 0 {
			t.Errorf("%d secrets of a used code", n)
		}
		newCode(t, b, facility, "")
		if err := b.Tidy(t.Context(), t0.Add(59*time.Minute)); err != nil || secrets() != 1 {
			t.Errorf("%d secrets of a living code, %v", secrets(), err)
		}
		if err := b.Tidy(t.Context(), t0.Add(time.Hour)); err != nil || secrets() != 0 {
			t.Errorf("%d secrets of an expired code, %v", secrets(), err)
		}
		var codes int
		if err := b.Tidy(t.Context(), t0.AddDate(0, 1, 0)); err != nil {
			t.Error(err)
		}
		if err := b.SQL.QueryRow(`SELECT COUNT(*) FROM codes`).Scan(&codes); err != nil || codes != 0 {
			t.Errorf("%d codes after a month, %v", codes, err)
		}
	})
}

func TestRenew(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		e, first := enrol(t, b, newCode(t, b, facility, ""), "one")
		identify := func(cert *x509.Certificate, at time.Time) (devices.Identity, error) { return b.Identify(ctx, cert, at) }
		now := t0.AddDate(0, 0, 60)
		who, err := identify(first, now)
		if err != nil {
			t.Fatal(err)
		}
		// The same key: both certificates are good.
		same, err := b.Renew(ctx, who, csr(t, "one"), now)
		if err != nil || same.Kiosk != e.Kiosk {
			t.Fatalf("%+v %v", same, err)
		}
		renewed := parse(t, same.Certificate)
		for _, cert := range []*x509.Certificate{renewed, first} {
			if who, err := identify(cert, now); err != nil || who.ID != e.Kiosk {
				t.Errorf("%+v %v", who, err)
			}
		}
		if who, err := identify(first, t0.AddDate(0, 0, 100)); err != nil || !who.Expired {
			t.Errorf("%+v %v", who, err)
		}
		// A new key whose answer is lost, and another: the old one works until
		// the new one is used.
		if _, err := b.Renew(ctx, who, csr(t, "lost"), now); err != nil {
			t.Fatal(err)
		}
		next, err := b.Renew(ctx, who, csr(t, "next"), now)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(devices.Memory)
		if _, err := identify(renewed, now); err != nil {
			t.Errorf("the old key, before the new one is used: %v", err)
		}
		if who, err := identify(parse(t, next.Certificate), now); err != nil || who.ID != e.Kiosk {
			t.Errorf("%+v %v", who, err)
		}
		now = now.Add(devices.Memory)
		if _, err := identify(renewed, now); !errors.Is(err, devices.ErrRevoked) {
			t.Errorf("the old key, after the new one was used: %v", err)
		}
		// Nobody takes another kiosk's key, nor a dead one.
		enrol(t, b, newCode(t, b, facility, ""), "two")
		for _, name := range []string{"two", "one"} {
			if _, err := b.Renew(ctx, devices.Identity{Kiosk: who.Kiosk}, csr(t, name), now); !errors.Is(err, devices.ErrKeyTaken) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRevoke(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		ctx := t.Context()
		keys := storetest.Keys(t)
		ca := newCA(t)
		// Two processes on one database.
		b, other := open(t, storetest.Open(t, url, keys), ca), open(t, storetest.Open(t, url, keys), ca)
		f, err := b.AddFacility(ctx, "하늘 카페", "restaurant", "", t0)
		if err != nil {
			t.Fatal(err)
		}
		e, cert := enrol(t, b, newCode(t, b, f.ID, ""), "one")
		now := t0.Add(time.Minute)
		for _, book := range []*devices.Book{b, other} {
			if _, err := book.Identify(ctx, cert, now); err != nil {
				t.Fatal(err)
			}
		}
		pending := newCode(t, b, f.ID, e.Kiosk)
		if err := b.Revoke(ctx, e.Kiosk, now); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Identify(ctx, cert, now); !errors.Is(err, devices.ErrRevoked) {
			t.Errorf("at once: %v", err)
		}
		if _, err := other.Identify(ctx, cert, now.Add(devices.Memory)); !errors.Is(err, devices.ErrRevoked) {
			t.Errorf("in the other process after %s: %v", devices.Memory, err)
		}
		k, err := b.Kiosk(ctx, e.Kiosk)
		if err != nil || !k.Revoked.Equal(now) || k.Silent(now.AddDate(1, 0, 0)) {
			t.Errorf("%+v %v", k, err)
		}
		if err := b.Revoke(ctx, e.Kiosk, now.Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if err := b.Revoke(ctx, "k-none", now); !errors.Is(err, devices.ErrUnknown) {
			t.Error(err)
		}
		if _, err := b.Enrol(ctx, request(t, pending, "thief"), now); !errors.Is(err, devices.ErrCodeExpired) {
			t.Errorf("a code from before the revocation: %v", err)
		}
		// The device itself comes back with a new key only.
		if _, err := b.Enrol(ctx, request(t, newCode(t, b, f.ID, ""), "one"), now); !errors.Is(err, devices.ErrKeyTaken) {
			t.Errorf("the revoked key with a new code: %v", err)
		}
	})
}

func TestReplace(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		e, old := enrol(t, b, newCode(t, b, facility, ""), "broken")
		next, cert := enrol(t, b, newCode(t, b, facility, e.Kiosk), "spare")
		if next.Kiosk != e.Kiosk || next.Facility != facility {
			t.Errorf("%+v took the place of %+v", next, e)
		}
		now := t0.Add(time.Hour)
		if _, err := b.Identify(ctx, old, now); !errors.Is(err, devices.ErrRevoked) {
			t.Errorf("the old device: %v", err)
		}
		if who, err := b.Identify(ctx, cert, now); err != nil || who.ID != e.Kiosk {
			t.Errorf("%+v %v", who, err)
		}
		// Also after it was revoked.
		if err := b.Revoke(ctx, e.Kiosk, now); err != nil {
			t.Fatal(err)
		}
		_, cert = enrol(t, b, newCode(t, b, facility, e.Kiosk), "third")
		if who, err := b.Identify(ctx, cert, now); err != nil || !who.Revoked.IsZero() {
			t.Errorf("%+v %v", who, err)
		}
		other, err := b.AddFacility(ctx, "other", "restaurant", "", t0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.NewCode(ctx, other.ID, "", e.Kiosk, time.Hour, t0); !errors.Is(err, devices.ErrUnknown) {
			t.Errorf("another facility's kiosk: %v", err)
		}
	})
}

func TestBeat(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		if n, who, err := devices.HighestBundle(ctx, b.SQL); n != 0 || who != "" || err != nil {
			t.Errorf("%d %q %v", n, who, err)
		}
		e, _ := enrol(t, b, newCode(t, b, facility, ""), "one")
		h := wire.Heartbeat{Version: "v2", Queue: 3, Oldest: t0.UnixMilli(), Bundle: 12, Clock: pass.ClockUnsure, FPS: 300, Temperature: -55, Disk: 12345, Refused: 1, Destroyed: 2, Uptime: 77}
		if err := b.Beat(ctx, e.Kiosk, h, t0); err != nil {
			t.Fatal(err)
		}
		k, err := b.Kiosk(ctx, e.Kiosk)
		if err != nil {
			t.Fatal(err)
		}
		want := h
		want.Oldest = t0.Truncate(time.Hour).UnixMilli() // no moment of a visit is kept here
		if diff := cmp.Diff(want, k.Health); diff != "" || !k.Seen.Equal(t0) || k.Silent(t0.Add(devices.Silence)) || !k.Silent(t0.Add(devices.Silence+1)) {
			t.Errorf("%s %+v", diff, k)
		}
		h.Bundle = 5 // restored from a backup: what was seen stays seen
		if err := b.Beat(ctx, e.Kiosk, h, t0); err != nil {
			t.Fatal(err)
		}
		if n, who, err := devices.HighestBundle(ctx, b.SQL); n != 12 || who != e.Kiosk || err != nil {
			t.Errorf("%d %q %v", n, who, err)
		}
	})
}

func TestFacilities(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		second, err := b.AddFacility(ctx, "'; DROP TABLE facilities; --", "museum", "owner-1", t0)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Facility(ctx, second.ID); err != nil || cmp.Diff(second, got) != "" {
			t.Errorf("%+v %v", got, err)
		}
		if all, err := b.Facilities(ctx); err != nil || len(all) != 2 {
			t.Errorf("%+v %v", all, err)
		}
		if all, err := b.FacilitiesOf(ctx, "owner-1"); err != nil || len(all) != 1 || all[0].ID != second.ID {
			t.Errorf("%+v %v", all, err)
		}
		if _, err := b.Facility(ctx, "' OR 1=1 --"); !errors.Is(err, devices.ErrUnknown) {
			t.Error(err)
		}
		for _, bad := range [][2]string{{"", "x"}, {"x", ""}, {"a\nb", "x"}, {strings.Repeat("x", 101), "x"}} {
			if _, err := b.AddFacility(ctx, bad[0], bad[1], "", t0); err == nil {
				t.Errorf("%q: entered", bad)
			}
		}
		if _, _, err := b.NewCode(ctx, "f-none", "", "", time.Hour, t0); !errors.Is(err, devices.ErrUnknown) {
			t.Error(err)
		}
		if _, _, err := b.NewCode(ctx, facility, "", "", time.Minute, t0); err == nil {
			t.Error("a code of a minute")
		}
		if _, _, err := b.NewCode(ctx, facility, "\n", "", time.Hour, t0); err == nil {
			t.Error("a name of control characters")
		}
	})
}

// Certificates of others, and what a kiosk's own cannot be used for.
func TestStrangersCertificates(t *testing.T) {
	each(t, func(t *testing.T, b *devices.Book, facility string) {
		ctx := t.Context()
		e, cert := enrol(t, b, newCode(t, b, facility, ""), "one")
		enemy := newCA(t)
		parent := parse(t, enemy.DER())
		template := &x509.Certificate{SerialNumber: cert.SerialNumber, Subject: cert.Subject, NotBefore: t0, NotAfter: t0.AddDate(10, 0, 0), ExtKeyUsage: cert.ExtKeyUsage}
		// The kiosk's own key vouches for itself, for a life without end.
		self, err := x509.CreateCertificate(rand.Reader, template, template, key("one").Public(), key("one"))
		if err != nil {
			t.Fatal(err)
		}
		server, err := b.CA.NewServer("registry.example", func() time.Time { return t0 })
		if err != nil {
			t.Fatal(err)
		}
		pair, err := server.Certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		bystander := open(t, storetest.Open(t, storetest.File(t), storetest.Keys(t)), enemy)
		place, err := bystander.AddFacility(ctx, "elsewhere", "restaurant", "", t0)
		if err != nil {
			t.Fatal(err)
		}
		_, foreign := enrol(t, bystander, newCode(t, bystander, place.ID, ""), "one")
		if err := foreign.CheckSignatureFrom(parent); err != nil {
			t.Fatal(err)
		}
		for name, stranger := range map[string]*x509.Certificate{
			"signed by itself": parse(t, self), "the server's own": parse(t, pair.Certificate[0]), "the CA's own": parse(t, b.CA.DER()), "of another registry": foreign,
		} {
			if who, err := b.Identify(ctx, stranger, t0.Add(time.Hour)); !errors.Is(err, devices.ErrUnknown) {
				t.Errorf("%s: %+v %v", name, who, err)
			}
		}
		if who, err := b.Identify(ctx, cert, t0.Add(time.Hour)); err != nil || who.ID != e.Kiosk {
			t.Errorf("%+v %v", who, err)
		}
	})
}

func TestServerCertificate(t *testing.T) {
	ca := newCA(t)
	now := t0
	for _, host := range []string{"registry.example", "127.0.0.1", "::1"} {
		s, err := ca.NewServer(host, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		verify := func() *tls.Certificate {
			t.Helper()
			pair, err := s.Certificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse(t, pair.Certificate[0]).Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: host, CurrentTime: now})
			if err != nil {
				t.Errorf("%s: %v", host, err)
			}
			return pair
		}
		first := verify()
		now = t0.AddDate(0, 0, 59)
		if verify() != first {
			t.Error("made anew too soon")
		}
		now = t0.AddDate(0, 0, 60)
		if verify() == first {
			t.Error("not made anew in time")
		}
		now = t0
	}
}

func TestCAFiles(t *testing.T) {
	dir := t.TempDir()
	cert, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	if _, err := devices.CreateCA(cert, keyFile, "name", t0); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := devices.CreateCA(cert, filepath.Join(dir, "new.key"), "name", t0); err == nil {
		t.Error("overwritten")
	}
	if _, err := devices.LoadCA(cert, filepath.Join(dir, "none.key")); err == nil || !strings.Contains(err.Error(), "registry init") {
		t.Error(err)
	}
	ca, err := devices.LoadCA(cert, keyFile)
	if err != nil || ca.Name() != "name" {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := devices.Config{SQL: storetest.Open(t, storetest.File(t), storetest.Keys(t)).SQL(), CA: newCA(t), Receipt: key("receipt"), Root: key("root").Public().(ed25519.PublicKey), Name: "n", Address: "https://a"}
	if b, err := devices.New(good); err != nil || len(b.Words()) != wire.WordCount {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*devices.Config){
		"no database": func(c *devices.Config) { c.SQL = nil },
		"no CA":       func(c *devices.Config) { c.CA = nil },
		"no name":     func(c *devices.Config) { c.Name = "" },
		"http":        func(c *devices.Config) { c.Address = "http://a" },
	} {
		c := good
		spoil(&c)
		if _, err := devices.New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
