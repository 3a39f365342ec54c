// Package registry is the central registry: it takes the visits kiosks upload,
// verifies every pass's signature again, keeps what an investigation may need
// for 28 days and nothing else, serves the trust bundle and counts visits.
//
// It sees random pass ids only; who a pass belonged to is known to its issuer
// alone (DESIGN, law 6).
package registry

import (
	"context"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

// Retention is how long a visit is kept, by the time of its scan (DESIGN, law 12).
const Retention = 28 * 24 * time.Hour

// Seoul is the time zone that days and hours are counted in. Korea has kept no
// summer time since 1988, so that no zone database is needed.
var Seoul = time.FixedZone("KST", 9*60*60)

// Visit is one stored row. There is nothing else: no attestation, no person.
type Visit struct {
	Kiosk    string
	Facility string
	Issuer   string
	ID       pass.ID // keep it out of logs
	Issued   time.Time
	Scanned  time.Time // the kiosk's clock, to the millisecond
	Received time.Time // the registry's clock
	Seq      uint64    // the kiosk's own count
	Flags    wire.Flags
	Relayed  bool // the same pass was taken by another kiosk too
}

// Hours are counts for each hour of a day, Seoul time.
type Hours [24]int

// Total is the day's sum.
func (h Hours) Total() (n int) {
	for _, c := range h {
		n += c
	}
	return n
}

// Store keeps visits.
type Store interface {
	// Put writes all visits in one transaction and says of each whether it is
	// new (true) or was there already under its issuer, pass id and kiosk. When
	// it returns no error, every visit is durable; with an error none is new.
	Put(ctx context.Context, visits []Visit) (fresh []bool, err error)
	// Hours counts the visits of the day that begins at midnight (Seoul), of
	// one facility or, where that is empty, of all.
	Hours(ctx context.Context, facility string, midnight time.Time) (Hours, error)
	// Visits lists a kiosk's visits by sequence.
	Visits(ctx context.Context, kiosk string) ([]Visit, error)
	// DeleteBefore destroys the visits scanned before t, with every copy in the
	// store's own files, and counts them.
	DeleteBefore(ctx context.Context, t time.Time) (int64, error)
	// Ping says whether the store can be read.
	Ping(ctx context.Context) error
}
