package configs

import (
	"crypto/tls"
	"fmt"
	"os"
)

// ReadCertificate reads a certificate with its chain and its key, both PEM. A
// key that everybody on the machine may read is an error; a group may read it,
// as servers of one machine share theirs.
func ReadCertificate(certFile, keyFile string) (tls.Certificate, error) {
	info, err := os.Stat(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.key: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return tls.Certificate{}, fmt.Errorf("tls.key: everybody on this machine may read %s: run chmod o= %s", keyFile, keyFile)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert and tls.key (%s, %s): %w", certFile, keyFile, err)
	}
	return pair, nil
}
