// Package identity verifies who holds a phone, in the four ways that Korean
// sites offer: a code by SMS, an approval in the PASS app, a code of the mOTP
// app, a signature with a certificate. Each is a [Method]; the two apps'
// accounts are [Accounts].
//
// The carriers stand behind two interfaces, [Gateway] and [Subscribers].
package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
)

// Claim is what a person writes into the form.
type Claim struct {
	Name    string `json:"name,omitempty"`
	Phone   string `json:"phone,omitempty"` // digits only
	Carrier string `json:"carrier,omitempty"`
	Birth   string `json:"birth,omitempty"` // YYMMDD, as on the resident registration card
	Sex     string `json:"sex,omitempty"`   // the digit behind it: 1–8
}

// Identity is what a method found out.
type Identity struct {
	Name    string `json:"name"`
	Phone   string `json:"phone"`
	Carrier string `json:"carrier"`
	Birth   string `json:"birth"` // YYYY-MM-DD
	Foreign bool   `json:"foreign,omitempty"`
}

// Attempt is a verification under way. Who keeps it keeps it sealed: the code
// stands in it.
type Attempt struct {
	Method   string    `json:"method"`
	Asker    string    `json:"asker"` // who asks, as it is shown to the person
	Claim    Claim     `json:"claim"`
	Code     string    `json:"code,omitempty"`
	Tries    int       `json:"tries,omitempty"`
	Sent     int       `json:"sent,omitempty"`
	Extended int       `json:"extended,omitempty"`
	Until    time.Time `json:"until"`
	Request  []byte    `json:"request,omitempty"`
	Number   string    `json:"number,omitempty"` // to be typed into the PASS app
}

// Method is one way to verify an identity.
type Method interface {
	// Begin starts an attempt: it sends a code or a request. The claim is
	// checked for form only, so that nobody learns from the answer whether a
	// number is known.
	Begin(ctx context.Context, now time.Time, asker string, c Claim) (*Attempt, error)
	// Check ends it. answer is what was typed, "" where nothing is. On an error
	// the attempt may be over, see Over; a changes in any case and must be kept.
	Check(ctx context.Context, now time.Time, a *Attempt, answer string) (Identity, error)
}

// What may go wrong. Each is shown to the person with the next step.
var (
	ErrForm     = errors.New("the form is not filled in rightly")
	ErrWrong    = errors.New("the code is wrong")
	ErrTries    = errors.New("too many wrong codes")
	ErrExpired  = errors.New("the time is over")
	ErrPending  = errors.New("not approved yet")
	ErrRefused  = errors.New("refused in the app")
	ErrMismatch = errors.New("the carrier does not confirm these data")
	ErrLimit    = errors.New("too many messages")
	ErrLocked   = errors.New("locked after too many wrong entries")
	// ErrAway: somebody who must be asked does not answer. The attempt stays.
	ErrAway = errors.New("somebody who must be asked does not answer")

	// ErrCertificate is every certificate's that is not accepted; another may be.
	ErrCertificate = errors.New("the certificate is not accepted")
	ErrCertUnfit   = fmt.Errorf("%w: it is none, or its key has not signed", ErrCertificate)
	ErrCertUnknown = fmt.Errorf("%w: nobody known has signed it", ErrCertificate)
	ErrCertExpired = fmt.Errorf("%w: it is out of date", ErrCertificate)
	ErrCertRevoked = fmt.Errorf("%w: it is revoked", ErrCertificate)
	ErrCertOther   = fmt.Errorf("%w: it is somebody else's", ErrCertificate)
)

// Over says whether an error ends an attempt.
func Over(err error) bool {
	for _, goesOn := range []error{nil, ErrPending, ErrWrong, ErrAway, ErrCertificate} {
		if errors.Is(err, goesOn) {
			return false
		}
	}
	return true
}

// Gateway sends short messages. number has digits only; text is never logged.
type Gateway interface {
	Send(ctx context.Context, number, text string) error
}

// Subscribers is the carriers' answer whether a claim is true of the line:
// nil, ErrMismatch, or ErrAway where there is none.
type Subscribers interface {
	Confirm(ctx context.Context, id Identity) error
}

// AnySubscriber confirms every claim: no carrier is asked. For demonstrations.
type AnySubscriber struct{}

// Confirm implements Subscribers.
func (AnySubscriber) Confirm(context.Context, Identity) error { return nil }

// Documents keeps what outlives a request. *store.DB is one.
type Documents interface {
	Document(ctx context.Context, kind string, id []byte, now time.Time, v any) (ok bool, err error)
	Change(ctx context.Context, kind string, id []byte, now time.Time, f func(*store.Document) error) error
	Tagged(ctx context.Context, kind string, tag []byte, now time.Time) ([][]byte, error)
	Keys() *store.Keys
}

// Carrier is one to choose in the form.
type Carrier struct{ ID, Name string }

// Carriers are the three networks and the budget brands on each.
var Carriers = []Carrier{
	{"skt", "SKT"}, {"kt", "KT"}, {"lgu", "LG U+"},
	{"skt-mvno", "SKT 알뜰폰"}, {"kt-mvno", "KT 알뜰폰"}, {"lgu-mvno", "LG U+ 알뜰폰"},
}

var (
	mobile = regexp.MustCompile(`^01[016789][0-9]{7,8}$`)
	digits = regexp.MustCompile(`^[0-9]{6}$`)
)

// Phone brings a number into its form, digits only; ErrForm where it is none.
func Phone(s string) (string, error) {
	s = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, s)
	if !mobile.MatchString(s) {
		return "", ErrForm
	}
	return s, nil
}

// basics checks what every form has.
func (c *Claim) basics() error {
	var err error
	c.Name = strings.Join(strings.Fields(c.Name), " ")
	if n := len([]rune(c.Name)); n < 2 || n > 40 {
		return ErrForm
	}
	if c.Phone, err = Phone(c.Phone); err != nil {
		return err
	}
	if !slices.ContainsFunc(Carriers, func(v Carrier) bool { return v.ID == c.Carrier }) {
		return ErrForm
	}
	return nil
}

// identity reads birth date and sex digit: 1, 2 (1900s) and 3, 4 (2000s) are
// nationals, 5, 6 and 7, 8 foreigners.
func (c *Claim) identity(now time.Time) (Identity, error) {
	if err := c.basics(); err != nil {
		return Identity{}, err
	}
	if len(c.Sex) != 1 || c.Sex[0] < '1' || c.Sex[0] > '8' {
		return Identity{}, ErrForm
	}
	century := "19"
	if (c.Sex[0]-'1')%4 >= 2 {
		century = "20"
	}
	born, err := time.Parse("20060102", century+c.Birth)
	if err != nil || born.After(now) {
		return Identity{}, ErrForm
	}
	return Identity{Name: c.Name, Phone: c.Phone, Carrier: c.Carrier, Birth: born.Format(time.DateOnly), Foreign: c.Sex[0] >= '5'}, nil
}

// korea has had no summer time since 1988, so that no zone database is needed.
var korea = time.FixedZone("KST", 9*60*60)

// Age is how many birthdays a person born on birth (YYYY-MM-DD) has had in
// Korea at now.
func Age(birth string, now time.Time) (int, error) {
	b, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return 0, ErrForm
	}
	n := now.In(korea)
	age := n.Year() - b.Year()
	if n.Month() < b.Month() || n.Month() == b.Month() && n.Day() < b.Day() {
		age--
	}
	return age, nil
}
