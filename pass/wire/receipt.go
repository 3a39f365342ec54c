package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// MaxPause is the longest pause a receipt may ask for.
	MaxPause = 10 * time.Minute

	receiptType = "application/munjigi-receipt+cbor"
)

// Status is what became of a visit at the registry.
type Status uint8

const (
	StatusStored    Status = 1 // written durably by this batch
	StatusDuplicate Status = 2 // was there already
	StatusRefused   Status = 3 // will never be taken: the kiosk sets it aside
)

func (s Status) String() string {
	switch s {
	case StatusStored:
		return "stored"
	case StatusDuplicate:
		return "duplicate"
	case StatusRefused:
		return "refused"
	}
	return fmt.Sprintf("status-%d", uint8(s))
}

// Reasons of refusal for visits that nobody may keep: a kiosk destroys and
// counts such a record instead of setting it aside.
const (
	ReasonPolicyOff  = "policy-off"         // scanned after "off" took effect
	ReasonVerifyOnly = "policy-verify-only" // scanned while the policy keeps nothing
	ReasonRetention  = "retention"          // past 28 days when it arrived
)

// Result is the registry's word on one visit.
type Result struct {
	Seq    uint64 `cbor:"1,keyasint"`
	Status Status `cbor:"2,keyasint"`
	Reason string `cbor:"3,keyasint,omitempty"` // where refused: a pass.Reason's name, or one of those above
}

// Destroy says that the record must not be kept at the kiosk either.
func (r Result) Destroy() bool {
	return r.Status == StatusRefused && (r.Reason == ReasonPolicyOff || r.Reason == ReasonVerifyOnly || r.Reason == ReasonRetention)
}

// Receipt is the registry's signed answer to a batch.
type Receipt struct {
	Batch    []byte   `cbor:"1,keyasint"` // SHA-256 of the batch's body
	Kiosk    string   `cbor:"2,keyasint"`
	Received int64    `cbor:"3,keyasint"`           // Unix milliseconds, the registry's clock
	Results  []Result `cbor:"4,keyasint"`           // one for each visit, in the batch's order
	Pause    uint32   `cbor:"5,keyasint,omitempty"` // milliseconds to wait before the next batch
}

// Wait is Pause as a duration, at most MaxPause.
func (r Receipt) Wait() time.Duration {
	return min(time.Duration(r.Pause)*time.Millisecond, MaxPause)
}

// ErrReceipt is returned for an answer that is no receipt for the batch sent.
var ErrReceipt = errors.New("the answer is not this registry's receipt for this batch")

// SignReceipt makes the receipt for a batch's body with the registry's receipt
// key; pause, to the millisecond and at most MaxPause, is the rate it
// announces. Call it only after every stored visit is durable.
func SignReceipt(key ed25519.PrivateKey, body []byte, kiosk string, received time.Time, pause time.Duration, results []Result) ([]byte, error) {
	sum := sha256.Sum256(body)
	wait := uint32(min(max(pause, 0), MaxPause) / time.Millisecond)
	return cose.SignTyped(key, receiptType, Receipt{Batch: sum[:], Kiosk: kiosk, Received: received.UnixMilli(), Results: results, Pause: wait})
}

// OpenReceipt verifies an answer against the batch that was sent. Every error
// wraps ErrReceipt: the journal stays as it is.
func OpenReceipt(answer []byte, keys []ed25519.PublicKey, body []byte, sent Batch) (Receipt, error) {
	var r Receipt
	if err := cose.OpenTyped(answer, receiptType, keys, &r); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	sum := sha256.Sum256(body)
	if string(r.Batch) != string(sum[:]) || r.Kiosk != sent.Kiosk {
		return Receipt{}, fmt.Errorf("%w: it is for another batch", ErrReceipt)
	}
	if len(r.Results) != len(sent.Visits) {
		return Receipt{}, fmt.Errorf("%w: it has %d results for %d visits", ErrReceipt, len(r.Results), len(sent.Visits))
	}
	for i, res := range r.Results {
		if res.Seq != sent.Visits[i].Seq || res.Status < StatusStored || res.Status > StatusRefused {
			return Receipt{}, fmt.Errorf("%w: result %d does not fit", ErrReceipt, i)
		}
	}
	return r, nil
}
