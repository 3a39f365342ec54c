package issuer

import (
	"context"
	"time"
)

// Retention is the task that ends what has had its time, at its start and every
// hour. Run it until ctx ends.
type Retention struct {
	server *Server
	ready  chan struct{}
}

// NewRetention returns the task for a server's store.
func NewRetention(s *Server) *Retention { return &Retention{s, make(chan struct{})} }

// Run ends what has had its time until ctx ends; then it returns nil. What
// fails is logged and tried again an hour later.
func (t *Retention) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for first := true; ; first = false {
		r, err := t.server.Retain(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			t.server.Log.Error("not everything that has had its time is deleted, tried again in an hour", "error", err)
		case r.Passes+r.Keys+r.People+r.Lapsed > 0:
			t.server.Log.Info("what has had its time is deleted", "passes", r.Passes, "days", r.Keys, "people", r.People, "lapsed", r.Lapsed)
		}
		if first {
			close(t.ready)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Ready is closed behind the first run.
func (t *Retention) Ready() <-chan struct{} { return t.ready }

func (t *Retention) String() string { return "issuer's retention" }
