package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	key, err := CreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if got, err := ReadKey(path); err != nil || !got.Equal(key) {
		t.Errorf("read another key: %v", err)
	}
	if _, err := CreateKey(path); err == nil || !strings.Contains(err.Error(), "kept") {
		t.Errorf("overwritten: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key everybody can read: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(other); err == nil {
		t.Error("read a key from a file that holds none")
	}
}

func TestPublicKeyText(t *testing.T) {
	key, err := CreateKey(filepath.Join(t.TempDir(), "k"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Key PublicKey `toml:"key"`
	}
	if err := Decode("f", []byte("key = '"+Public(key).String()+"'"), &v); err != nil || v.Key.String() != Public(key).String() {
		t.Errorf("%v %v", v.Key, err)
	}
	for _, bad := range []string{"", "AAAA", "not base64", strings.Repeat("A", 44)} {
		if err := Decode("f", []byte("\nkey = '"+bad+"'"), &v); err == nil || !strings.Contains(err.Error(), "f:2:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
