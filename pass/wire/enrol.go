package wire

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// RequestType is the media type of a request for a certificate (RFC 5967),
	// the body of RenewPath.
	RequestType = "application/pkcs10"
	// MaxRequest is the largest size of an Enrol or a renewal, in bytes.
	MaxRequest = 4 << 10

	enrolmentType  = "application/munjigi-enrolment+cbor"
	enrolContext   = "munjigi enrol"
	maxCSR         = 2 << 10
	maxVersion     = 64
	maxCertificate = 4 << 10
)

// Enrol asks for a kiosk's first certificate. It proves the code's secret
// without telling it, so that nobody between kiosk and registry can use it.
type Enrol struct {
	Code    []byte `cbor:"1,keyasint"` // Code.ID
	CSR     []byte `cbor:"2,keyasint"` // PKCS#10 DER (RFC 2986), signed by the kiosk's Ed25519 key
	MAC     []byte `cbor:"3,keyasint"` // HMAC-SHA256 by the secret
	Version string `cbor:"4,keyasint"` // of the kiosk's software
	Bundle  uint64 `cbor:"5,keyasint"` // highest bundle number it has ever seen
}

// NewEnrol makes the request of a kiosk that holds the code.
func NewEnrol(c Code, csr []byte, version string, bundle uint64) (Enrol, error) {
	e := Enrol{Code: c.ID, CSR: csr, Version: version, Bundle: bundle}
	var err error
	e.MAC, err = e.mac(c.Secret)
	return e, err
}

// mac is HMAC-SHA256(secret, "munjigi enrol" ‖ the request without its MAC).
func (e Enrol) mac(secret []byte) ([]byte, error) {
	rest, err := cose.Marshal(struct {
		Code    []byte `cbor:"1,keyasint"`
		CSR     []byte `cbor:"2,keyasint"`
		Version string `cbor:"4,keyasint"`
		Bundle  uint64 `cbor:"5,keyasint"`
	}{e.Code, e.CSR, e.Version, e.Bundle})
	if err != nil {
		return nil, fmt.Errorf("encode the enrolment: %w", err)
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(enrolContext))
	h.Write(rest)
	return h.Sum(nil), nil
}

// Knows says whether whoever made the request holds secret.
func (e Enrol) Knows(secret []byte) bool {
	want, err := e.mac(secret)
	return err == nil && len(secret) == secretSize && hmac.Equal(want, e.MAC)
}

// Encode returns the body of the request, at most MaxRequest bytes.
func (e Enrol) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	return cose.Marshal(e)
}

// DecodeEnrol reads the body of a request and checks its bounds; neither its
// MAC nor its CSR is verified: Knows and ParseRequest do.
func DecodeEnrol(body []byte) (Enrol, error) {
	var e Enrol
	if len(body) > MaxRequest {
		return e, fmt.Errorf("an enrolment has at most %d bytes, got %d", MaxRequest, len(body))
	}
	if err := cose.Unmarshal(body, &e); err != nil {
		return Enrol{}, fmt.Errorf("read the enrolment: %w", err)
	}
	if err := e.check(); err != nil {
		return Enrol{}, err
	}
	return e, nil
}

func (e Enrol) check() error {
	switch {
	case len(e.Code) != codeIDSize:
		return fmt.Errorf("a code's id has %d bytes, got %d", codeIDSize, len(e.Code))
	case len(e.CSR) == 0 || len(e.CSR) > maxCSR:
		return fmt.Errorf("a request for a certificate has 1 to %d bytes, got %d", maxCSR, len(e.CSR))
	case len(e.MAC) != sha256.Size:
		return fmt.Errorf("a mac has %d bytes, got %d", sha256.Size, len(e.MAC))
	case e.Bundle > maxCount:
		return errors.New("an enrolment's bundle number is at most 2^53")
	}
	return checkVersion(e.Version)
}

func checkVersion(v string) error {
	if v == "" || len(v) > maxVersion {
		return fmt.Errorf("a version has 1 to %d bytes, got %d", maxVersion, len(v))
	}
	for _, c := range []byte(v) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return errors.New("a version is printable ASCII without spaces, quotes and backslashes")
		}
	}
	return nil
}

// ErrRequest is returned for what is no request for a certificate.
var ErrRequest = errors.New("this is no request for a certificate by an Ed25519 key")

// ParseRequest reads a PKCS#10 request, checks that its own key signed it and
// returns that key. Everything else in it (names, extensions) is ignored: the
// registry names its kiosks itself. Every error wraps ErrRequest.
func ParseRequest(csr []byte) (ed25519.PublicKey, error) {
	if len(csr) > maxCSR {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrRequest, maxCSR)
	}
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	key, ok := r.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: its key is another", ErrRequest)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: its own key did not sign it: %w", ErrRequest, err)
	}
	return key, nil
}

// Enrolment is the registry's signed answer to Enrol and to a renewal: who the
// kiosk is, and its certificate.
type Enrolment struct {
	Request     []byte `cbor:"1,keyasint"` // SHA-256 of the request's body
	Kiosk       string `cbor:"2,keyasint"` // the kiosk's id, as batches name it
	Facility    string `cbor:"3,keyasint"` // the facility's id
	Kind        string `cbor:"4,keyasint"` // the facility's kind: chooses the policy
	Certificate []byte `cbor:"5,keyasint"` // X.509 DER, for 90 days
	CA          []byte `cbor:"6,keyasint"` // X.509 DER of the device CA, which also vouches for the registry
	Now         int64  `cbor:"7,keyasint"` // Unix milliseconds, the registry's clock
	Name        string `cbor:"8,keyasint"` // the facility's name, for people
}

// Time is Now as a time.
func (e Enrolment) Time() time.Time { return time.UnixMilli(e.Now).UTC() }

// ErrEnrolment is returned for an answer that is no enrolment for the request sent.
var ErrEnrolment = errors.New("the answer is not this registry's enrolment for this request")

// SignEnrolment makes the answer to a request's body with the receipt key; it
// fills in e.Request.
func SignEnrolment(key ed25519.PrivateKey, body []byte, e Enrolment) ([]byte, error) {
	sum := sha256.Sum256(body)
	e.Request = sum[:]
	return cose.SignTyped(key, enrolmentType, e)
}

// OpenEnrolment verifies an answer against the body that was sent: signed by
// one of keys, and a certificate by the CA in it for the key in public. Every
// error wraps ErrEnrolment.
func OpenEnrolment(answer []byte, keys []ed25519.PublicKey, body []byte, public ed25519.PublicKey) (Enrolment, error) {
	var e Enrolment
	if err := cose.OpenTyped(answer, enrolmentType, keys, &e); err != nil {
		return Enrolment{}, fmt.Errorf("%w: %w", ErrEnrolment, err)
	}
	sum := sha256.Sum256(body)
	if string(e.Request) != string(sum[:]) {
		return Enrolment{}, fmt.Errorf("%w: it answers another one", ErrEnrolment)
	}
	if e.Kiosk == "" || e.Facility == "" || len(e.Certificate) > maxCertificate || len(e.CA) > maxCertificate || CheckName(e.Name) != nil {
		return Enrolment{}, fmt.Errorf("%w: something is missing in it", ErrEnrolment)
	}
	cert, err := x509.ParseCertificate(e.Certificate)
	if err != nil {
		return Enrolment{}, fmt.Errorf("%w: its certificate cannot be read: %w", ErrEnrolment, err)
	}
	ca, err := x509.ParseCertificate(e.CA)
	if err != nil {
		return Enrolment{}, fmt.Errorf("%w: its CA cannot be read: %w", ErrEnrolment, err)
	}
	if err := cert.CheckSignatureFrom(ca); err != nil {
		return Enrolment{}, fmt.Errorf("%w: its CA did not sign its certificate: %w", ErrEnrolment, err)
	}
	if !public.Equal(cert.PublicKey) {
		return Enrolment{}, fmt.Errorf("%w: its certificate is for another key", ErrEnrolment)
	}
	return e, nil
}
