package identity

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"errors"
	"time"
)

// CodeStep is how long a code of the mOTP app is shown.
const CodeStep = time.Minute

// OTP checks the 6-digit code that the mOTP app shows (RFC 6238 with HMAC-SHA-1,
// as RFC 6238 has it by default, and steps of 60 s).
type OTP struct {
	Accounts    *Accounts
	Subscribers Subscribers
}

// Code is what the app of an account shows at now, and how long it still will.
func (v *Account) Code(now time.Time) (code string, left time.Duration) {
	step := stepAt(now, CodeStep)
	return totp(sha1.New, v.Secret, step, 6), time.Unix((step+1)*int64(CodeStep/time.Second), 0).Sub(now)
}

// Begin implements Method: the claim is the number alone.
func (o *OTP) Begin(_ context.Context, now time.Time, asker string, c Claim) (*Attempt, error) {
	phone, err := Phone(c.Phone)
	if err != nil {
		return nil, err
	}
	return &Attempt{Method: "motp", Asker: asker, Claim: Claim{Phone: phone}, Until: now.Add(RequestLife)}, nil
}

// Check implements Method. The code of the step before is taken too, for what
// typing and the network take (RFC 6238, section 5.2), and none twice. A number
// without the app answers like a wrong code, up to the lock.
func (o *OTP) Check(ctx context.Context, now time.Time, a *Attempt, answer string) (Identity, error) {
	if a.Tries >= MaxWrong {
		return Identity{}, ErrLocked
	}
	if !now.Before(a.Until) {
		return Identity{}, ErrExpired
	}
	a.Tries++
	var id Identity
	var wrong error
	err := o.Accounts.change(ctx, now, OTPApp, o.Accounts.id(OTPApp, a.Claim.Phone), false, func(v *Account) error {
		if v.Locked() {
			return ErrLocked
		}
		for _, step := range []int64{stepAt(now, CodeStep), stepAt(now, CodeStep) - 1} {
			if step > v.Used && subtle.ConstantTimeCompare([]byte(answer), []byte(totp(sha1.New, v.Secret, step, 6))) == 1 {
				v.Used, v.Wrong, id = step, 0, v.Identity
				return nil
			}
		}
		if v.Wrong++; v.Locked() {
			wrong = ErrLocked
		} else {
			wrong = ErrWrong
		}
		return nil
	})
	if err == nil {
		err = wrong
	}
	if errors.Is(err, ErrWrong) && a.Tries >= MaxWrong {
		err = ErrLocked
	}
	if err != nil {
		return Identity{}, err
	}
	if err = o.Subscribers.Confirm(ctx, id); !errors.Is(err, ErrAway) {
		a.Tries = MaxWrong
	}
	return id, err
}
