package testca

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)

// TestFiles holds that somebody else's tool opens what is made: the key by its
// password and by no other, and that it belongs to the certificate.
func TestFiles(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	ca, err := Create(filepath.Join(dir, "ca"), t0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(dir, "ca"), t0); err == nil {
		t.Error("an authority is overwritten")
	}
	cert, key, err := ca.Issue(t0, "홍길동", "1990-03-01", "비밀 1234!")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{PersonFile: cert, PersonKeyFile: key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Dir = dir
		return cmd.Output()
	}
	of, err := run("x509", "-inform", "DER", "-in", PersonFile, "-noout", "-pubkey")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := run("pkey", "-inform", "DER", "-in", PersonKeyFile, "-passin", "pass:비밀 1234!", "-pubout")
	if err != nil || !bytes.Equal(of, opened) {
		t.Errorf("%v: %s", err, opened)
	}
	if _, err := run("pkey", "-inform", "DER", "-in", PersonKeyFile, "-passin", "pass:else", "-pubout"); err == nil {
		t.Error("another password opens the key")
	}
	if err := ca.Revoke(t0, cert); err != nil {
		t.Fatal(err)
	}
	if out, err := run("crl", "-in", "ca/ca.crl", "-CAfile", "ca/ca.pem", "-noout", "-text"); err != nil || bytes.Count(out, []byte("Serial Number:")) != 1 {
		t.Errorf("%v: %s", err, out)
	}
	stranger, err := Create(filepath.Join(dir, "other"), t0)
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Revoke(t0, cert); err == nil {
		t.Error("an authority revokes another's certificate")
	}
}
