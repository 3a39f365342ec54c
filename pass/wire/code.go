package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// CodeMagic begins every enrolment code.
	CodeMagic = "MJE1"
	// MinCodeLife and MaxCodeLife bound how long a code may be used.
	MinCodeLife = time.Hour
	MaxCodeLife = 7 * 24 * time.Hour
	// MaxName is the largest size of a name shown to people, in bytes of UTF-8.
	MaxName = 100

	codeType     = "application/munjigi-enrol-code+cbor"
	codeIDSize   = 8
	secretSize   = 16
	maxAddress   = 200
	maxCodeBytes = 1024
)

// MaxCodeText is the largest size of an enrolment code, in characters.
var MaxCodeText = len(CodeMagic) + base45.EncodedLen(maxCodeBytes)

// ErrCode is returned for a text that is no enrolment code.
var ErrCode = errors.New("this is no enrolment code")

// Code is an enrolment code's content: where a fresh kiosk belongs, and the
// one-time secret that lets it in. It prints as its facility's name alone.
type Code struct {
	Address  string `cbor:"1,keyasint"` // the registry's https URL, without a path
	Registry string `cbor:"2,keyasint"` // its name, for people
	Root     []byte `cbor:"3,keyasint"` // root public key, 32 bytes; see Words
	Facility string `cbor:"4,keyasint"` // the facility's name, for people
	ID       []byte `cbor:"5,keyasint"` // 8 bytes
	Secret   []byte `cbor:"6,keyasint"` // 16 bytes, keyed into Enrol and never sent
	Issued   int64  `cbor:"7,keyasint"` // Unix seconds
	Expires  int64  `cbor:"8,keyasint"` // Unix seconds, judged by the registry only
}

func (c Code) String() string { return "enrolment code for " + c.Facility }

// LogValue implements slog.LogValuer: the secret reaches no log.
func (c Code) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c Code) check() error {
	if err := CheckAddress(c.Address); err != nil {
		return err
	}
	for _, name := range []string{c.Registry, c.Facility} {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	life := time.Duration(c.Expires-c.Issued) * time.Second
	switch {
	case len(c.Root) != ed25519.PublicKeySize:
		return fmt.Errorf("the root key has %d bytes, want %d", len(c.Root), ed25519.PublicKeySize)
	case len(c.ID) != codeIDSize || len(c.Secret) != secretSize:
		return fmt.Errorf("a code has an id of %d and a secret of %d bytes", codeIDSize, secretSize)
	case c.Issued < 0 || c.Expires > maxTime || c.Expires <= c.Issued || life < MinCodeLife || life > MaxCodeLife:
		return fmt.Errorf("a code lives %s to %s", MinCodeLife, MaxCodeLife)
	}
	return nil
}

// maxTime keeps sums of Unix seconds within int64: the year 9999.
const maxTime = 253402300799

// CheckAddress says whether address is a registry's: an https URL of host and
// port alone.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxAddress || u.Host == "" || u.Hostname() == "" || address != u.Scheme+"://"+u.Host || u.Scheme != "https" {
		return fmt.Errorf("a registry's address is https://host or https://host:port, at most %d bytes", maxAddress)
	}
	return nil
}

// CheckName says whether name may be shown to people: 1 to MaxName bytes of
// printable UTF-8 without a space at either end.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a name has 1 to %d bytes of printable text, without a space at either end", MaxName)
	}
	return nil
}

// SignCode makes the text of a code with the registry's receipt key: CodeMagic
// and base45, the alphanumeric mode of a QR code. The life must be MinCodeLife
// to MaxCodeLife.
func SignCode(key ed25519.PrivateKey, c Code) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("sign an enrolment code: %w", err)
	}
	raw, err := cose.SignTyped(key, codeType, c)
	if err != nil {
		return "", err
	}
	return string(base45.Append([]byte(CodeMagic), raw)), nil
}

// UnverifiedCode is a code nobody has verified yet: good for fetching the
// bundle from its Address with its Root, and for asking a person whether the
// registry's name and words are the expected ones.
type UnverifiedCode struct {
	Code
	message *cose.Message
}

// IsCode says whether text claims to be an enrolment code.
func IsCode(text string) bool { return strings.HasPrefix(text, CodeMagic) }

// ParseCode reads a code. Every error wraps ErrCode and quotes nothing of the text.
func ParseCode(text string) (*UnverifiedCode, error) {
	if !IsCode(text) || len(text) > MaxCodeText {
		return nil, ErrCode
	}
	raw, err := base45.AppendDecoded(nil, text[len(CodeMagic):])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCode, err)
	}
	m, rest, err := cose.Decode(raw)
	if err != nil || len(rest) > 0 || m.Header.Type != codeType {
		return nil, fmt.Errorf("%w: its shape does not fit", ErrCode)
	}
	u := &UnverifiedCode{message: m}
	if err := cose.Unmarshal(m.Payload, &u.Code); err != nil {
		return nil, fmt.Errorf("%w: its content does not fit", ErrCode)
	}
	if err := u.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCode, err)
	}
	return u, nil
}

// Verify returns the code if one of keys signed it: the receipt keys of the
// bundle that verifies with the code's own root. Errors wrap ErrCode.
func (u *UnverifiedCode) Verify(keys []ed25519.PublicKey) (Code, error) {
	for _, k := range keys {
		if u.message.Verify(k, nil) {
			return u.Code, nil
		}
	}
	return Code{}, fmt.Errorf("%w of this registry: %w", ErrCode, cose.ErrSignature)
}
