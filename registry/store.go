// Package registry is the central registry: it admits kiosks, takes the visits
// they upload, verifies every pass's signature again, keeps what an
// investigation may need for 28 days and nothing else, and serves the trust
// bundle.
//
// It sees random pass ids only; who a pass belonged to is known to its issuer
// alone (DESIGN, law 6). openapi.yaml and pass/wire/WIRE.md are the
// specification of what it answers.
package registry

import (
	"context"

	"github.com/munjigi/munjigi/registry/store"
)

// Visit is one stored visit.
type Visit = store.Visit

// Store keeps visits; *store.DB is one.
type Store interface {
	// Put stores all visits and says of each whether it is new (true) or was
	// there already under its issuer, pass id and kiosk. When it returns no
	// error, every visit is durable; with one, all are to be sent again. A
	// visit that store.Keeps does not keep is an error.
	Put(ctx context.Context, visits []Visit) (fresh []bool, err error)
	// Ping says whether the store can be read.
	Ping(ctx context.Context) error
}
