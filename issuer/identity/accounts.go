package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/munjigi/munjigi/issuer/store"
)

// App is one of the two apps that verify.
type App string

const (
	PassApp App = "pass"
	OTPApp  App = "motp"
)

// Digits is how long the app's PIN is.
func (a App) Digits() int {
	if a == OTPApp {
		return 4
	}
	return 6
}

// MaxWrong is how many wrong entries in a row lock an account.
const MaxWrong = 5

// accountLife is how long an unused account stays.
const accountLife = 365 * 24 * time.Hour

// Account is a person's account of an app.
type Account struct {
	Identity Identity `json:"identity"`
	PIN      string   `json:"pin"` // hash
	Wrong    int      `json:"wrong,omitempty"`
	Secret   []byte   `json:"secret,omitempty"` // mOTP: 20 bytes
	Used     int64    `json:"used,omitempty"`   // mOTP: the last time step a code was used of
}

// Locked says whether only a new verification opens it.
func (a *Account) Locked() bool { return a.Wrong >= MaxWrong }

// Accounts are those of both apps.
type Accounts struct{ Docs Documents }

func (a *Accounts) id(app App, phone string) []byte {
	return a.Docs.Keys().Tag("account", string(app), phone)
}

// Register makes an account for a verified identity, or takes it up again: a
// locked one opens, the PIN is the new one.
func (a *Accounts) Register(ctx context.Context, now time.Time, app App, id Identity, pin string) (account []byte, err error) {
	if !pinForm(pin, app.Digits()) {
		return nil, ErrForm
	}
	hashed := HashPIN(pin)
	account = a.id(app, id.Phone)
	err = a.change(ctx, now, app, account, true, func(v *Account) error {
		secret := make([]byte, 20)
		rand.Read(secret) // never fails
		*v = Account{Identity: id, PIN: hashed, Secret: secret}
		return nil
	})
	return account, err
}

// Remove ends an account, as when the number has changed.
func (a *Accounts) Remove(ctx context.Context, now time.Time, app App, account []byte) error {
	return a.Docs.Change(ctx, "account-"+string(app), account, now, func(d *store.Document) error { d.Data = nil; return nil })
}

// Account reads one; ok = false where there is none.
func (a *Accounts) Account(ctx context.Context, now time.Time, app App, account []byte) (v Account, ok bool, err error) {
	ok, err = a.Docs.Document(ctx, "account-"+string(app), account, now, &v)
	return v, ok, err
}

// Open checks the PIN: ErrWrong, or ErrLocked from the MaxWrong-th on. The try
// is counted before it is looked at, so that parallel guesses gain nothing.
func (a *Accounts) Open(ctx context.Context, now time.Time, app App, account []byte, pin string) error {
	var before Account
	if err := a.change(ctx, now, app, account, false, func(v *Account) error {
		if v.Locked() {
			return ErrLocked
		}
		v.Wrong++
		before = *v
		return nil
	}); err != nil {
		return err
	}
	if !CheckPIN(before.PIN, pin) {
		if before.Locked() {
			return ErrLocked
		}
		return ErrWrong
	}
	return a.change(ctx, now, app, account, false, func(v *Account) error { v.Wrong = 0; return nil })
}

// ChangePIN sets a new PIN where the old one is right.
func (a *Accounts) ChangePIN(ctx context.Context, now time.Time, app App, account []byte, old, pin string) error {
	if !pinForm(pin, app.Digits()) {
		return ErrForm
	}
	if err := a.Open(ctx, now, app, account, old); err != nil {
		return err
	}
	hashed := HashPIN(pin)
	return a.change(ctx, now, app, account, false, func(v *Account) error { v.PIN = hashed; return nil })
}

func (a *Accounts) change(ctx context.Context, now time.Time, app App, account []byte, create bool, f func(*Account) error) error {
	return a.Docs.Change(ctx, "account-"+string(app), account, now, func(d *store.Document) error {
		var v Account
		if d.Data != nil {
			if err := json.Unmarshal(d.Data, &v); err != nil {
				return fmt.Errorf("read an account: %w", err)
			}
		} else if !create {
			return ErrWrong
		}
		if err := f(&v); err != nil {
			return err
		}
		var err error
		d.Expires = now.Add(accountLife)
		d.Data, err = json.Marshal(v)
		return err
	})
}

func pinForm(pin string, n int) bool {
	return len(pin) == n && strings.Trim(pin, "0123456789") == ""
}

// The cost of a PIN's hash: argon2id (RFC 9106) with 19 MiB and 2 passes. A PIN
// has few digits: what protects it is the lock, and that its hash is sealed.
const (
	pinMemory = 19 << 10
	pinPasses = 2
)

// HashPIN is what is kept of a PIN.
func HashPIN(pin string) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	return base64.RawStdEncoding.EncodeToString(append(salt, argon2.IDKey([]byte(pin), salt, pinPasses, pinMemory, 1, 32)...))
}

// CheckPIN says whether pin is the one that was hashed.
func CheckPIN(hashed, pin string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(hashed)
	if err != nil || len(raw) != 48 {
		return false
	}
	return subtle.ConstantTimeCompare(raw[16:], argon2.IDKey([]byte(pin), raw[:16], pinPasses, pinMemory, 1, 32)) == 1
}
