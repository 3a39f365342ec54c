package owners

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// cheap makes tests fast; TestDefaultCost holds the real one.
var cheap = Cost{Memory: 64, Passes: 1, Lanes: 1}

func TestDefaultCost(t *testing.T) {
	h := newHasher(DefaultCost)
	kept, err := h.hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("kept as %s", kept)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterz": false, "": false} {
		if ok, stale, err := h.verify(t.Context(), kept, password); ok != want || stale || err != nil {
			t.Errorf("%q: %t %t %v", password, ok, stale, err)
		}
	}
	if again, _ := h.hash(t.Context(), "correct horse battery"); again == kept {
		t.Error("the same password is kept as the same text twice: there is no salt")
	}
}

// Known answer: RFC 9106 has none without secret and data, so this one comes
// from the reference implementation's own test (argon2id, version 0x13, m=256
// KiB, t=2, p=1, "password", "somesalt").
func TestKnownAnswer(t *testing.T) {
	const kept = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h := newHasher(cheap)
	if ok, stale, err := h.verify(t.Context(), kept, "password"); !ok || !stale || err != nil {
		t.Errorf("%t %t %v, want a fit that is hashed anew for its other cost", ok, stale, err)
	}
}

func TestNobodysPassword(t *testing.T) {
	h := newHasher(cheap)
	for _, password := range []string{"", "nobody's", strings.Repeat("x", 1<<20)} {
		if ok, _, err := h.verify(t.Context(), "", password); ok || err != nil {
			t.Errorf("%.20q opens no account: %t %v", password, ok, err)
		}
	}
	for _, kept := range []string{"x", "$argon2i$v=19$m=64,t=1,p=1$c29tc2FsdA$AAAA", "$argon2id$v=19$m=99999999,t=1,p=1$c29tc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=0,p=0$c29tc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAA"} {
		if ok, _, err := h.verify(t.Context(), kept, "nobody's"); ok || err == nil {
			t.Errorf("%s: %t %v", kept, ok, err)
		}
	}
}

func TestHashesWaitForOneAnother(t *testing.T) {
	h := newHasher(cheap)
	for range maxHashes {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, "whatever it is"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, err := h.verify(ctx, h.dummy, "whatever it is"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCheckPassword(t *testing.T) {
	for password, want := range map[string]error{
		"오늘도 맛있게 드세요":               nil,
		"correct horse battery":     nil,
		"짧은암호":                      errShort,
		"abc":                       errShort,
		"1q2w3e4r5t":                errCommon,
		"1Q2W3E4R5T":                errCommon,
		"aaaaaaaaaaaa":              errCommon,
		"haneul2026":                errCommon, // the login and a year
		"1248100998":                errCommon, // the business number
		strings.Repeat("long ", 60): errLong,
	} {
		if err := checkPassword(password, "haneul@example.com", "1248100998"); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", password, err, want)
		}
	}
}

// What one login costs: time and memory of a hash.
func BenchmarkVerify(b *testing.B) {
	h := newHasher(DefaultCost)
	for b.Loop() {
		if ok, _, err := h.verify(b.Context(), "", "correct horse battery"); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
