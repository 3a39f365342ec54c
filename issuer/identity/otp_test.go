package identity

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"testing"
	"time"
)

// TestVectors are those of RFC 6238, appendix B: step 30 s, 8 digits.
func TestVectors(t *testing.T) {
	seed := "1234567890123456789012345678901234567890123456789012345678901234"
	modes := []struct {
		new  func() hash.Hash
		seed string
	}{{sha1.New, seed[:20]}, {sha256.New, seed[:32]}, {sha512.New, seed}}
	for unix, want := range map[int64][3]string{
		59:          {"94287082", "46119246", "90693936"},
		1111111109:  {"07081804", "68084774", "25091201"},
		1111111111:  {"14050471", "67062674", "99943326"},
		1234567890:  {"89005924", "91819424", "93441116"},
		2000000000:  {"69279037", "90698825", "38618901"},
		20000000000: {"65353130", "77737706", "47863826"},
	} {
		for i, m := range modes {
			if got := totp(m.new, []byte(m.seed), stepAt(time.Unix(unix, 0), 30*time.Second), 8); got != want[i] {
				t.Errorf("at %d with hash %d: %s, want %s", unix, i, got, want[i])
			}
		}
	}
}
