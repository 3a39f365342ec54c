package enrol

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/disk"
)

// ErrEnrolled is returned on a device that is enrolled: it ignores codes until
// it is reset.
var ErrEnrolled = errors.New("this kiosk is enrolled: run kiosk enroll -reset first to make it another one")

// Enroller enrols the device with the data folder Dir.
type Enroller struct {
	Dir     string
	Version string // of the software; printable ASCII without spaces
	// Transport is how the registry is reached, nil for TLS 1.3 without a look
	// at the server's certificate: nothing that is not signed is believed, and
	// the code's secret never travels.
	Transport http.RoundTripper
}

// Offer is a code of a registry that has proved to be its own: what a person
// compares before the device follows it.
type Offer struct {
	Registry string   // its name
	Words    []string // the fingerprint of its root key
	Facility string   // where this device is to belong, by name

	code     wire.Code
	bundle   *pass.Bundle
	enroller *Enroller
}

// NewCodeNeeded says whether an error of Look or Accept means that this code
// will never do. Any other may go away by itself, as a missing network does.
func NewCodeNeeded(err error) bool {
	var p wire.Problem
	if errors.As(err, &p) {
		switch p.Type {
		case wire.ProblemCodeUnknown, wire.ProblemCodeUsed, wire.ProblemCodeExpired:
			return true
		}
	}
	return errors.Is(err, wire.ErrCode)
}

// Look asks the registry named in a code for its trust bundle and verifies
// both: the bundle by the root key in the code, the code by the bundle's
// receipt keys. Errors: ErrEnrolled, those that wrap wire.ErrCode, and those of
// the way to the registry.
func (e *Enroller) Look(ctx context.Context, text string) (*Offer, error) {
	if _, err := os.Stat(filepath.Join(e.Dir, File)); err == nil {
		return nil, ErrEnrolled
	}
	unverified, err := wire.ParseCode(text)
	if err != nil {
		return nil, err
	}
	raw, err := e.ask(ctx, http.MethodGet, unverified.Address+wire.BundlePath, nil, pass.MaxBundle)
	if err != nil {
		return nil, fmt.Errorf("ask the registry %s for its trust bundle: %w", unverified.Address, err)
	}
	bundle, err := pass.OpenBundle(raw, unverified.Root)
	if err != nil {
		return nil, fmt.Errorf("what %s answers is not the trust bundle of the code's registry (a captive portal?): %w", unverified.Address, err)
	}
	code, err := unverified.Verify(bundle.ReceiptKeys())
	if err != nil {
		return nil, err
	}
	return &Offer{Registry: code.Registry, Words: wire.Words(code.Root), Facility: code.Facility, code: code, bundle: bundle, enroller: e}, nil
}

// Accept enrols the device: it makes its key, asks for its certificate and
// keeps both. Errors: wire.Problem for a refusal, those of the way to the
// registry, those of the disk; the device is fresh then.
func (o *Offer) Accept(ctx context.Context) (*Identity, error) {
	i, err := o.accept(ctx)
	var p wire.Problem
	if errors.As(err, &p) && p.Type == wire.ProblemKeyTaken {
		// Left by a reset that was cut short: this device was another kiosk.
		if err := os.Remove(filepath.Join(o.enroller.Dir, KeyFile)); err != nil {
			return nil, fmt.Errorf("forget the device's former key: %w", err)
		}
		return o.accept(ctx)
	}
	return i, err
}

func (o *Offer) accept(ctx context.Context) (*Identity, error) {
	e := o.enroller
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	key, err := deviceKey(filepath.Join(e.Dir, KeyFile))
	if err != nil {
		return nil, err
	}
	csr, err := Request(key)
	if err != nil {
		return nil, err
	}
	request, err := wire.NewEnrol(o.code, csr, e.Version, o.bundle.Number())
	if err != nil {
		return nil, err
	}
	body, err := request.Encode()
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	answer, err := e.ask(ctx, http.MethodPost, o.code.Address+wire.EnrolPath, body, wire.MaxBody)
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", o.code.Address, err)
	}
	got, err := wire.OpenEnrolment(answer, o.bundle.ReceiptKeys(), body, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", o.code.Address, err)
	}
	i := &Identity{Address: o.code.Address, Registry: o.code.Registry, Root: o.code.Root, key: key}
	i.take(got)
	if err := i.complete(); err != nil {
		return nil, err
	}
	// The bundle first: from the moment the device is enrolled it can verify.
	if err := disk.Write(filepath.Join(e.Dir, BundleFile), o.bundle.Raw()); err != nil {
		return nil, fmt.Errorf("keep the trust bundle: %w", err)
	}
	return i, i.keep(e.Dir)
}

// take takes over what the registry says of the kiosk.
func (i *Identity) take(e wire.Enrolment) {
	i.Kiosk, i.Facility, i.FacilityName, i.Kind = e.Kiosk, e.Facility, e.Name, e.Kind
	i.Certificate, i.CA = e.Certificate, e.CA
}

// Request is the request for a certificate by a device's key (PKCS #10, RFC
// 2986). The registry names its kiosks itself, so it names nobody; the same key
// makes the same request.
func Request(key ed25519.PrivateKey) ([]byte, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "munjigi kiosk"}}, key)
	if err != nil {
		return nil, fmt.Errorf("ask for a certificate: %w", err)
	}
	return csr, nil
}

// Request is the request for the identity's next certificate: the same key.
func (i *Identity) Request() ([]byte, error) { return Request(i.key) }

// Renewed verifies the answer to Request and keeps the new certificate. The
// registry may have moved or renamed the facility meanwhile; the kiosk stays
// itself.
func (i *Identity) Renewed(dir string, answer []byte, keys []ed25519.PublicKey, body []byte) (*Identity, error) {
	got, err := wire.OpenEnrolment(answer, keys, body, i.key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	if got.Kiosk != i.Kiosk {
		return nil, fmt.Errorf("%w: it is for the kiosk %q, this is %q", wire.ErrEnrolment, got.Kiosk, i.Kiosk)
	}
	next := &Identity{Address: i.Address, Registry: i.Registry, Root: i.Root, key: i.key}
	next.take(got)
	if err := next.complete(); err != nil {
		return nil, err
	}
	return next, next.keep(dir)
}

// ask makes one request without a certificate.
func (e *Enroller) ask(ctx context.Context, method, url string, body []byte, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	transport := e.Transport
	if transport == nil {
		t := &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}, // see Transport
			DisableKeepAlives: true,
		}
		defer t.CloseIdleConnections()
		transport = t
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", wire.ContentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		if p, ok := wire.ParseProblem(data); ok {
			return nil, p
		}
		return nil, fmt.Errorf("the answer has status %d", resp.StatusCode)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return data, nil
}
