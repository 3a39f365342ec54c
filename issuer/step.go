package issuer

import (
	"bytes"
	"time"

	"github.com/munjigi/munjigi/issuer/identity"
)

// step is what stands between a visitor and the code; each is the last part of
// its page's address.
type step string

const (
	stepConsent  step = "consent"
	stepIdentity step = "identity"
	stepGuardian step = "guardian"
	stepDevice   step = "device" // bind the phone
	stepLogin    step = "login"  // PIN or passkey
	stepCode     step = "qr"
)

// adult is the age from which nobody else need agree (개인정보보호법 제22조의2).
const adult = 14

// guardianAge is the age of majority (민법 제4조).
const guardianAge = 19

// next is the first thing that is missing.
func (c *call) next() step {
	if c.brand.First == "consent" && c.screen() > 0 {
		return stepConsent
	}
	if !c.verified() {
		return stepIdentity
	}
	if c.needsGuardian() {
		return stepGuardian
	}
	if c.person.Device == nil {
		return stepDevice
	}
	if c.locked() {
		return stepLogin
	}
	if c.screen() > 0 {
		return stepConsent
	}
	return stepCode
}

// screen is the first screen of consents that has one missing, 0 for none. A
// text with a new version is asked anew.
func (c *call) screen() int {
	for _, t := range c.brand.Consents {
		if a, ok := c.agreed[t.Item]; !ok || a.Version != t.Version {
			return t.Screen
		}
	}
	return 0
}

// verified says whether the person is known, for not too long, and this
// browser the one that is bound to them. A phone number has one phone: once
// another one is bound, this one must verify again.
func (c *call) verified() bool {
	p := c.person
	if p == nil || p.Verified.Unix() == 0 {
		return false
	}
	if c.brand.Reverify > 0 && !c.now.Before(p.Verified.Add(c.brand.valid())) {
		return false
	}
	if p.Device == nil {
		return c.visit.Bind
	}
	return bytes.Equal(p.Device.Session, c.sess.SID)
}

func (c *call) needsGuardian() bool {
	if c.person == nil || c.person.Guardian != nil {
		return false
	}
	age, err := identity.Age(c.person.Birth, c.now)
	return err != nil || age < adult
}

func (c *call) locked() bool { return c.brand.PIN && !c.fresh() }

// fresh says whether this phone has proved to be the person's own a short while
// ago, by PIN, passkey or key: who only holds a copied cookie sees no data.
func (c *call) fresh() bool { return c.now.Sub(c.visit.Opened) < unlocked }

// bound says whether this browser is the verified person's one phone.
func (c *call) bound() bool { return c.verified() && c.person.Device != nil }

// toLogin sends the visitor to prove it once more, and then to their data.
func (c *call) toLogin() error {
	c.then = c.base + "/login?then=me"
	return nil
}

// valid is how long a verification holds, 0 for ever.
func (b *Brand) valid() time.Duration { return time.Duration(b.Reverify) * 24 * time.Hour }
