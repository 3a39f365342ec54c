package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

// The limits of a code by SMS. Who guesses has MaxTries × MaxSends chances in
// a million a day for one number.
const (
	CodeLife   = 3 * time.Minute
	MaxTries   = 5 // codes entered per attempt, over all of its messages
	MaxResends = 3 // messages after the first per attempt
	MaxExtends = 2
	MaxSends   = 8 // messages per number in a day
)

// SMS sends a 6-digit code to the number.
type SMS struct {
	Docs        Documents
	Gateway     Gateway
	Subscribers Subscribers
}

// Begin implements Method.
func (s *SMS) Begin(ctx context.Context, now time.Time, asker string, c Claim) (*Attempt, error) {
	if _, err := c.identity(now); err != nil {
		return nil, err
	}
	a := &Attempt{Method: "sms", Asker: asker, Claim: c}
	return a, s.send(ctx, now, a)
}

// Resend sends a new code and starts the time anew; ErrLimit after MaxResends.
func (s *SMS) Resend(ctx context.Context, now time.Time, a *Attempt) error {
	if a.Sent > MaxResends {
		return ErrLimit
	}
	return s.send(ctx, now, a)
}

// Extend starts the time anew for the same code; ErrLimit after MaxExtends.
func (s *SMS) Extend(now time.Time, a *Attempt) error {
	if !now.Before(a.Until) {
		return ErrExpired
	}
	if a.Extended >= MaxExtends {
		return ErrLimit
	}
	a.Extended++
	a.Until = now.Add(CodeLife)
	return nil
}

func (s *SMS) send(ctx context.Context, now time.Time, a *Attempt) error {
	if err := s.count(ctx, now, a.Claim.Phone); err != nil {
		return err
	}
	a.Code, a.Until = number(6), now.Add(CodeLife)
	a.Sent++
	// The sender is named, and so is the fraud that such codes are used for.
	text := fmt.Sprintf("[%s] 본인확인 인증번호는 [%s]입니다. 다른 사람이 알려 달라고 하면 전화사기입니다. 절대 알려 주지 마세요.", a.Asker, a.Code)
	if err := s.Gateway.Send(ctx, a.Claim.Phone, text); err != nil {
		return fmt.Errorf("send a message: %w", err)
	}
	return nil
}

// count takes one message from the number's day.
func (s *SMS) count(ctx context.Context, now time.Time, phone string) error {
	return s.Docs.Change(ctx, "sms-sends", s.Docs.Keys().Tag("sms-sends", phone), now, func(d *store.Document) error {
		var n int
		if d.Data == nil {
			d.Expires = now.Add(24 * time.Hour)
		} else if err := json.Unmarshal(d.Data, &n); err != nil {
			return fmt.Errorf("count the messages: %w", err)
		}
		if n >= MaxSends {
			return ErrLimit
		}
		d.Data = fmt.Append(nil, n+1)
		return nil
	})
}

// Check implements Method. The carrier is asked only when the code is right:
// who does not hold the phone learns nothing.
func (s *SMS) Check(ctx context.Context, now time.Time, a *Attempt, answer string) (Identity, error) {
	if a.Tries >= MaxTries {
		return Identity{}, ErrTries
	}
	if !now.Before(a.Until) {
		return Identity{}, ErrExpired
	}
	a.Tries++
	if !digits.MatchString(answer) || subtle.ConstantTimeCompare([]byte(answer), []byte(a.Code)) != 1 {
		if a.Tries >= MaxTries {
			return Identity{}, ErrTries
		}
		return Identity{}, ErrWrong
	}
	id, err := a.Claim.identity(now)
	if err != nil {
		return Identity{}, err
	}
	if err = s.Subscribers.Confirm(ctx, id); !errors.Is(err, ErrAway) {
		a.Tries = MaxTries // a code is used once
	}
	return id, err
}

// number is n random decimal digits.
func number(n int64) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil)
	v, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return fmt.Sprintf("%0*d", n, v)
}
