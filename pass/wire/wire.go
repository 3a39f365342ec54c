// Package wire is what kiosk and registry say to each other: batches of
// visits one way, signed receipts the other. WIRE.md beside this file is the
// specification.
//
// A batch holds passes without their attestations and nothing about a person.
// Only a receipt that verifies clears a journal: a captive portal's 200 does
// nothing.
package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// VisitsPath takes batches by POST, BundlePath serves the bundle by GET,
	// both below a registry's address.
	VisitsPath = "/v1/visits"
	BundlePath = "/v1/bundle"
	// ContentType is the media type of batches, receipts and bundles.
	ContentType = "application/cbor"
	// MaxVisits is the largest number of visits in a batch.
	MaxVisits = 200
	// MaxBody is the largest size of a batch, in bytes.
	MaxBody = 64 << 10

	receiptType = "application/munjigi-receipt+cbor"
)

// Visit is one admitted pass.
type Visit struct {
	Seq   uint64 `cbor:"1,keyasint"` // the kiosk's own count, from 1, never reused
	At    int64  `cbor:"2,keyasint"` // time of the scan, Unix milliseconds
	Pass  []byte `cbor:"3,keyasint"` // pass.Pass.Bytes
	Flags Flags  `cbor:"4,keyasint,omitempty"`
}

// Flags qualify a visit.
type Flags uint8

// FlagClockUnsure marks a visit whose time nobody vouched for.
const FlagClockUnsure Flags = 1

// Time is At as a time.
func (v Visit) Time() time.Time { return time.UnixMilli(v.At).UTC() }

// Batch is what a kiosk posts. Sending it again is harmless: a visit is known
// by issuer, pass id and kiosk.
type Batch struct {
	Kiosk  string  `cbor:"1,keyasint"`
	Visits []Visit `cbor:"2,keyasint"` // 1 to MaxVisits, by Seq
}

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

// Result is the registry's word on one visit.
type Result struct {
	Seq    uint64 `cbor:"1,keyasint"`
	Status Status `cbor:"2,keyasint"`
	Reason string `cbor:"3,keyasint,omitempty"` // where refused: a pass.Reason's name, or one of the registry's own (WIRE.md)
}

// Receipt is the registry's signed answer to a batch.
type Receipt struct {
	Batch    []byte   `cbor:"1,keyasint"` // SHA-256 of the batch's body
	Kiosk    string   `cbor:"2,keyasint"`
	Received int64    `cbor:"3,keyasint"` // Unix milliseconds, the registry's clock
	Results  []Result `cbor:"4,keyasint"` // one for each visit, in the batch's order
}

// ErrReceipt is returned for an answer that is no receipt for the batch sent.
var ErrReceipt = errors.New("the answer is not this registry's receipt for this batch")

// Encode returns the body of a batch. Errors: too many visits, none at all.
func (b Batch) Encode() ([]byte, error) {
	if len(b.Visits) == 0 || len(b.Visits) > MaxVisits {
		return nil, fmt.Errorf("a batch holds 1 to %d visits, got %d", MaxVisits, len(b.Visits))
	}
	return cose.Marshal(b)
}

// DecodeBatch reads the body of a batch and checks its bounds; the passes in
// it are not verified.
func DecodeBatch(body []byte) (Batch, error) {
	var b Batch
	if len(body) > MaxBody {
		return b, fmt.Errorf("a batch has at most %d bytes, got %d", MaxBody, len(body))
	}
	if err := cose.Unmarshal(body, &b); err != nil {
		return b, fmt.Errorf("read the batch: %w", err)
	}
	if len(b.Visits) == 0 || len(b.Visits) > MaxVisits {
		return b, fmt.Errorf("a batch holds 1 to %d visits, got %d", MaxVisits, len(b.Visits))
	}
	for i, v := range b.Visits {
		if len(v.Pass) > pass.MaxSize {
			return b, fmt.Errorf("visit %d holds %d bytes of pass, want at most %d", v.Seq, len(v.Pass), pass.MaxSize)
		}
		if i > 0 && v.Seq <= b.Visits[i-1].Seq {
			return b, fmt.Errorf("visit %d does not follow %d: send them by sequence", v.Seq, b.Visits[i-1].Seq)
		}
	}
	return b, nil
}

// SignReceipt makes the receipt for a batch's body with the registry's receipt
// key. Call it only after every stored visit is durable.
func SignReceipt(key ed25519.PrivateKey, body []byte, kiosk string, received time.Time, results []Result) ([]byte, error) {
	sum := sha256.Sum256(body)
	return cose.SignTyped(key, receiptType, Receipt{Batch: sum[:], Kiosk: kiosk, Received: received.UnixMilli(), Results: results})
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
