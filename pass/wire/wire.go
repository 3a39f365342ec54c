// Package wire is what kiosk and registry say to each other: enrolment codes,
// certificates, batches of visits and heartbeats one way, signed receipts,
// enrolments and time the other. WIRE.md beside this file is the
// specification.
//
// A batch holds passes without their attestations and nothing about a person.
// Only a receipt that verifies clears a journal: a captive portal's 200 does
// nothing.
package wire

import (
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// The addresses of the device API, below a registry's address.
	VisitsPath    = "/v1/visits"    // POST Batch → Receipt
	BundlePath    = "/v1/bundle"    // GET → pass.Bundle
	EnrolPath     = "/v1/enrol"     // POST Enrol → Enrolment
	RenewPath     = "/v1/renew"     // POST PKCS#10 → Enrolment
	TimePath      = "/v1/time"      // GET ?nonce=32 hexadecimal digits → signed time
	HeartbeatPath = "/v1/heartbeat" // POST Heartbeat → nothing but BundleHeader
	// BundleHeader of a heartbeat's answer is the number of the bundle in force,
	// so that a revocation reaches a kiosk within a minute. It is nobody's word
	// but a hint to ask.
	BundleHeader = "Munjigi-Bundle"
	// ContentType is the media type of every body but problems and requests for
	// a certificate (RequestType).
	ContentType = "application/cbor"
	// MaxVisits is the largest number of visits in a batch.
	MaxVisits = 200
	// MaxBody is the largest size of a batch, in bytes.
	MaxBody = 64 << 10
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
