package owners

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost is what one guess at a password costs: argon2id (RFC 9106). The default
// is the OWASP Password Storage Cheat Sheet's: 19 MiB, two passes, one lane.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultCost is 19 MiB, two passes, one lane: some tens of
// milliseconds of one core (BenchmarkVerify).
var DefaultCost = Cost{Memory: 19 << 10, Passes: 2, Lanes: 1}

const (
	saltSize = 16 // bytes; RFC 9106, section 3.1
	hashSize = 32 // bytes

	minPassword = 10  // characters
	maxPassword = 256 // bytes, so that nobody has us hash a book
	// maxHashes bounds memory: that many passwords are hashed at once, the
	// others wait.
	maxHashes = 2
)

var (
	errShort  = errors.New("password is too short")
	errLong   = errors.New("password is too long")
	errCommon = errors.New("password is one of the first that anybody would try")
)

// common are passwords that lists of stolen ones begin with and that are long
// enough for minPassword; one a line, lower case.
//
//go:embed common.txt
var commonFile string

// checkPassword says whether a new password may be used: its length, that it is
// not among the first guesses, and that it does not hold the login (or the part
// before its @) or another fact that everybody may know.
func checkPassword(password string, known ...string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return errShort
	case len(password) > maxPassword:
		return errLong
	}
	lower := strings.ToLower(password)
	for line := range strings.Lines(commonFile) {
		if lower == strings.TrimSpace(line) {
			return errCommon
		}
	}
	if strings.Count(lower, lower[:1]) == len(lower) {
		return errCommon
	}
	for _, k := range known {
		k, _, _ = strings.Cut(strings.ToLower(k), "@")
		if len(k) >= 4 && strings.Contains(lower, k) && len(lower)-len(k) < 6 {
			return errCommon
		}
	}
	return nil
}

// hasher hashes passwords, a few at a time.
type hasher struct {
	cost  Cost
	slots chan struct{}
	dummy string // hash of nobody's password: compared where there is no account, so that time tells nothing
}

func newHasher(cost Cost) *hasher {
	h := &hasher{cost: cost, slots: make(chan struct{}, maxHashes)}
	h.dummy = h.encode([]byte("nobody's"), make([]byte, saltSize))
	return h
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a password to be hashed: %w", ctx.Err())
	}
}

// hash makes the text that is kept of a password: the PHC string format,
// "$argon2id$v=19$m=…,t=…,p=…$salt$hash".
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	return h.encode([]byte(password), salt), nil
}

func (h *hasher) encode(password, salt []byte) string {
	sum := argon2.IDKey(password, salt, h.cost.Passes, h.cost.Memory, h.cost.Lanes, hashSize)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Passes, h.cost.Lanes, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

// verify compares a password with what was kept, in the same time whether it
// fits or not and whether there is an account (kept is empty where there is
// none). stale means: it fits, but hash it anew, for the cost has changed since.
func (h *hasher) verify(ctx context.Context, kept, password string) (ok, stale bool, err error) {
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer func() { <-h.slots }()
	if len(password) > maxPassword {
		password, kept = "", ""
	}
	somebody := kept != ""
	if !somebody {
		kept = h.dummy
	}
	cost, salt, want, err := decode(kept)
	if err != nil {
		return false, false, err
	}
	got := argon2.IDKey([]byte(password), salt, cost.Passes, cost.Memory, cost.Lanes, uint32(len(want)))
	ok = subtle.ConstantTimeCompare(got, want) == 1 && somebody
	return ok, ok && cost != h.cost, nil
}

func decode(kept string) (c Cost, salt, hash []byte, err error) {
	bad := errors.New("a kept password is not written as argon2id: restore the accounts from a backup")
	parts := bytes.Split([]byte(kept), []byte("$"))
	if len(parts) != 6 || string(parts[1]) != "argon2id" || string(parts[2]) != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, bad
	}
	if n, err := fmt.Sscanf(string(parts[3]), "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Lanes); n != 3 || err != nil || c.Passes == 0 || c.Lanes == 0 || c.Memory > 1<<20 {
		return c, nil, nil, bad
	}
	if salt, err = base64.RawStdEncoding.DecodeString(string(parts[4])); err != nil {
		return c, nil, nil, bad
	}
	if hash, err = base64.RawStdEncoding.DecodeString(string(parts[5])); err != nil || len(hash) < 16 {
		return c, nil, nil, bad
	}
	return c, salt, hash, nil
}
