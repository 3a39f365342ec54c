// Package trace is the language of an investigation: the messages by which an
// officer asks who was at a place, a second officer approves, the registry
// groups pass ids by issuer, and each issuer answers, so that only the officer
// who asked can join people with a place (DESIGN, law 6). TRACE.md beside this
// file is the specification.
//
// Trust is a type. An Order comes from OpenOrder only, which has checked the
// officer's signature; a Warrant from OpenWarrant only, which has checked two
// officers'. Pass ids are sealed into a group under a Warrant, and a Group that
// OpenGroup returned carries one.
//
// No decision in this package reads a clock: now is an argument.
package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/munjigi/munjigi/pass"
)

const (
	// Retention is how long a visit and who was behind it are known at all.
	Retention = 28 * 24 * time.Hour
	// MaxWindow is the longest time one inquiry may ask about.
	MaxWindow = 24 * time.Hour
	// ApproveWithin is how long an order waits for the second officer.
	ApproveWithin = 24 * time.Hour
	// AnswerWithin is how long after the approval issuers may answer.
	AnswerWithin = 7 * 24 * time.Hour
	// Skew is the tolerance between the clocks of officers, registry and issuers.
	Skew = 2 * time.Minute
	// Slack is how far outside the window a pass may have been made: its
	// lifetime and the clocks of phone and door.
	Slack = time.Minute
	// MaxPasses is the largest number of pass ids in a group; more make more groups.
	MaxPasses = 2048
	// MaxGroups is the largest number of groups an inquiry may have.
	MaxGroups = 1024
	// MaxMessage is the largest size of any message, in bytes: an answer with
	// MaxPasses people.
	MaxMessage = 2 << 20
	// MaxRequest is the largest size of a request, an approval or a call, in bytes.
	MaxRequest = 8 << 10
)

// The types of the messages (COSE header 16, RFC 9596). A signature made for
// one of them is worth nothing for another.
const (
	typeCard     = "application/munjigi-trace-card+cbor"
	typeRoster   = "application/munjigi-trace-roster+cbor"
	typeOrder    = "application/munjigi-trace-order+cbor"
	typeApproval = "application/munjigi-trace-approval+cbor"
	typeCall     = "application/munjigi-trace-call+cbor"
	typeRequest  = "application/munjigi-trace-request+cbor"
	typeListing  = "application/munjigi-trace-listing+cbor"
	typeReport   = "application/munjigi-trace-report+cbor"
	typeSheet    = "application/munjigi-trace-sheet+cbor"
	typeGroup    = "application/munjigi-trace-group+cbor"
	typeAnswer   = "application/munjigi-trace-answer+cbor"
)

// ContentType is the media type of every message over HTTP.
const ContentType = "application/cbor"

// Errors say which rule a message breaks; those of package cose, for bytes of
// the wrong shape and for signatures, are passed on.
var (
	ErrAuthority  = errors.New("the roster is not one of this authority, in force now")
	ErrParty      = errors.New("the signer is not on the roster, or not in force")
	ErrTwoPersons = errors.New("an order is approved by another officer than the one who asks")
	ErrExpired    = errors.New("the time for this has passed: ask anew")
	ErrFuture     = errors.New("the message is from the future: check the clocks")
	ErrStale      = errors.New("the call is more than two minutes old: check this machine's clock")
	ErrWindow     = errors.New("the window must be over, begin before it ends and be at most 24 hours long")
	ErrPlace      = errors.New("place and reason are not those the officer signed for")
	ErrRecipient  = errors.New("the letter is for somebody else")
	ErrSubject    = errors.New("the letter belongs to another matter")
	ErrSealed     = errors.New("the letter cannot be opened with this key")
	ErrContent    = errors.New("the message holds what it may not hold")
)

// Digest is the SHA-256 of a whole message as it was received. It names orders
// and groups.
type Digest [sha256.Size]byte

// DigestOf names a message.
func DigestOf(raw []byte) Digest { return sha256.Sum256(raw) }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads the 64 hexadecimal digits of a Digest.
func ParseDigest(text string) (d Digest, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(d) {
		return d, errors.New("a digest has 64 hexadecimal digits")
	}
	return Digest(raw), nil
}

// Gone is the time before which nothing is known any more at the time now.
func Gone(now time.Time) time.Time { return now.Add(-Retention) }

const idSize = len(pass.ID{})
