package testca

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// rounds of PBKDF2: few, since these keys open nothing but a trial.
const rounds = 10_000

// Encrypt seals a PKCS #8 key under a password: PBES2 with PBKDF2-HMAC-SHA-256
// and AES-256-CBC (RFC 8018, section 6.2), which browsers can open.
func Encrypt(pkcs8 []byte, pin string) ([]byte, error) {
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	rand.Read(salt) // never fails
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, pin, salt, rounds, 32)
	if err != nil {
		return nil, fmt.Errorf("seal a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal a key: %w", err)
	}
	pad := aes.BlockSize - len(pkcs8)%aes.BlockSize
	sealed := append([]byte(nil), pkcs8...)
	for range pad {
		sealed = append(sealed, byte(pad))
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)

	type kdf struct {
		Salt   []byte
		Rounds int
		PRF    pkix.AlgorithmIdentifier
	}
	type pbes2 struct {
		KDF struct {
			Algorithm asn1.ObjectIdentifier
			Kdf       kdf
		}
		Cipher struct {
			Algorithm asn1.ObjectIdentifier
			IV        []byte
		}
	}
	var out struct {
		How struct {
			Algorithm asn1.ObjectIdentifier
			Pbes2     pbes2
		}
		Data []byte
	}
	p := &out.How.Pbes2
	out.How.Algorithm, out.Data = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, sealed
	p.KDF.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	p.KDF.Kdf = kdf{salt, rounds, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: asn1.NullRawValue}}
	p.Cipher.Algorithm, p.Cipher.IV = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, iv
	der, err := asn1.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("seal a key: %w", err)
	}
	return der, nil
}
