package pass

import (
	"errors"
	"fmt"
	"time"
)

// Reason says why a text is not admitted as a pass. Each has its own sentence
// at the door; none of them blames the visitor.
type Reason uint8

const (
	// The text itself, decided by Parse.

	ReasonNotPass      Reason = iota + 1 // a QR code of something else
	ReasonVersion                        // a newer format than this reader knows
	ReasonTruncated                      // characters or bytes are missing
	ReasonOversized                      // longer than any pass can be
	ReasonNonCanonical                   // a second spelling of a pass
	ReasonFormat                         // anything else that is not a pass's shape

	// The signature and what is signed, decided by Verify.

	ReasonUnknownKey  // no key with this id in the bundle, or not one of its time
	ReasonIssuer      // signed by a key that belongs to another issuer
	ReasonSignature   // no key with this id signed these bytes
	ReasonLifetime    // exp − iat is not 15 s
	ReasonNotYetValid // iat lies in the future: the phone's clock is ahead
	ReasonExpired     // exp has passed
	ReasonRevoked     // the key or issuer was revoked before the pass was made

	// The reader's own state, decided by Verify.

	ReasonPolicyOff // no check-in is asked for at this kind of facility
	ReasonClock     // the reader's clock is wrong, or unsure and policy refuses
	ReasonBundle    // the trust bundle has expired or is missing
)

var reasonNames = [...]string{
	ReasonNotPass: "not-a-pass", ReasonVersion: "version", ReasonTruncated: "truncated", ReasonOversized: "oversized",
	ReasonNonCanonical: "non-canonical", ReasonFormat: "format", ReasonUnknownKey: "unknown-key", ReasonIssuer: "issuer",
	ReasonSignature: "signature", ReasonLifetime: "lifetime", ReasonNotYetValid: "not-yet-valid", ReasonExpired: "expired",
	ReasonRevoked: "revoked", ReasonPolicyOff: "policy-off", ReasonClock: "clock", ReasonBundle: "bundle",
}

// Reasons lists every reason, for tables and tests that must name them all.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasonNames)-1)
	for r := ReasonNotPass; int(r) < len(reasonNames); r++ {
		all = append(all, r)
	}
	return all
}

// String is the reason's name in logs, metrics, vectors and JSON.
func (r Reason) String() string {
	if int(r) < len(reasonNames) && reasonNames[r] != "" {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Error is the refusal of a text. It never holds any part of the text.
type Error struct {
	Reason Reason
	// By is how far off the time is where that is the reason: how long ago the
	// pass expired, how far in the future it begins.
	By time.Duration
	// Since is when the key or issuer was revoked (ReasonRevoked).
	Since time.Time
	// Err is the finding below, if any.
	Err error
}

func (e *Error) Error() string {
	s := "pass refused: " + e.Reason.String()
	switch {
	case e.By != 0:
		s += fmt.Sprintf(" by %s", e.By)
	case !e.Since.IsZero():
		s += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, err error) *Error { return &Error{Reason: r, Err: err} }

// ReasonOf returns the reason inside err, or 0 where there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}
