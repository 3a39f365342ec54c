package identity

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"hash"
	"time"
)

// totp is the time-based one-time password of RFC 6238, section 4.2, on the
// truncation of RFC 4226, section 5.3.
func totp(h func() hash.Hash, secret []byte, step int64, digits int) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(h, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	code := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	mod := uint64(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, code%mod)
}

// stepAt is the number of the time step that t lies in, for steps of length step.
func stepAt(t time.Time, step time.Duration) int64 { return t.Unix() / int64(step/time.Second) }
