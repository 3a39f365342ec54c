package main

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"

	"github.com/munjigi/munjigi/pass/trace/rosterfile"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
)

// inquiries is the registry's part of investigations, nil where registry.toml
// names no authority: then there are none.
func (f *file) inquiries(db *store.DB, audit *store.Audit, receipt ed25519.PrivateKey, now func() time.Time, log *slog.Logger) (*inquiry.Server, error) {
	if len(f.Authority) == 0 {
		return nil, nil
	}
	rosters, err := rosterfile.Open(f.Roster, ed25519.PublicKey(f.Authority), log)
	if err != nil {
		return nil, err
	}
	s, err := inquiry.New(inquiry.Config{DB: db, Audit: audit, Rosters: rosters, Key: receipt, Now: now, Log: log})
	if err != nil {
		return nil, fmt.Errorf("investigations: %w", err)
	}
	return s, nil
}
