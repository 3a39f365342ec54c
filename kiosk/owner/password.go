package owner

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/munjigi/munjigi/uplink/disk"
)

// PasswordFile is the password's file in the kiosk's folder: argon2id in the
// PHC string format, and whether the kiosk made the password or its owner did.
const PasswordFile = "owner.password"

const (
	made   = "made"
	chosen = "chosen"

	minPassword = 10  // characters
	maxPassword = 256 // bytes, so that nobody has us hash a book
)

var (
	errShort  = errors.New("the password is too short")
	errLong   = errors.New("the password is too long")
	errSimple = errors.New("the password is one of the first that anybody would try")
)

// letters of a made password: none that is mistaken for another, when read from
// a screen or over the telephone. Twelve of the 31 are 59 bits.
const letters = "abcdefghjkmnpqrstuvwxyz23456789"

// Cost of a guess: argon2id with 19 MiB, two passes and one lane, the OWASP
// Password Storage Cheat Sheet's (RFC 9106 names the algorithm).
const (
	memory = 19 << 10 // KiB
	passes = 2
	lanes  = 1
)

// NewPassword makes a new password for the owner's page of the kiosk whose
// folder dir is, keeps its hash and returns it: nobody can read it again. Who
// is logged in by an older one is not any more.
func NewPassword(dir string) (string, error) {
	var b strings.Builder
	for b.Len() < 14 {
		r := int(randomBytes(1)[0])
		if r >= 256/len(letters)*len(letters) {
			continue // so that each is as likely
		}
		if b.Len() == 4 || b.Len() == 9 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[r%len(letters)])
	}
	password := b.String()
	return password, passwordFile(dir).keep(plain(password), made)
}

// HasPassword says whether there is a password at all.
func HasPassword(dir string) (bool, error) {
	kept, err := passwordFile(dir).load()
	return kept.hash != "", err
}

// Forget takes everything of the owner's page with it when the kiosk's folder
// becomes a fresh device's: password, certificate and settings.
func Forget(dir string) error {
	for _, name := range []string{PasswordFile, CertificateFile, SettingsFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the owner's page: %w", err)
		}
	}
	return nil
}

// passwordFile is the folder in which the password's file is. It is read anew
// each time: the technician's command writes it beside the daemon.
type passwordFile string

// kept is what is known of a password.
type kept struct{ hash, origin string }

func (f passwordFile) load() (kept, error) {
	data, err := os.ReadFile(filepath.Join(string(f), PasswordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, fmt.Errorf("read the owner's password: %w", err)
	}
	k := kept{}
	if n, err := fmt.Sscan(string(data), &k.hash, &k.origin); n != 2 || err != nil {
		return kept{}, fmt.Errorf("%s is damaged: make a new password with kiosk owner -password", PasswordFile)
	}
	return k, nil
}

func (f passwordFile) keep(password, origin string) error {
	salt := randomBytes(16)
	sum := argon2.IDKey([]byte(password), salt, passes, memory, lanes, 32)
	b64 := base64.RawStdEncoding
	text := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s %s\n", argon2.Version, memory, passes, lanes, b64.EncodeToString(salt), b64.EncodeToString(sum), origin)
	if err := disk.Write(filepath.Join(string(f), PasswordFile), []byte(text)); err != nil {
		return fmt.Errorf("keep the owner's password: %w", err)
	}
	return nil
}

// fits compares. It takes as long where there is no password at all.
func (k kept) fits(password string) (bool, error) {
	if k.origin == made {
		password = plain(password)
	}
	if len(password) > maxPassword {
		password = ""
	}
	salt, want := make([]byte, 16), make([]byte, 32)
	if k.hash != "" {
		parts := strings.Split(k.hash, "$")
		ok := len(parts) == 6 && parts[1] == "argon2id" && parts[3] == fmt.Sprintf("m=%d,t=%d,p=%d", memory, passes, lanes)
		var err, err2 error
		if ok {
			salt, err = base64.RawStdEncoding.DecodeString(parts[4])
			want, err2 = base64.RawStdEncoding.DecodeString(parts[5])
		}
		if !ok || err != nil || err2 != nil || len(want) != 32 {
			return false, fmt.Errorf("%s is damaged: make a new password with kiosk owner -password", PasswordFile)
		}
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, 32)
	return subtle.ConstantTimeCompare(got, want) == 1 && k.hash != "" && password != "", nil
}

// plain is a made password however it is typed: phones begin with a capital,
// and people leave the hyphens out.
func plain(password string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(password)))
}

// checkNew says whether an owner may take this password.
func checkNew(password string) error {
	switch lower := strings.ToLower(password); {
	case utf8.RuneCountInString(password) < minPassword:
		return errShort
	case len(password) > maxPassword:
		return errLong
	case len(slices.Compact([]rune(lower))) == 1,
		strings.Contains("01234567890123456789 98765432109876543210 abcdefghijklmnopqrstuvwxyz qwertyuiopasdfghjklzxcvbnm", lower),
		strings.Contains(lower, "password"), strings.Contains(lower, "munjigi"), strings.Contains(lower, "qwerty"):
		return errSimple
	}
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
