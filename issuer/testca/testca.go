// Package testca is an authority that gives out certificates (공인인증서) for
// trying that way of identity verification out: nobody is asked who they are.
//
// [Create] makes one as a folder: ca.pem and ca.crl are what a brand's
// configuration names. [CA.Issue] makes the two files that people keep.
package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// The files of a folder, and those of a person.
const (
	CertificateFile = "ca.pem"
	ListFile        = "ca.crl"
	keyFile         = "ca.key"
	PersonFile      = "signCert.der"
	PersonKeyFile   = "signPri.key"
)

// life is how long the authority and its lists are in force.
const life = 10 * 365 * 24 * time.Hour

// CA is an authority.
type CA struct {
	dir  string
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// Create makes an authority in a folder where none is.
func Create(dir string, now time.Time) (*CA, error) {
	if _, err := os.Stat(filepath.Join(dir, keyFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds an authority already, which is kept: choose another folder", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the authority's folder: %w", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Country: []string{"KR"}, CommonName: "Test authority: asks nobody who they are"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	for _, f := range []struct {
		name, kind string
		data       []byte
		mode       fs.FileMode
	}{{keyFile, "PRIVATE KEY", pkcs8, 0o600}, {CertificateFile, "CERTIFICATE", der, 0o644}} {
		if err := renameio.WriteFile(filepath.Join(dir, f.name), pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.data}), f.mode); err != nil {
			return nil, fmt.Errorf("write the authority: %w", err)
		}
	}
	ca, err := Open(dir)
	if err != nil {
		return nil, err
	}
	return ca, ca.list(now, nil)
}

// Open reads the authority of a folder.
func Open(dir string) (*CA, error) {
	read := func(name string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the authority (issuer testca init makes one): %w", err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, fmt.Errorf("read the authority: %s is not PEM", name)
		}
		return block.Bytes, nil
	}
	der, err := read(CertificateFile)
	if err != nil {
		return nil, err
	}
	ca := &CA{dir: dir}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	if der, err = read(keyFile); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	var ok bool
	if ca.key, ok = key.(*rsa.PrivateKey); !ok {
		return nil, errors.New("read the authority: its key is of another kind, want RSA")
	}
	return ca, nil
}

// Issue makes a certificate of a year for a new RSA key and returns both as
// people keep them: the certificate in DER, the key as an encrypted PKCS #8.
// birth is YYYY-MM-DD.
func (ca *CA) Issue(now time.Time, name, birth, pin string) (cert, key []byte, err error) {
	person, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if cert, err = ca.Certify(now, name, birth, &person.PublicKey); err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(person)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	key, err = Encrypt(pkcs8, pin)
	return cert, key, err
}

// Certify makes a certificate of a year for somebody's public key.
func (ca *CA) Certify(now time.Time, name, birth string, public crypto.PublicKey) ([]byte, error) {
	born, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return nil, errors.New("the date of birth is not YYYY-MM-DD")
	}
	// Noon, so that no time zone makes it another day (RFC 3739, section 3.2.2).
	value, err := asn1.MarshalWithParams(born.Add(12*time.Hour), "generalized")
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	attributes, err := asn1.Marshal([]struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 9, 1}, []asn1.RawValue{{FullBytes: value}}}})
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Country: []string{"KR"}, CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 9}, Value: attributes}},
	}, ca.cert, public, ca.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return der, nil
}

// Revoke puts a certificate (DER) on the list.
func (ca *CA) Revoke(now time.Time, der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("revoke a certificate: %w", err)
	}
	if err := cert.CheckSignatureFrom(ca.cert); err != nil {
		return fmt.Errorf("revoke a certificate: it is not of this authority: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(ca.dir, ListFile))
	if err != nil {
		return fmt.Errorf("read the list of revoked certificates: %w", err)
	}
	before, err := x509.ParseRevocationList(data)
	if err != nil {
		return fmt.Errorf("read the list of revoked certificates: %w", err)
	}
	return ca.list(now, append(before.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now}))
}

func (ca *CA) list(now time.Time, revoked []x509.RevocationListEntry) error {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(now.UnixMilli()), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(life), RevokedCertificateEntries: revoked,
	}, ca.cert, ca.key)
	if err != nil {
		return fmt.Errorf("make the list of revoked certificates: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(ca.dir, ListFile), der, 0o644); err != nil {
		return fmt.Errorf("write the list of revoked certificates: %w", err)
	}
	return nil
}

func serial() *big.Int {
	raw := make([]byte, 16)
	rand.Read(raw) // never fails
	raw[0] &= 0x7f // positive (RFC 5280, section 4.1.2.2)
	return new(big.Int).SetBytes(raw)
}
