package owner

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/uplink/disk"
)

// CertificateFile holds the page's own key and certificate. The kiosk's device
// certificate cannot serve here: it is Ed25519, which browsers do not take.
const CertificateFile = "owner.pem"

const (
	// certificateLife is below the 825 days that phones allow at most.
	certificateLife = 800 * 24 * time.Hour
	certificateEnd  = 30 * 24 * time.Hour // made anew so long before its end
)

// certificates makes the page's certificate and keeps it as long as it can: a
// browser that was told to trust it asks again for another.
type certificates struct {
	dir   string
	today func() time.Time

	mu    sync.Mutex
	names []string
	now   *tls.Certificate
}

// use says under which names the page is found.
func (c *certificates) use(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.now = names, nil
}

// get is for handshakes: what current found last, without a look at the disk.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return nil, errors.New("the owner's page has no certificate yet")
	}
	return c.now, nil
}

// current is the certificate in force: the one at hand as long as it is good,
// or that of the disk, or a new one.
func (c *certificates) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good(c.now) {
		return c.now, nil
	}
	one, err := readCertificate(c.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !c.good(one) {
		one, err = makeCertificate(c.dir, c.names, c.today())
	}
	if err != nil {
		return nil, err
	}
	c.now = one
	return one, nil
}

// good says whether a certificate has our names and time. Where the clock was
// wrong when it was made, it has not.
func (c *certificates) good(one *tls.Certificate) bool {
	today := c.today()
	return one != nil && slices.Equal(one.Leaf.DNSNames, c.names) && today.After(one.Leaf.NotBefore) && today.Before(one.Leaf.NotAfter.Add(-certificateEnd))
}

// fingerprint is what a browser shows of the certificate, so that people can
// compare it: SHA-256 of its DER, in hexadecimal, by two.
func (c *certificates) fingerprint() string {
	one, err := c.current()
	if err != nil {
		return ""
	}
	return fingerprint(one)
}

func fingerprint(one *tls.Certificate) string {
	sum := sha256.Sum256(one.Certificate[0])
	return strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", sum)), " ", ":")
}

// Fingerprint is that of the certificate in a kiosk's folder, empty before the
// page was first opened.
func Fingerprint(dir string) (string, error) {
	one, err := readCertificate(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fingerprint(one), nil
}

func readCertificate(dir string) (*tls.Certificate, error) {
	data, err := os.ReadFile(filepath.Join(dir, CertificateFile))
	if err != nil {
		return nil, fmt.Errorf("read the owner's page's certificate: %w", err)
	}
	one, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged, delete it and a new one is made: %w", CertificateFile, err)
	}
	return &one, nil
}

func makeCertificate(dir string, names []string, today time.Time) (*tls.Certificate, error) {
	fail := func(err error) (*tls.Certificate, error) {
		return nil, fmt.Errorf("make the owner's page's certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	serial := new(big.Int).SetBytes(randomBytes(16))
	from := today.Add(-24 * time.Hour)
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[len(names)-1], Organization: []string{"Munjigi"}},
		NotBefore: from, NotAfter: from.Add(certificateLife), DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(err)
	}
	data := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	if err := disk.Write(filepath.Join(dir, CertificateFile), data); err != nil {
		return fail(err)
	}
	return readCertificate(dir)
}
