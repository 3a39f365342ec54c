package devices

import (
	"context"
	"log/slog"
	"time"
)

// Tidier calls [Book.Tidy] at its start and every ten minutes. It is a task:
// Run it until ctx ends.
type Tidier struct {
	book  *Book
	now   func() time.Time
	log   *slog.Logger
	ready chan struct{}
}

// NewTidier returns the task for a book.
func NewTidier(b *Book, now func() time.Time, log *slog.Logger) *Tidier {
	return &Tidier{book: b, now: now, log: log, ready: make(chan struct{})}
}

// Run tidies until ctx ends; then it returns nil. What fails is logged and done
// the next time.
func (t *Tidier) Run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := t.book.Tidy(ctx, t.now()); err != nil && ctx.Err() == nil {
			t.log.Error("expired enrolment codes are not erased", "error", err)
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

// Ready is closed behind the first round.
func (t *Tidier) Ready() <-chan struct{} { return t.ready }

func (t *Tidier) String() string { return "enrolment codes" }
