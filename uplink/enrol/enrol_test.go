package enrol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi enrol test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	a.cert = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, NotBefore: t0.AddDate(-1, 0, 0), NotAfter: t0.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key.Public())
	return a
}

func (a *authority) issue(t *testing.T, template *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(1)
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// registry answers as a registry would, after what fault does to the exchange.
type registry struct {
	t       *testing.T
	ca      *authority
	code    wire.Code
	text    string
	receipt ed25519.PrivateKey
	signs   ed25519.PrivateKey // answers
	root    ed25519.PrivateKey // signs the bundle
	kiosks  map[string]string  // id by public key
	refuse  string             // a problem
	fault   func(*http.Request, *http.Response) (*http.Response, error)
}

func newRegistry(t *testing.T) *registry {
	r := &registry{t: t, ca: newAuthority(t), receipt: testKey("receipt"), signs: testKey("receipt"), root: testKey("root"), kiosks: map[string]string{}}
	r.code = wire.Code{
		Address: "https://registry.test", Registry: "하늘 등록부", Root: public(testKey("root")), Facility: "카페", ID: []byte("code-id1"), Secret: []byte("sixteen secrets!"),
		Issued: t0.Unix(), Expires: t0.Add(24 * time.Hour).Unix(),
	}
	r.sign(testKey("receipt"))
	return r
}

func (r *registry) sign(key ed25519.PrivateKey) {
	r.t.Helper()
	var err error
	if r.text, err = wire.SignCode(key, r.code); err != nil {
		r.t.Fatal(err)
	}
}

func respond(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
}

func (r *registry) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	answer := r.answer(req, body)
	if r.fault != nil {
		return r.fault(req, answer)
	}
	return answer, nil
}

func (r *registry) answer(req *http.Request, body []byte) *http.Response {
	if req.URL.Path == wire.BundlePath {
		raw, err := pass.SignBundle(r.root, pass.Contents{Number: 7, Issued: t0.Unix(), Expires: t0.Add(pass.BundleLife).Unix(), Receipts: [][]byte{public(r.receipt)}})
		if err != nil {
			r.t.Error(err)
		}
		return respond(200, raw)
	}
	if bytes.Contains(body, r.code.Secret) {
		r.t.Error("the code's secret travelled")
	}
	e, err := wire.DecodeEnrol(body)
	if err != nil || !e.Knows(r.code.Secret) || e.Bundle != 7 {
		r.t.Errorf("request %+v: %v", e, err)
	}
	key, err := wire.ParseRequest(e.CSR)
	if err != nil {
		r.t.Error(err)
	}
	if r.refuse != "" {
		problem, err := json.Marshal(wire.Problem{Type: r.refuse, Title: "refused", Status: 403})
		if err != nil {
			r.t.Error(err)
		}
		if r.refuse == wire.ProblemKeyTaken {
			r.refuse = ""
		}
		return respond(403, problem)
	}
	id := r.kiosks[string(key)]
	if id == "" {
		if len(r.kiosks) > 0 {
			return respond(409, []byte(`{"type":"`+wire.ProblemCodeUsed+`"}`))
		}
		id = "k-1"
		r.kiosks[string(key)] = id
	}
	answer, err := wire.SignEnrolment(r.signs, body, wire.Enrolment{
		Kiosk: id, Facility: "f-1", Kind: "restaurant", Name: "카페", Certificate: r.certify(key).Raw, CA: r.ca.cert.Raw, Now: t0.UnixMilli(),
	})
	if err != nil {
		r.t.Error(err)
	}
	return respond(200, answer)
}

func (r *registry) certify(key ed25519.PublicKey) *x509.Certificate {
	return r.ca.issue(r.t, &x509.Certificate{NotBefore: t0, NotAfter: t0.Add(90 * 24 * time.Hour)}, key)
}

func (r *registry) enroller(dir string) *Enroller {
	return &Enroller{Dir: dir, Version: "v1", Transport: r}
}

// enrol takes the whole way.
func (r *registry) enrol(dir string) (*Identity, error) {
	o, err := r.enroller(dir).Look(r.t.Context(), r.text)
	if err != nil {
		return nil, err
	}
	return o.Accept(r.t.Context())
}

func fresh(t *testing.T, dir string) {
	t.Helper()
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the device is not fresh: %v", err)
	}
}

func TestEnrol(t *testing.T) {
	r, dir := newRegistry(t), t.TempDir()
	fresh(t, dir)
	o, err := r.enroller(dir).Look(t.Context(), r.text)
	if err != nil {
		t.Fatal(err)
	}
	if o.Registry != "하늘 등록부" || o.Facility != "카페" || strings.Join(o.Words, " ") != strings.Join(wire.Words(public(r.root)), " ") {
		t.Errorf("offer %+v", o)
	}
	fresh(t, dir)
	if _, err := o.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	i, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if i.Kiosk != "k-1" || i.Kind != "restaurant" || i.Address != "https://registry.test" || !i.Root.Equal(public(r.root)) || !i.Due().Equal(t0.Add(60*24*time.Hour)) {
		t.Errorf("%+v", i)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, BundleFile)); err != nil {
		t.Error(err)
	} else if b, err := pass.OpenBundle(raw, i.Root); err != nil || b.Number() != 7 {
		t.Errorf("the bundle that came with it: %v", err)
	}
	for _, name := range []string{KeyFile, File, BundleFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// Enrolled: codes are ignored, until it is reset.
	if _, err := r.enrol(dir); !errors.Is(err, ErrEnrolled) {
		t.Errorf("enrolled again: %v", err)
	}
	if err := Reset(dir); err != nil {
		t.Fatal(err)
	}
	fresh(t, dir)
	if err := Reset(dir); err != nil {
		t.Errorf("a fresh device was reset: %v", err)
	}
	if _, err := r.enrol(dir); err == nil || !NewCodeNeeded(err) {
		t.Errorf("the code was used by the former key: %v", err)
	}
}

// TestCutShort cuts the enrolment after each file that is written and after
// the answer was lost: the device is fresh, and asking again makes it the same
// kiosk.
func TestCutShort(t *testing.T) {
	done := t.TempDir()
	r := newRegistry(t)
	if _, err := r.enrol(done); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{
		"before the key": {}, "after the key": {KeyFile}, "after the bundle": {KeyFile, BundleFile},
		"a reset after its first file": {KeyFile, BundleFile}, "a torn temporary file": {KeyFile, ".enrolment.cbor123"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range files {
				data, err := os.ReadFile(filepath.Join(done, f))
				if err != nil {
					data = []byte("torn")
				}
				if err := os.WriteFile(filepath.Join(dir, f), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			fresh(t, dir)
			r := r
			if len(files) == 0 { // no key yet, so that nobody used the code
				r = newRegistry(t)
			}
			if i, err := r.enrol(dir); err != nil || i.Kiosk != "k-1" {
				t.Errorf("asked again: %+v, %v", i, err)
			}
			if _, err := Load(dir); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the answer was lost", func(t *testing.T) {
		r, dir, lost := newRegistry(t), t.TempDir(), 0
		r.fault = func(req *http.Request, answer *http.Response) (*http.Response, error) {
			if req.URL.Path == wire.EnrolPath && lost < 2 {
				if lost++; lost == 1 {
					return nil, errors.New("connection reset")
				}
				half, err := io.ReadAll(answer.Body)
				return respond(200, half[:len(half)/2]), err
			}
			return answer, nil
		}
		for range 2 {
			if _, err := r.enrol(dir); err == nil || NewCodeNeeded(err) {
				t.Errorf("without an answer: %v", err)
			}
			fresh(t, dir)
		}
		if i, err := r.enrol(dir); err != nil || i.Kiosk != "k-1" || len(r.kiosks) != 1 {
			t.Errorf("%+v, %v, %d kiosks", i, err, len(r.kiosks))
		}
	})
}

// TestInTheMiddle is everybody who is not the registry.
func TestInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*registry)
		want string
		new  bool // a new code is needed
	}{
		"a captive portal": {func(r *registry) {
			r.fault = func(*http.Request, *http.Response) (*http.Response, error) {
				return respond(200, []byte("<html>로그인")), nil
			}
		}, "captive portal", false},
		"another root's bundle":    {func(r *registry) { r.root = testKey("evil") }, "not the trust bundle", false},
		"a code by somebody else":  {func(r *registry) { r.sign(testKey("evil")) }, "of this registry", true},
		"an answer by another key": {func(r *registry) { r.signs = testKey("evil") }, "not this registry's enrolment", false},
		"a code used up":           {func(r *registry) { r.refuse = wire.ProblemCodeUsed }, "refused", true},
		"a code past its time":     {func(r *registry) { r.refuse = wire.ProblemCodeExpired }, "refused", true},
		"a busy registry":          {func(r *registry) { r.refuse = wire.ProblemBusy }, "refused", false},
		"no code at all":           {func(r *registry) { r.text = "MJE1 hello" }, "no enrolment code", true},
		"a registry that is not up": {func(r *registry) {
			r.fault = func(*http.Request, *http.Response) (*http.Response, error) { return nil, errors.New("no route") }
		}, "no route", false},
		"an endless answer": {func(r *registry) {
			r.fault = func(*http.Request, *http.Response) (*http.Response, error) {
				return respond(200, make([]byte, 1<<20)), nil
			}
		}, "more than", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := newRegistry(t), t.TempDir()
			c.edit(r)
			_, err := r.enrol(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || NewCodeNeeded(err) != c.new {
				t.Errorf("%v, a new code needed: %v", err, NewCodeNeeded(err))
			}
			fresh(t, dir)
		})
	}
	t.Run("an answer for another request", func(t *testing.T) {
		r := newRegistry(t)
		var first []byte
		r.fault = func(req *http.Request, answer *http.Response) (*http.Response, error) {
			if req.URL.Path != wire.EnrolPath {
				return answer, nil
			}
			body, err := io.ReadAll(answer.Body)
			if first == nil {
				first = body
				clear(r.kiosks)
			}
			return respond(200, first), err
		}
		if _, err := r.enrol(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.enrol(t.TempDir()); !errors.Is(err, wire.ErrEnrolment) {
			t.Errorf("replayed: %v", err)
		}
	})
}

// TestKeyTaken is a device that was another kiosk, whose reset was cut short.
func TestKeyTaken(t *testing.T) {
	r, dir := newRegistry(t), t.TempDir()
	old, err := deviceKey(filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	r.refuse = wire.ProblemKeyTaken // once
	i, err := r.enrol(dir)
	if err != nil || i.key.Equal(old) {
		t.Errorf("%v, the same key: %v", err, err == nil && i.key.Equal(old))
	}
}

func TestRenewed(t *testing.T) {
	r, dir := newRegistry(t), t.TempDir()
	i, err := r.enrol(dir)
	if err != nil {
		t.Fatal(err)
	}
	body, err := i.Request()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := i.Request(); err != nil || !bytes.Equal(body, again) {
		t.Errorf("the same key made another request: %v", err)
	}
	answer := func(kiosk string) []byte {
		cert := r.ca.issue(t, &x509.Certificate{NotBefore: t0.AddDate(0, 2, 0), NotAfter: t0.AddDate(0, 5, 0)}, public(i.key))
		raw, err := wire.SignEnrolment(r.receipt, body, wire.Enrolment{Kiosk: kiosk, Facility: "f-2", Kind: "cafe", Name: "새 카페", Certificate: cert.Raw, CA: r.ca.cert.Raw})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	keys := []ed25519.PublicKey{public(r.receipt)}
	if _, err := i.Renewed(dir, answer("k-2"), keys, body); !errors.Is(err, wire.ErrEnrolment) {
		t.Errorf("renewed as another kiosk: %v", err)
	}
	if _, err := i.Renewed(dir, answer("k-1"), []ed25519.PublicKey{public(testKey("evil"))}, body); !errors.Is(err, wire.ErrEnrolment) {
		t.Errorf("renewed by somebody else: %v", err)
	}
	if _, err := i.Renewed(dir, answer("k-1"), keys, body); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil || !got.NotAfter().Equal(t0.AddDate(0, 5, 0)) || got.Kind != "cafe" || got.Registry != i.Registry {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDamaged(t *testing.T) {
	r := newRegistry(t)
	for _, name := range []string{KeyFile, File} {
		dir := t.TempDir()
		clear(r.kiosks)
		if _, err := r.enrol(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("rot"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "kiosk enroll -reset") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key that is another device's.
	dir := t.TempDir()
	clear(r.kiosks)
	if _, err := r.enrol(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	// Without any it is not fresh: codes would be ignored.
	if _, err := Load(dir); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "kiosk enroll -reset") {
		t.Errorf("without its key: %v", err)
	}
	if _, err := deviceKey(filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another device's key: %v", err)
	}
}

// TestTLS is who may be the registry, and at what time.
func TestTLS(t *testing.T) {
	r := newRegistry(t)
	i, err := r.enrol(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stranger := newAuthority(t)
	good := &x509.Certificate{NotBefore: t0, NotAfter: t0.AddDate(0, 3, 0), DNSNames: []string{"registry.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	other := *good
	other.DNSNames = []string{"other.test"}
	for _, c := range []struct {
		name      string
		ca        *authority
		cert      *x509.Certificate
		now       time.Time
		tls, less bool // whether TLS and TimelessTLS accept it
	}{
		{"ours", r.ca, good, t0.Add(time.Hour), true, true},
		{"the device believes it is 1970", r.ca, good, time.Unix(100, 0), false, true},
		{"the server's has expired", r.ca, good, t0.AddDate(1, 0, 0), false, true},
		{"a stranger's", stranger, good, t0.Add(time.Hour), false, false},
		{"another server's", r.ca, &other, t0.Add(time.Hour), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			template := *c.cert
			cert := c.ca.issue(t, &template, key.Public())
			var shown []byte
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if len(req.TLS.PeerCertificates) > 0 {
					shown = req.TLS.PeerCertificates[0].Raw
				}
			}))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
			s.Config.ErrorLog = nil
			s.StartTLS()
			defer s.Close()
			try := func(config *tls.Config) error {
				config.ServerName = "registry.test"
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
				resp, err := client.Get(s.URL)
				if err == nil {
					resp.Body.Close()
				}
				return err
			}
			if err := try(i.TLS(func() time.Time { return c.now })); (err == nil) != c.tls {
				t.Errorf("TLS: %v", err)
			} else if c.tls && !bytes.Equal(shown, i.Certificate) {
				t.Error("the kiosk showed no certificate of its own")
			}
			if err := try(i.TimelessTLS()); (err == nil) != c.less {
				t.Errorf("timeless: %v", err)
			}
		})
	}
}
