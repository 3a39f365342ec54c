package identity_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
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
	case *long:
		signature, err = key.Sign(nil, digest[:], crypto.SHA256)
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

// long is an RSA key that takes no time to find: its modulus is a Mersenne
// prime, of 9689 bits.
type long struct{ rsa.PublicKey }

func longKey() *long {
	one := big.NewInt(1)
	return &long{rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(one, 9689), one), E: 65537}}
}

func (k *long) Public() crypto.PublicKey { return &k.PublicKey }

// Sign implements crypto.Signer: RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.1).
func (k *long) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	prefix := []byte{0x00, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	padded := bytes.Repeat([]byte{0xff}, (k.N.BitLen()+7)/8)
	padded[0], padded[1] = 0, 1
	copy(padded[len(padded)-len(prefix)-len(digest):], slices.Concat(prefix, digest))
	order := new(big.Int).Sub(k.N, big.NewInt(1))
	d := new(big.Int).ModInverse(big.NewInt(int64(k.E)), order)
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), d, k.N).FillBytes(padded), nil
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
		"a key too long":        {o.certify(t, "홍길동", "1990-03-01", longKey()), longKey(), 0, identity.ErrCertUnfit},
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

// TestRevocationLists: of several lists of one authority each counts, whatever
// their order, and one that is not complete makes nobody good.
func TestRevocationLists(t *testing.T) {
	o := newOffice(t)
	key := ecKey(t)
	cert := o.certify(t, "홍길동", "1990-03-01", key)
	path := filepath.Join(o.dir, testca.ListFile)
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(o.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	before := read(testca.ListFile)
	if err := o.Revoke(t0, cert); err != nil {
		t.Fatal(err)
	}
	after := read(testca.ListFile)

	// The authority's list for one of its distribution points.
	signer, _ := pem.Decode(read(testca.CertificateFile))
	private, _ := pem.Decode(read("ca.key"))
	by, err := x509.ParseCertificate(signer.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	with, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	part, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: t0, NextUpdate: t0.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0x00}}},
	}, by, with.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		lists [][]byte
		want  error
	}{
		"old and new": {[][]byte{before, after}, identity.ErrCertRevoked},
		"new and old": {[][]byte{after, before}, identity.ErrCertRevoked},
		"a part":      {[][]byte{part}, identity.ErrAway},
	} {
		var file []byte
		for _, der := range tt.lists {
			file = append(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		a := o.begin(t)
		if _, err := o.method.Check(t.Context(), t0, a, answer(t, cert, key, a)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if _, err := o.method.Authorities.Until(t0); (err != nil) != (tt.want == identity.ErrAway) {
			t.Errorf("%s: %v", name, err)
		}
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
