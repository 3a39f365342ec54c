package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/testca"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

var hong = identity.Claim{Name: "홍길동", Phone: "010-1234-5678", Carrier: "skt", Birth: "900301", Sex: "1"}

// office is an authority and an issuer that believes it.
type office struct {
	*testca.CA
	dir    string
	method *identity.Certificate
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{dir: t.TempDir()}
	var err error
	if o.CA, err = testca.Create(o.dir, t0); err != nil {
		t.Fatal(err)
	}
	a, err := identity.OpenAuthorities(filepath.Join(o.dir, testca.CertificateFile), filepath.Join(o.dir, testca.ListFile))
	if err != nil {
		t.Fatal(err)
	}
	o.method = &identity.Certificate{Authorities: a, Subscribers: identity.AnySubscriber{}}
	return o
}

func (o *office) begin(t *testing.T) *identity.Attempt {
	t.Helper()
	a, err := o.method.Begin(t.Context(), t0, "네이버", hong)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// answer signs an attempt as a browser does.
func answer(t *testing.T, cert []byte, key crypto.Signer, a *identity.Attempt) string {
	t.Helper()
	digest := sha256.Sum256([]byte(identity.SignedText(a.Asker, a.Code)))
	var signature []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, err2 := ecdsa.Sign(rand.Reader, key, digest[:])
		if err2 != nil {
			t.Fatal(err2)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(cert) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (o *office) certify(t *testing.T, name, birth string, key crypto.Signer) []byte {
	t.Helper()
	cert, err := o.Certify(t0, name, birth, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificate(t *testing.T) {
	o := newOffice(t)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{old, ecKey(t)} {
		a := o.begin(t)
		id, err := o.method.Check(t.Context(), t0, a, answer(t, o.certify(t, "홍길동", "1990-03-01", key), key, a))
		if err != nil || id != (identity.Identity{Name: "홍길동", Phone: "01012345678", Carrier: "skt", Birth: "1990-03-01"}) {
			t.Errorf("%T: %+v %v", key, id, err)
		}
	}
}

// TestCertificateRefused is each failure, and that another certificate may be
// shown after it.
func TestCertificateRefused(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	key, other := ecKey(t), ecKey(t)
	good := o.certify(t, "홍길동", "1990-03-01", key)
	revoked := o.certify(t, "홍길동", "1990-03-01", key)
	if err := o.Revoke(t0, revoked); err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cert []byte
		key  crypto.Signer
		at   time.Duration
		want error
	}{
		"another authority's":   {stranger.certify(t, "홍길동", "1990-03-01", key), key, 0, identity.ErrCertUnknown},
		"expired":               {good, key, 366 * 24 * time.Hour, identity.ErrCertExpired},
		"not yet valid":         {good, key, -2 * time.Hour, identity.ErrCertExpired},
		"revoked":               {revoked, key, 0, identity.ErrCertRevoked},
		"another name":          {o.certify(t, "김철수", "1990-03-01", key), key, 0, identity.ErrCertOther},
		"another date of birth": {o.certify(t, "홍길동", "1990-03-02", key), key, 0, identity.ErrCertOther},
		"another's key":         {good, other, 0, identity.ErrCertUnfit},
		"a weak key":            {o.certify(t, "홍길동", "1990-03-01", weak), weak, 0, identity.ErrCertUnfit},
		"no certificate":        {[]byte("junk"), key, 0, identity.ErrCertUnfit},
	} {
		a := o.begin(t)
		now := t0.Add(tt.at)
		a.Until = now.Add(time.Minute)
		_, err := o.method.Check(t.Context(), now, a, answer(t, tt.cert, tt.key, a))
		if !errors.Is(err, tt.want) || identity.Over(err) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if tt.at != 0 {
			continue
		}
		if _, err := o.method.Check(t.Context(), t0, a, answer(t, good, key, a)); err != nil {
			t.Errorf("%s, then the right one: %v", name, err)
		}
	}
	// A signature is for one attempt, and there are five tries.
	first, second := o.begin(t), o.begin(t)
	stolen := answer(t, good, key, first)
	for n := range identity.MaxTries {
		want := identity.ErrCertUnfit
		if n == identity.MaxTries-1 {
			want = identity.ErrTries
		}
		if _, err := o.method.Check(t.Context(), t0, second, stolen); !errors.Is(err, want) {
			t.Errorf("try %d: %v", n+1, err)
		}
	}
	if _, err := o.method.Check(t.Context(), t0, second, answer(t, good, key, second)); !errors.Is(err, identity.ErrTries) || !identity.Over(err) {
		t.Errorf("a sixth try: %v", err)
	}
	if _, err := o.method.Check(t.Context(), first.Until, first, stolen); !errors.Is(err, identity.ErrExpired) {
		t.Errorf("too late: %v", err)
	}
	if _, err := o.method.Begin(t.Context(), t0, "네이버", identity.Claim{Name: "홍길동"}); !errors.Is(err, identity.ErrForm) {
		t.Errorf("half a form: %v", err)
	}
}

// TestRevocationList holds that nobody is believed without a list in force, and
// that a list which is put right is taken at once.
func TestRevocationList(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	key := ecKey(t)
	cert := o.certify(t, "홍길동", "1990-03-01", key)
	path := filepath.Join(o.dir, testca.ListFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(filepath.Join(stranger.dir, testca.ListFile))
	if err != nil {
		t.Fatal(err)
	}
	if until, err := o.method.Authorities.Until(t0); err != nil || !until.After(t0) {
		t.Errorf("%v %v", until, err)
	}
	a := o.begin(t)
	for name, list := range map[string][]byte{"another authority's": foreign, "junk": []byte("junk"), "empty": nil} {
		if err := os.WriteFile(path, list, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := o.method.Check(t.Context(), t0, a, answer(t, cert, key, a))
		if !errors.Is(err, identity.ErrAway) || identity.Over(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.method.Check(t.Context(), t0, a, answer(t, cert, key, a)); err != nil {
		t.Error(err)
	}
	if _, err := o.method.Authorities.Until(t0.AddDate(20, 0, 0)); err == nil {
		t.Error("a list that has run out holds")
	}
}

func TestOpenAuthorities(t *testing.T) {
	o := newOffice(t)
	ca, list := filepath.Join(o.dir, testca.CertificateFile), filepath.Join(o.dir, testca.ListFile)
	if _, err := identity.OpenAuthorities(list, list); err == nil {
		t.Error("a file without a certificate is taken")
	}
	if _, err := identity.OpenAuthorities(ca+"x", list); err == nil {
		t.Error("no authority is taken")
	}
}
