package registry

import (
	"context"
	"log/slog"
	"time"
)

// Shredder deletes visits older than Retention, at its start and every hour.
// It is a task: Run it until ctx ends.
type Shredder struct {
	store Store
	now   func() time.Time
	log   *slog.Logger
	ready chan struct{}
}

// NewShredder returns the task for a store.
func NewShredder(store Store, now func() time.Time, log *slog.Logger) *Shredder {
	return &Shredder{store: store, now: now, log: log, ready: make(chan struct{})}
}

// Run deletes until ctx ends; then it returns nil. A deletion that fails is
// logged and tried again an hour later.
func (s *Shredder) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for first := true; ; first = false {
		n, err := s.store.DeleteBefore(ctx, s.now().Add(-Retention))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Error("visits past their time are not all deleted, tried again in an hour", "deleted", n, "error", err)
		case n > 0:
			s.log.Info("visits past their time are deleted", "deleted", n)
		}
		if first {
			close(s.ready)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Ready is closed behind the first deletion.
func (s *Shredder) Ready() <-chan struct{} { return s.ready }

func (s *Shredder) String() string { return "retention" }
