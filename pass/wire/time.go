package wire

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// NonceSize is the length of a nonce, in bytes; it travels as hexadecimal.
	NonceSize = 16

	timeType = "application/munjigi-time+cbor"
)

type signedTime struct {
	Nonce []byte `cbor:"1,keyasint"`
	Now   int64  `cbor:"2,keyasint"` // Unix milliseconds
}

// ErrTime is returned for an answer that is not the time that was asked for.
var ErrTime = errors.New("the answer is not this registry's time for this nonce")

// SignTime makes the answer to a question for the time.
func SignTime(key ed25519.PrivateKey, nonce [NonceSize]byte, now time.Time) ([]byte, error) {
	return cose.SignTyped(key, timeType, signedTime{Nonce: nonce[:], Now: now.UnixMilli()})
}

// OpenTime verifies an answer. The asker drew nonce at random for this one
// question, so that no earlier answer fits; half the round trip is to be added.
// Every error wraps ErrTime.
func OpenTime(answer []byte, keys []ed25519.PublicKey, nonce [NonceSize]byte) (time.Time, error) {
	var t signedTime
	if err := cose.OpenTyped(answer, timeType, keys, &t); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrTime, err)
	}
	if subtle.ConstantTimeCompare(t.Nonce, nonce[:]) != 1 {
		return time.Time{}, fmt.Errorf("%w: it answers another one", ErrTime)
	}
	if t.Now <= 0 || t.Now > maxTime*1000 {
		return time.Time{}, fmt.Errorf("%w: there is no such time", ErrTime)
	}
	return time.UnixMilli(t.Now).UTC(), nil
}
