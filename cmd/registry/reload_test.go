package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/devices"
)

// A certificate that was renewed on disk is in use a minute later, without a
// restart; files that cannot be read leave the last good one.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	now := t0
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), "test", t0)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(host string) {
		t.Helper()
		s, err := ca.NewServer(host, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		pair, err := s.Certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := newReloading(cert, key, func() time.Time { return now })
	if _, err := r.Certificate(nil); err == nil {
		t.Error("a certificate from nowhere")
	}
	write("one.example")
	for _, step := range []struct {
		after time.Duration
		do    func()
		want  string
	}{
		{0, func() {}, "one.example"},
		{time.Second, func() { write("two.example") }, "one.example"},
		{time.Minute, func() {}, "two.example"},
		{2 * time.Minute, func() { os.WriteFile(cert, []byte("half"), 0o600) }, "two.example"},
		{3 * time.Minute, func() { os.Remove(cert) }, "two.example"},
		{4 * time.Minute, func() { write("three.example") }, "three.example"},
	} {
		now = t0.Add(step.after)
		step.do()
		pair, err := r.Certificate(nil)
		if err != nil || pair.Leaf.DNSNames[0] != step.want {
			t.Errorf("after %s: %v, want %s", step.after, err, step.want)
		}
	}
}
