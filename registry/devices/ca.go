package devices

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

const (
	// CertificateLife is how long a kiosk's certificate may be used (DESIGN, law 7).
	CertificateLife = 90 * 24 * time.Hour
	caYears         = 20
	// early is how far before its making a certificate begins: a device whose
	// clock lags has to accept the registry's.
	early = 24 * time.Hour
)

// CA is the registry's device CA: it vouches for kiosks, and for the registry
// itself where no other certificate is given. Its key is ECDSA P-256, which
// browsers accept as well; kiosks' own keys are Ed25519.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

// CreateCA makes a CA named for people and writes its certificate and its key
// (readable by the owner only) as PEM. Files that are there are kept: an error.
func CreateCA(certFile, keyFile, name string, now time.Time) (*CA, error) {
	for _, f := range []string{certFile, keyFile} {
		if _, err := os.Lstat(f); err == nil {
			return nil, fmt.Errorf("%s is there already and is kept", f)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the device CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Organization: []string{"Munjigi device CA"}},
		NotBefore: now.Add(-early), NotAfter: now.AddDate(caYears, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the device CA: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the device CA: %w", err)
	}
	if err := renameio.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return nil, fmt.Errorf("write the device CA's key: %w", err)
	}
	if err := renameio.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, fmt.Errorf("write the device CA's certificate: %w", err)
	}
	return LoadCA(certFile, keyFile)
}

// LoadCA reads a CA that CreateCA made.
func LoadCA(certFile, keyFile string) (*CA, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the device CA (registry init makes one): %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is no device CA: registry init makes one", certFile)
	}
	ca := &CA{cert: pair.Leaf, key: key, pool: x509.NewCertPool()}
	ca.pool.AddCert(ca.cert)
	return ca, nil
}

// DER is the CA's certificate.
func (ca *CA) DER() []byte { return ca.cert.Raw }

// Pool holds the CA alone: what a TLS server names as acceptable, and a client pins.
func (ca *CA) Pool() *x509.CertPool { return ca.pool }

// Name is the CA's name for people.
func (ca *CA) Name() string { return ca.cert.Subject.CommonName }

// Vouches says whether this CA issued cert to a kiosk. It says nothing about time.
func (ca *CA) Vouches(cert *x509.Certificate) bool {
	client := false
	for _, u := range cert.ExtKeyUsage {
		client = client || u == x509.ExtKeyUsageClientAuth
	}
	return client && !cert.IsCA && cert.CheckSignatureFrom(ca.cert) == nil
}

// certify issues a kiosk's certificate.
func (ca *CA) certify(kiosk string, key ed25519.PublicKey, now time.Time) (der []byte, expires time.Time, err error) {
	return ca.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: kiosk}, NotBefore: now.Add(-early), NotAfter: now.Add(CertificateLife),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
}

func (ca *CA) issue(template *x509.Certificate, key crypto.PublicKey) (der []byte, expires time.Time, err error) {
	template.SerialNumber = serial()
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	if template.NotAfter.After(ca.cert.NotAfter) {
		return nil, time.Time{}, errors.New("the device CA ends too soon: make a new one with registry init and enrol the kiosks anew")
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, ca.cert, key, ca.key); err != nil {
		return nil, time.Time{}, fmt.Errorf("issue a certificate: %w", err)
	}
	return der, template.NotAfter.UTC().Truncate(time.Second), nil
}

// sealing is a key for what the database keeps of codes. Whoever has the CA's
// key admits kiosks anyway, so that it gives nobody more than they had.
func (ca *CA) sealing() ([]byte, error) {
	secret, err := ca.key.Bytes()
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, secret, nil, "munjigi enrolment secrets", 32)
}

// serial is a random 127-bit number (RFC 5280, section 4.1.2.2: positive, at
// most 20 octets).
func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// Server makes the registry's own certificate for host, and makes it anew in
// time: give its Certificate to [tls.Config.GetCertificate].
type Server struct {
	ca   *CA
	host string
	now  func() time.Time

	mu    sync.Mutex
	pair  *tls.Certificate
	renew time.Time
}

// NewServer makes the first certificate. host is a name or an IP address.
func (ca *CA) NewServer(host string, now func() time.Time) (*Server, error) {
	s := &Server{ca: ca, host: host, now: now}
	_, err := s.Certificate(nil)
	return s, err
}

// Certificate implements [tls.Config.GetCertificate].
func (s *Server) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.pair != nil && now.Before(s.renew) {
		return s.pair, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the server's key: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: s.host}, NotBefore: now.Add(-early), NotAfter: now.Add(CertificateLife),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(s.host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{s.host}
	}
	der, _, err := s.ca.issue(template, key.Public())
	if err != nil {
		return nil, err
	}
	s.pair = &tls.Certificate{Certificate: [][]byte{der, s.ca.cert.Raw}, PrivateKey: key}
	s.renew = now.Add(CertificateLife * 2 / 3)
	return s.pair, nil
}

// Fingerprint names a public key in the table of kiosks: the SHA-256 of its
// SubjectPublicKeyInfo.
type Fingerprint [sha256.Size]byte

// FingerprintOf is the fingerprint of a certificate's key.
func FingerprintOf(cert *x509.Certificate) Fingerprint {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

func fingerprint(key ed25519.PublicKey) (Fingerprint, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Fingerprint{}, fmt.Errorf("encode a kiosk's key: %w", err)
	}
	return sha256.Sum256(der), nil
}
