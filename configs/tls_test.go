package configs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadCertificate(t *testing.T) {
	dir := t.TempDir()
	keyFile, certFile := filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	key, err := CreateKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public().(ed25519.PublicKey), key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.key")
	if _, err := CreateKey(other); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, cert, key string
		mode            os.FileMode
		want            string // "" for a certificate
	}{
		{"its owner's", certFile, keyFile, 0o600, ""},
		{"a group's", certFile, keyFile, 0o640, ""},
		{"everybody's", certFile, keyFile, 0o644, "chmod o= " + keyFile},
		{"another's key", certFile, other, 0o600, "tls.cert and tls.key"},
		{"no key", certFile, filepath.Join(dir, "none"), 0, "tls.key: "},
		{"no certificate", filepath.Join(dir, "none"), other, 0o600, "tls.cert and tls.key"},
	} {
		if c.mode != 0 {
			if err := os.Chmod(c.key, c.mode); err != nil {
				t.Fatal(err)
			}
		}
		pair, err := ReadCertificate(c.cert, c.key)
		switch {
		case c.want == "" && (err != nil || len(pair.Certificate) != 1):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
