package uplink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// office is a registry that enrols one kiosk and renews its certificate.
type office struct {
	t        *testing.T
	key      *ecdsa.PrivateKey
	ca       *x509.Certificate
	life     time.Duration
	renewals []time.Time
	fails    int // renewals that fail first
	refuse   string
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, life: 90 * 24 * time.Hour}
	var err error
	if o.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	o.ca = o.issue(template, template, o.key.Public())
	return o
}

func (o *office) issue(template, parent *x509.Certificate, key any) *x509.Certificate {
	o.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		o.t.Fatal(err)
	}
	return cert
}

func (o *office) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var csr []byte
	switch r.URL.Path {
	case wire.BundlePath:
		raw, err := pass.SignBundle(testKey("root"), pass.Contents{Number: 1, Issued: t0.Unix(), Expires: t0.Add(pass.BundleLife).Unix(), Receipts: [][]byte{public(testKey("receipt"))}})
		return respond(200, raw), err
	case wire.EnrolPath:
		e, err := wire.DecodeEnrol(body)
		if err != nil {
			return nil, err
		}
		csr = e.CSR
	case wire.RenewPath:
		o.renewals = append(o.renewals, time.Now())
		if len(o.renewals) <= o.fails {
			return nil, errors.New("no route to host")
		}
		csr = body
	default:
		return respond(403, []byte(`{"type":"`+o.refuse+`"}`)), nil
	}
	key, err := wire.ParseRequest(csr)
	if err != nil {
		return nil, err
	}
	cert := o.issue(&x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now(), NotAfter: time.Now().Add(o.life)}, o.ca, key)
	answer, err := wire.SignEnrolment(testKey("receipt"), body, wire.Enrolment{Kiosk: "k-1", Facility: "f-1", Kind: "cafe", Name: "카페", Certificate: cert.Raw, CA: o.ca.Raw})
	return respond(200, answer), err
}

// enrol makes the device with this folder a kiosk.
func (o *office) enrol(dir string) {
	o.t.Helper()
	text, err := wire.SignCode(testKey("receipt"), wire.Code{
		Address: "https://registry.test", Registry: "하늘", Root: public(testKey("root")), Facility: "카페", ID: make([]byte, 8), Secret: make([]byte, 16),
		Issued: t0.Unix(), Expires: t0.Add(time.Hour).Unix(),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	offer, err := (&enrol.Enroller{Dir: dir, Version: "v1", Transport: o}).Look(o.t.Context(), text)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := offer.Accept(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) link(dir string, adopt func(*enrol.Identity) error) *Link {
	o.t.Helper()
	l, err := NewLink(LinkConfig{Dir: dir, Adopt: adopt, Keys: receiptKeys, Transport: o}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

// TestRenewal is a year in the life of a certificate, with a network that is
// away for a week when the first renewal is due.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, dir := newOffice(t), t.TempDir()
		o.enrol(dir)
		start := time.Now()
		o.fails = 20
		l := o.link(dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		time.Sleep(365 * 24 * time.Hour) // virtual
		cancel()
		if first := o.renewals[0].Sub(start); first < o.life*2/3 || first > o.life*2/3+2*time.Hour {
			t.Errorf("the first renewal came after %v", first)
		}
		// Every 60 days, the failed tries aside.
		if n := len(o.renewals) - o.fails; n < 5 || n > 6 {
			t.Errorf("renewed %d times in a year", n)
		}
		s := l.State()
		if s.Err != nil || s.Expires.Before(time.Now()) {
			t.Errorf("%+v", s)
		}
		if i, err := enrol.Load(dir); err != nil || !i.NotAfter().Equal(s.Expires) {
			t.Errorf("on disk: %v", err)
		}
	})
}

// TestExpiredRenewsAtOnce: the registry's word that the certificate has expired
// is enough, whatever this device's clock says.
func TestExpiredRenewsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, dir := newOffice(t), t.TempDir()
		o.enrol(dir)
		l := o.link(dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		synctest.Wait()
		o.refuse = wire.ProblemExpiredCertificate
		if err := l.Known(ctx); err == nil {
			t.Error("an expired certificate was called known")
		}
		time.Sleep(time.Second)
		cancel()
		if len(o.renewals) != 1 || l.State().Refused != "" {
			t.Errorf("%d renewals, %+v", len(o.renewals), l.State())
		}
	})
}

// TestExpiredIsHeardWhileWaiting: the registry comes back after weeks, between
// two tries that are hours apart; what it says first ends the wait. So it does
// after a renewal that went well.
func TestExpiredIsHeardWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, dir := newOffice(t), t.TempDir()
		o.enrol(dir)
		o.fails = 1 << 20
		l := o.link(dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		time.Sleep(91 * 24 * time.Hour) // virtual
		synctest.Wait()
		o.fails, o.refuse = 0, wire.ProblemExpiredCertificate
		for _, after := range []time.Duration{0, time.Hour} {
			time.Sleep(after)
			synctest.Wait()
			before := len(o.renewals)
			if err := l.Known(ctx); err == nil {
				t.Error("an expired certificate was called known")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := len(o.renewals) - before; n != 1 || l.State().Expires.Before(time.Now()) {
				t.Errorf("%v later: %d renewals, certificate until %v", after, n, l.State().Expires)
			}
		}
		cancel()
	})
}

// TestEnrolledMeanwhile: a daemon that runs on a fresh device notices that
// somebody enrolled it, and nobody sees the identity before it was adopted.
func TestEnrolledMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, dir := newOffice(t), t.TempDir()
		var adopted atomic.Int32
		var full atomic.Bool
		full.Store(true)
		l := o.link(dir, func(i *enrol.Identity) error {
			if adopted.Add(1); full.Load() {
				return errors.New("the disk is full")
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Run(ctx)
		time.Sleep(time.Minute)
		if err := l.Known(ctx); !errors.Is(err, errFresh) || adopted.Load() > 0 {
			t.Errorf("fresh: %v, adopted %d times", err, adopted.Load())
		}
		o.enrol(dir)
		time.Sleep(10 * time.Second)
		if l.Identity() != nil || adopted.Load() == 0 {
			t.Errorf("adopted %d times while the disk was full", adopted.Load())
		}
		full.Store(false)
		time.Sleep(2 * time.Minute)
		select {
		case <-l.Enrolled():
		default:
			t.Fatal("the daemon did not notice")
		}
		if l.Identity().Kiosk != "k-1" || l.State().Kiosk != "k-1" {
			t.Errorf("%+v", l.State())
		}
	})
	// And one that is enrolled already begins so.
	o, dir := newOffice(t), t.TempDir()
	o.enrol(dir)
	if l := o.link(dir, nil); l.Identity() == nil {
		t.Error("an enrolled device began fresh")
	}
}
