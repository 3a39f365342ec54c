package configs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// PublicKey is an Ed25519 public key as it stands in a TOML file: standard
// base64 of its 32 bytes (RFC 4648, section 4).
type PublicKey ed25519.PublicKey

// UnmarshalText reads the base64 form.
func (k *PublicKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return errors.New("a public key is written in base64: 44 characters, the last one =")
	}
	if len(raw) != ed25519.PublicKeySize {
		return fmt.Errorf("a public key has %d bytes, got %d", ed25519.PublicKeySize, len(raw))
	}
	*k = raw
	return nil
}

// MarshalText writes the base64 form.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k) }

const pemType = "PRIVATE KEY" // PKCS #8 (RFC 5958, section 5)

// CreateKey makes a fresh Ed25519 key and writes it to path as PEM PKCS #8,
// readable by its owner only. A file that is there already is an error: keys
// are never overwritten.
func CreateKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already and is kept: move it away to make a new key", path)
	}
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: pemType, Bytes: der})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return key, nil
}

// ReadKey reads a key that CreateKey or `openssl genpkey -algorithm ed25519`
// wrote. A file that others may read is an error.
func ReadKey(path string) (ed25519.PrivateKey, error) {
	if err := CheckPrivate(path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("%s holds no PEM block %q", path, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key file %s holds a key of another kind, want Ed25519", path)
	}
	return key, nil
}

// CheckPrivate refuses a key file that others may read.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("key file %s may be read by others: run chmod 600 %s", path, path)
	}
	return nil
}

// Public is the public half of a key, in the form a TOML file takes.
func Public(key ed25519.PrivateKey) PublicKey {
	return PublicKey(key.Public().(ed25519.PublicKey))
}
