//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// portal stands where the registry should: it answers everything, over TLS and
// without, with a page and the status 200, as a network does that wants people to
// log in first. With a registry's folder in expired it has a certificate of that
// registry's CA for its name, whose time is over.
func portal(ctx context.Context, address, expired string) error {
	certificate, err := lie(expired)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Welcome! Please log in.</body></html>")
	})
	context.AfterFunc(ctx, func() { l.Close() })
	server := http.Server{Handler: page}
	err = server.Serve(either{l, &tls.Config{Certificates: []tls.Certificate{certificate}}})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// either takes connections with TLS and without.
type either struct {
	net.Listener
	tls *tls.Config
}

func (e either) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	first, _ := in.Peek(1) // a connection that says nothing ends by itself
	c.SetReadDeadline(time.Time{})
	conn := net.Conn(peeked{c, in})
	if len(first) > 0 && first[0] == 22 { // a TLS handshake (RFC 8446, section 5.1)
		conn = tls.Server(conn, e.tls)
	}
	return conn, nil
}

type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// lie makes a certificate for the registry's name: one's own, or one of the CA in
// a registry's folder, which ended yesterday.
func lie(folder string) (c tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "registry.hil"}, DNSNames: []string{"registry.hil"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	ca, signer := leaf, any(key)
	if folder != "" {
		leaf.NotAfter = now.Add(-24 * time.Hour)
		blocks := map[string]*pem.Block{}
		for _, name := range []string{"ca.crt", "ca.key"} {
			data, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				return c, err
			}
			if blocks[name], _ = pem.Decode(data); blocks[name] == nil {
				return c, fmt.Errorf("%s is no PEM file", name)
			}
		}
		if ca, err = x509.ParseCertificate(blocks["ca.crt"].Bytes); err != nil {
			return c, err
		}
		if signer, err = x509.ParsePKCS8PrivateKey(blocks["ca.key"].Bytes); err != nil {
			return c, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), signer)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
