package identity

import (
	"bytes"
	"context"
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
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"
)

// Certificate verifies by a signature with the person's certificate (공인인증서).
// The browser opens the key file with its password and signs; neither leaves it.
//
// The certificate says who somebody is: its subject's common name is the name,
// its subject directory attributes hold the date of birth (RFC 3739, sections
// 3.1.2 and 3.2.2). That the line is theirs, the carriers say.
type Certificate struct {
	Authorities *Authorities
	Subscribers Subscribers
}

// SignLife is how long an attempt waits: files are to be found on the phone.
const SignLife = 10 * time.Minute

// SignedText is what the person's key signs.
func SignedText(asker, challenge string) string {
	return "munjigi certificate\n" + asker + "\n" + challenge
}

// Begin implements Method. The attempt's code is what is to be signed.
func (m *Certificate) Begin(_ context.Context, now time.Time, asker string, c Claim) (*Attempt, error) {
	if _, err := c.identity(now); err != nil {
		return nil, err
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	return &Attempt{Method: "certificate", Asker: asker, Claim: c, Code: base64.RawURLEncoding.EncodeToString(raw), Until: now.Add(SignLife)}, nil
}

// Check implements Method. answer is certificate (DER) and signature, both in
// base64url without padding, with a period between. An attempt takes MaxTries
// of them: somebody may have chosen the wrong certificate.
func (m *Certificate) Check(ctx context.Context, now time.Time, a *Attempt, answer string) (Identity, error) {
	if a.Tries >= MaxTries {
		return Identity{}, ErrTries
	}
	if !now.Before(a.Until) {
		return Identity{}, ErrExpired
	}
	a.Tries++
	id, err := m.check(ctx, now, a, answer)
	if errors.Is(err, ErrCertificate) && a.Tries >= MaxTries {
		err = ErrTries
	}
	return id, err
}

func (m *Certificate) check(ctx context.Context, now time.Time, a *Attempt, answer string) (Identity, error) {
	first, second, _ := strings.Cut(answer, ".")
	der, err := base64.RawURLEncoding.DecodeString(first)
	signature, err2 := base64.RawURLEncoding.DecodeString(second)
	if err != nil || err2 != nil {
		return Identity{}, ErrCertUnfit
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil || !signedBy(cert, SignedText(a.Asker, a.Code), signature) {
		return Identity{}, ErrCertUnfit
	}
	if err := m.Authorities.check(cert, now); err != nil {
		return Identity{}, err
	}
	id, err := a.Claim.identity(now)
	if err != nil {
		return Identity{}, err
	}
	if birth, ok := dateOfBirth(cert); !ok || birth != id.Birth || cert.Subject.CommonName != id.Name {
		return Identity{}, ErrCertOther
	}
	return id, m.Subscribers.Confirm(ctx, id)
}

// mostRSA is the longest RSA key in bits: whoever sends a longer one, in a
// certificate that nobody has looked at yet, has us compute for seconds.
const mostRSA = 8192

// signedBy checks what WebCrypto signs: RSASSA-PKCS1-v1_5, or ECDSA over P-256
// as r ‖ s, both with SHA-256.
func signedBy(cert *x509.Certificate, text string, signature []byte) bool {
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return false
	}
	digest := sha256.Sum256([]byte(text))
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048 && key.N.BitLen() <= mostRSA && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() && len(signature) == 64 &&
			ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	return false
}

var (
	oidDirectoryAttributes = asn1.ObjectIdentifier{2, 5, 29, 9}
	oidDateOfBirth         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 9, 1}
)

// dateOfBirth is the one in a certificate, YYYY-MM-DD.
func dateOfBirth(cert *x509.Certificate) (string, bool) {
	for _, e := range cert.Extensions {
		if !e.Id.Equal(oidDirectoryAttributes) {
			continue
		}
		var all []struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &all); err != nil || len(rest) > 0 {
			return "", false
		}
		for _, v := range all {
			var born time.Time
			if v.Type.Equal(oidDateOfBirth) && len(v.Values) == 1 {
				_, err := asn1.UnmarshalWithParams(v.Values[0].FullBytes, &born, "generalized")
				return born.UTC().Format(time.DateOnly), err == nil
			}
		}
	}
	return "", false
}

// Authorities are those whose certificates are believed, with their lists of
// revoked ones.
type Authorities struct {
	roots, between *x509.CertPool
	lists          string // file, read anew each time: it is fetched anew every day
}

// OpenAuthorities reads the certificates of authorities from a PEM file: those
// signed by themselves are believed, the others stand between. lists is a file
// with the revocation list (RFC 5280, section 5) of each, PEM or DER; while it
// is not there nobody is verified, and all else goes on.
func OpenAuthorities(ca, lists string) (*Authorities, error) {
	data, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("certificate.ca: %w", err)
	}
	a := &Authorities{roots: x509.NewCertPool(), between: x509.NewCertPool(), lists: lists}
	believed := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate.ca: %s: %w", ca, err)
		}
		if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			a.roots.AddCert(cert)
			believed++
		} else {
			a.between.AddCert(cert)
		}
	}
	if believed == 0 {
		return nil, fmt.Errorf("certificate.ca: %s holds no certificate of an authority that signs itself: put the root certificate into it, in PEM", ca)
	}
	return a, nil
}

// check says whether cert is believed at now. Without a list that is in force
// nobody is: an authority may have revoked anything meanwhile.
func (a *Authorities) check(cert *x509.Certificate, now time.Time) error {
	chains, err := cert.Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: a.between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ErrCertExpired
	case err != nil:
		return ErrCertUnknown
	}
	lists, err := a.revocations()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	chain := chains[0]
	for i, c := range chain[:len(chain)-1] {
		by, current := chain[i+1], false
		for _, l := range lists {
			if !bytes.Equal(l.RawIssuer, by.RawSubject) || now.Before(l.ThisUpdate) || !now.Before(l.NextUpdate) || l.CheckSignatureFrom(by) != nil {
				continue
			}
			// There may be several, an old one beside a new one: each counts.
			current = true
			for _, r := range l.RevokedCertificateEntries {
				if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return ErrCertRevoked
				}
			}
		}
		if !current {
			return fmt.Errorf("%w: certificate.crl holds no revocation list of %s that is in force", ErrAway, by.Subject)
		}
	}
	return nil
}

// Until says how long the lists there are hold; an error, where none does.
func (a *Authorities) Until(now time.Time) (until time.Time, err error) {
	lists, err := a.revocations()
	if err != nil {
		return until, err
	}
	for _, l := range lists {
		if until.IsZero() || l.NextUpdate.Before(until) {
			until = l.NextUpdate
		}
	}
	if !now.Before(until) {
		return until, fmt.Errorf("certificate.crl: %s has run out: fetch the authorities' new lists", a.lists)
	}
	return until, nil
}

func (a *Authorities) revocations() ([]*x509.RevocationList, error) {
	data, err := os.ReadFile(a.lists)
	if err != nil {
		return nil, fmt.Errorf("certificate.crl: %w", err)
	}
	all := [][]byte{data} // DER holds one
	if bytes.Contains(data, []byte("-----BEGIN")) {
		all = nil
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			all = append(all, block.Bytes)
		}
	}
	var lists []*x509.RevocationList
	for _, der := range all {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, fmt.Errorf("certificate.crl: %s: %w", a.lists, err)
		}
		// One for some certificates or for changes only would say of all others that
		// they are good (RFC 5280, section 5.2).
		if i := slices.IndexFunc(l.Extensions, func(e pkix.Extension) bool { return e.Critical }); i >= 0 {
			return nil, fmt.Errorf("certificate.crl: %s: a list is no complete one (critical extension %s): fetch the authority's complete list", a.lists, l.Extensions[i].Id)
		}
		lists = append(lists, l)
	}
	return lists, nil
}
