package pass

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

const (
	// MaxDoses is the largest number of doses an attestation can hold.
	MaxDoses = 4
	// SettledDays is how many days after the last dose a complete vaccination
	// counts (「접종 완료 후 14일」), by Korea's calendar.
	SettledDays = 14
	// maxAttestation is the size of an attestation with MaxDoses doses, in bytes.
	maxAttestation = 89
)

// Dose is one vaccination.
type Dose struct {
	Number int       // 1 to 23
	Date   time.Time // day of the vaccination in Korea, written as midnight UTC
}

// Health is what the attestation beside a pass says. It reaches the verifier
// and the staff's field and nothing else.
type Health struct {
	Complete bool
	Doses    []Dose // by number, at most MaxDoses
}

// korea has had no summer time since 1988, so that no zone database is needed.
var korea = time.FixedZone("KST", 9*60*60)

// Settled says whether the vaccination is complete and its last dose at least
// SettledDays days old on the day that it is in Korea at now.
func (h *Health) Settled(now time.Time) bool {
	if !h.Complete || len(h.Doses) == 0 {
		return false
	}
	last := h.Doses[0].Date
	for _, d := range h.Doses {
		if d.Date.After(last) {
			last = d.Date
		}
	}
	y, m, d := now.In(korea).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return !today.Before(last.AddDate(0, 0, SettledDays))
}

// String and LogValue say nothing, so that no careless log line can.
func (h *Health) String() string       { return "health" }
func (h *Health) GoString() string     { return "health" }
func (h *Health) LogValue() slog.Value { return slog.StringValue("health") }

// attestationPayload is [complete, {dose number: days since 1970-01-01}].
type attestationPayload struct {
	_        struct{} `cbor:",toarray"`
	Complete bool
	Doses    map[uint8]uint16
}

const day = 24 * 60 * 60

// attest signs the attestation with the pass as external_aad (RFC 9052,
// section 4.4): it belongs to this pass and cannot be moved to another.
func (h *Health) attest(key ed25519.PrivateKey, pass []byte) ([]byte, error) {
	p := attestationPayload{Complete: h.Complete, Doses: make(map[uint8]uint16, len(h.Doses))}
	if len(h.Doses) > MaxDoses {
		return nil, fmt.Errorf("an attestation holds at most %d doses, got %d: leave out the oldest", MaxDoses, len(h.Doses))
	}
	for _, d := range h.Doses {
		days := d.Date.Unix() / day
		if d.Number < 1 || d.Number > 23 {
			return nil, fmt.Errorf("dose number %d must be 1 to 23", d.Number)
		}
		if days < 0 || days > 0xFFFF {
			return nil, errors.New("the date of a dose must lie between 1970 and 2149")
		}
		if _, twice := p.Doses[uint8(d.Number)]; twice {
			return nil, fmt.Errorf("dose number %d stands twice", d.Number)
		}
		p.Doses[uint8(d.Number)] = uint16(days)
	}
	payload, err := cose.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the attestation: %w", err)
	}
	return cose.Sign(key, cose.Header{}, pass, payload)
}

// openAttestation verifies the attestation, if there is one, with the key that
// signed the pass. One that does not belong to the pass makes the whole text
// a forgery.
func (u *Unverified) openAttestation(key *Key) (*Health, error) {
	if u.attestation == nil {
		return nil, nil
	}
	if !u.attestation.Verify(ed25519.PublicKey(key.Public), u.pass.Raw) {
		return nil, refuse(ReasonSignature, nil)
	}
	var p attestationPayload
	if err := cose.Unmarshal(u.attestation.Payload, &p); err != nil {
		// What the decoder found could quote the payload: drop it.
		return nil, refuse(ReasonFormat, nil)
	}
	if len(p.Doses) > MaxDoses || p.Doses == nil {
		return nil, refuse(ReasonFormat, nil)
	}
	h := &Health{Complete: p.Complete}
	for n := uint8(1); n <= 23 && len(h.Doses) < len(p.Doses); n++ {
		if days, ok := p.Doses[n]; ok {
			h.Doses = append(h.Doses, Dose{Number: int(n), Date: time.Unix(int64(days)*day, 0).UTC()})
		}
	}
	if len(h.Doses) != len(p.Doses) {
		return nil, refuse(ReasonFormat, nil)
	}
	return h, nil
}
