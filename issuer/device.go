package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/store"
)

// A code is made for the phone that was bound after the verification, and for
// no other that has copied its cookie. The phone holds an ECDSA P-256 key that
// its browser never gives out (WebCrypto, extractable: false) and signs a nonce
// of the server with it, as in RFC 9449, section 8. Browsers offer that over
// https only; over plain http the PIN takes its place.

const (
	nonceLife = 5 * time.Minute
	pageLife  = 10 * time.Minute // renewals without typing the PIN again
	pinDigits = 6
	maxWrong  = 5 // PINs; then the identity is verified again
)

// ticket is a value of the server for this session that ends by itself.
func (c *call) ticket(use string, life time.Duration) string {
	until := strconv.FormatInt(c.now.Add(life).Unix(), 36)
	return until + "." + base64.RawURLEncoding.EncodeToString(c.s.Store.Keys().Tag(use, string(c.sess.SID), c.brand.ID, until))
}

func (c *call) isTicket(use, value string) bool {
	until, tag, _ := strings.Cut(value, ".")
	end, err := strconv.ParseInt(until, 36, 64)
	got, err2 := base64.RawURLEncoding.Strict().DecodeString(tag)
	return err == nil && err2 == nil && c.now.Unix() < end &&
		subtle.ConstantTimeCompare(got, c.s.Store.Keys().Tag(use, string(c.sess.SID), c.brand.ID, until)) == 1
}

// nonce is what the phone's key signs next.
func (c *call) nonce() string { return c.ticket("nonce", nonceLife) }

// signed says whether the key signed use and a nonce of ours: ECDSA with
// SHA-256, r ‖ s as WebCrypto writes it.
func (c *call) signed(key []byte, use, nonce, signature string) bool {
	public, ok := parseKey(key)
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if !ok || err != nil || len(raw) != 64 || !c.isTicket("nonce", nonce) {
		return false
	}
	digest := sha256.Sum256([]byte("munjigi " + use + "\n" + c.brand.ID + "\n" + nonce))
	return ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
}

// parseKey reads a public key in PKIX DER, P-256 only.
func parseKey(der []byte) (*ecdsa.PublicKey, bool) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, false
	}
	public, ok := key.(*ecdsa.PublicKey)
	return public, ok && public.Curve == elliptic.P256()
}

// proof is how this phone proves to be the person's: "key" or "pin".
func (c *call) proof() string {
	if c.person != nil && c.person.Device != nil && c.person.Device.Key != nil {
		return "key"
	}
	return "pin"
}

// bind makes this browser the person's one phone, by its key, by a PIN, or both
// where the brand's pages open by PIN.
func (c *call) bind(in url.Values) error {
	if c.next() != stepDevice {
		return nil
	}
	dev := store.Device{Session: c.sess.SID}
	if in.Get("key") != "" {
		der, err := base64.RawURLEncoding.DecodeString(in.Get("key"))
		if err != nil || !c.signed(der, "device", in.Get("nonce"), in.Get("signature")) {
			return refuse(http.StatusUnprocessableEntity, "err_device")
		}
		dev.Key = der
	}
	if dev.Key == nil || c.brand.PIN {
		pin := in.Get("pin")
		if !goodPIN(pin) || pin != in.Get("again") {
			return refuse(http.StatusUnprocessableEntity, "err_pin_form")
		}
		dev.PIN = identity.HashPIN(pin)
	}
	if err := c.s.Store.Bind(c.r.Context(), c.person.ID, dev); err != nil {
		return err
	}
	c.visit.Bind, c.visit.Opened = false, c.now
	if err := c.save(true); err != nil {
		return err
	}
	return c.know()
}

// goodPIN wants 6 digits that are neither one digit nor a row of them.
func goodPIN(pin string) bool {
	if len(pin) != pinDigits || strings.Trim(pin, "0123456789") != "" {
		return false
	}
	return strings.Trim(pin, pin[:1]) != "" && !strings.Contains("01234567890", pin) && !strings.Contains("09876543210", pin)
}

// login opens the brand's pages, or the person's own data, for a while: by PIN
// where the brand asks for one or the phone has no key, else by its key.
func (c *call) login(in url.Values) error {
	if !c.bound() || c.fresh() {
		return nil
	}
	if c.brand.PIN || c.proof() == "pin" {
		if err := c.checkPIN(in.Get("pin")); err != nil {
			return err
		}
	} else if !c.signed(c.person.Device.Key, "login", in.Get("nonce"), in.Get("signature")) {
		return refuse(http.StatusUnauthorized, "err_phone")
	}
	c.visit.Opened = c.now
	if c.then = c.base; in.Get("then") == "me" {
		c.then += "/me"
	}
	return c.save(true)
}

// checkPIN counts the try before it looks at it, so that parallel guesses gain
// nothing. The maxWrong-th wrong one unbinds the phone.
func (c *call) checkPIN(pin string) error {
	ctx, id := c.r.Context(), c.person.ID
	var before store.Device
	locked := refuse(http.StatusForbidden, "err_pin_locked")
	err := c.s.Store.Edit(ctx, id, func(m *store.More) error {
		if m.Device == nil || m.Device.PIN == "" || m.Device.Wrong >= maxWrong {
			return locked
		}
		m.Device.Wrong++
		before = *m.Device
		return nil
	})
	if err != nil {
		return err
	}
	right := identity.CheckPIN(before.PIN, pin)
	err = c.s.Store.Edit(ctx, id, func(m *store.More) error {
		switch {
		case m.Device == nil:
			return locked
		case right:
			m.Device.Wrong = 0
		case before.Wrong >= maxWrong:
			m.Device = nil
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case right:
		return nil
	case before.Wrong >= maxWrong:
		return errors.Join(locked, c.know())
	}
	return refuse(http.StatusUnprocessableEntity, "err_pin")
}

// other is for a browser that has a person's cookie and not their phone: it
// forgets the person and is verified like any other.
func (c *call) other(url.Values) error {
	c.visit.Person, c.visit.Bind, c.visit.Flow = nil, false, nil
	if err := c.save(true); err != nil {
		return err
	}
	return c.know()
}
