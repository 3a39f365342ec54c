// Package enrol makes a fresh device a kiosk of a registry: code → trust
// bundle verified with the code's root → code verified → a person's word →
// key pair made on the device, certificate → kept on disk.
//
// The file enrolment.cbor is what makes a device enrolled. It is written last
// and at once, so that a cut at any moment leaves a fresh device or an enrolled
// one, and asking again with the same code does no harm.
package enrol

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/uplink/disk"
)

// The files of an enrolled device, in its data folder.
const (
	KeyFile    = "device.key"     // PEM PKCS #8, Ed25519; it never leaves the device
	File       = "enrolment.cbor" // Identity without its key
	BundleFile = "bundle.cbor"    // the last good trust bundle
)

// Identity is who an enrolled device is. It is not changed after it was made.
type Identity struct {
	Address      string            `cbor:"1,keyasint"` // the registry's, https://host[:port]
	Registry     string            `cbor:"2,keyasint"` // its name
	Root         ed25519.PublicKey `cbor:"3,keyasint"` // its root key, pinned
	Kiosk        string            `cbor:"4,keyasint"` // the kiosk's id
	Facility     string            `cbor:"5,keyasint"` // the facility's id
	FacilityName string            `cbor:"6,keyasint"`
	Kind         string            `cbor:"7,keyasint"` // the facility's kind
	Certificate  []byte            `cbor:"8,keyasint"` // X.509 DER
	CA           []byte            `cbor:"9,keyasint"` // X.509 DER

	key      ed25519.PrivateKey
	leaf, ca *x509.Certificate
}

// Load reads the identity of an enrolled device; fs.ErrNotExist means that it
// is fresh.
func Load(dir string) (*Identity, error) {
	path := filepath.Join(dir, File)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read who this kiosk is: %w", err)
	}
	i := new(Identity)
	if err := cose.Unmarshal(data, i); err != nil {
		return nil, fmt.Errorf("%s is damaged: run kiosk enroll -reset and enrol again: %w", path, err)
	}
	i.key, err = readKey(filepath.Join(dir, KeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		// Not wrapped: a device without its key is not fresh, it ignores codes.
		return nil, fmt.Errorf("%s is there and the device's key is not: run kiosk enroll -reset and enrol again: %v", path, err)
	}
	if err != nil {
		return nil, err
	}
	if err := i.complete(); err != nil {
		return nil, fmt.Errorf("%s: %w: run kiosk enroll -reset and enrol again", path, err)
	}
	return i, nil
}

// complete parses the certificates and checks that all belongs together.
func (i *Identity) complete() (err error) {
	if i.leaf, err = x509.ParseCertificate(i.Certificate); err != nil {
		return fmt.Errorf("read the kiosk's certificate: %w", err)
	}
	if i.ca, err = x509.ParseCertificate(i.CA); err != nil {
		return fmt.Errorf("read the registry's CA: %w", err)
	}
	switch {
	case len(i.Root) != ed25519.PublicKeySize || i.Kiosk == "" || i.Address == "":
		return errors.New("something is missing in the enrolment")
	case !i.key.Public().(ed25519.PublicKey).Equal(i.leaf.PublicKey):
		return errors.New("the kiosk's certificate is for another key than device.key")
	}
	return nil
}

// keep writes the identity to disk, whole at any moment.
func (i *Identity) keep(dir string) error {
	data, err := cose.Marshal(i)
	if err != nil {
		return fmt.Errorf("keep the enrolment: %w", err)
	}
	if err := disk.Write(filepath.Join(dir, File), data); err != nil {
		return fmt.Errorf("keep the enrolment: %w", err)
	}
	return nil
}

// NotBefore and NotAfter bound the certificate's life.
func (i *Identity) NotBefore() time.Time { return i.leaf.NotBefore }
func (i *Identity) NotAfter() time.Time  { return i.leaf.NotAfter }

// Due is when the certificate is to be renewed: at two thirds of its life.
func (i *Identity) Due() time.Time {
	return i.leaf.NotBefore.Add(i.leaf.NotAfter.Sub(i.leaf.NotBefore) * 2 / 3)
}

// TLS is how the kiosk speaks to its registry: TLS 1.3 with its own
// certificate, to a server that the registry's CA vouches for or that the
// system's roots do.
func (i *Identity) TLS(now func() time.Time) *tls.Config {
	c := i.config()
	c.RootCAs, c.Time = i.roots(), now
	return c
}

// TimelessTLS is TLS for a kiosk that does not know the time yet: the server's
// certificate must be one that was good at some time. Only what is signed and
// carries our nonce may be believed of what comes this way.
func (i *Identity) TimelessTLS() *tls.Config {
	c := i.config()
	roots := i.roots()
	c.InsecureSkipVerify = true // VerifyConnection verifies
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server has shown no certificate")
		}
		leaf, between := s.PeerCertificates[0], x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: s.ServerName, CurrentTime: leaf.NotBefore})
		return err
	}
	return c
}

func (i *Identity) config() *tls.Config {
	mine := &tls.Certificate{Certificate: [][]byte{i.Certificate}, PrivateKey: i.key, Leaf: i.leaf}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Whatever CAs the server names: it has only one that can have signed this.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine, nil },
	}
}

func (i *Identity) roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a device without any: the pinned one must do
	}
	pool.AddCert(i.ca)
	return pool
}

// Reset makes the device fresh: a cut in between leaves a fresh one, too. The
// journal stays.
func Reset(dir string) error {
	for _, name := range []string{File, BundleFile, KeyFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the enrolment: %w", err)
		}
	}
	return nil
}

const pemType = "PRIVATE KEY" // PKCS #8 (RFC 5958, section 5)

// deviceKey reads the device's key, or makes it where there is none.
func deviceKey(path string) (ed25519.PrivateKey, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if _, key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("make the device's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the device's key: %w", err)
	}
	if err := disk.Write(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})); err != nil {
		return nil, fmt.Errorf("keep the device's key: %w", err)
	}
	return key, nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the device's key: %w", err)
	}
	if block, _ := pem.Decode(data); block != nil && block.Type == pemType {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := parsed.(ed25519.PrivateKey); ok {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%s is damaged: run kiosk enroll -reset and enrol again", path)
}
