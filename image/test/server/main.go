// Command server stands in for who offers updates: one bundle over HTTPS, with an
// ETag (RFC 9110, section 8.8.3). What it was asked stands on its output.
//
//	server -ca FILE [-listen 127.0.0.1:19444] [-address 10.0.2.2] BUNDLE
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:19444", "where it listens")
	address := flag.String("address", "10.0.2.2", "what the device calls it")
	ca := flag.String("ca", "", "where its certificate goes, for who trusts it")
	flag.Parse()
	if err := run(*listen, *address, *ca, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(listen, address, ca, bundle string) error {
	ip := net.ParseIP(address)
	if ip == nil || ca == "" || bundle == "" {
		return errors.New("give -ca FILE, an -address that is one, and a bundle")
	}
	pair, err := certificate(ip)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o644); err != nil {
		return err
	}
	b, err := os.ReadFile(bundle)
	if err != nil {
		return err
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(b))
	s := http.Server{
		Addr: listen, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println(r.Method, r.URL.Path, "If-None-Match:", r.Header.Get("If-None-Match") == tag)
			w.Header().Set("ETag", tag)
			http.ServeFile(w, r, bundle)
		}),
	}
	return s.ListenAndServeTLS("", "")
}

// certificate signs itself for as long as a test takes, and for any clock of the device's.
func certificate(ip net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
