package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// HeartbeatEvery is how often a kiosk says that it is there.
const HeartbeatEvery = time.Minute

// Heartbeat tells the registry every minute how the kiosk is. Nothing in it is
// personal. One that is lost is not sent again: the next one says it all. It is
// a Task.
type Heartbeat struct {
	link  *Link
	facts func() wire.Heartbeat
	heard func(uint64)
	log   *slog.Logger
	ready chan struct{}
}

// NewHeartbeat makes a heartbeat of the facts, which are asked for each time.
// heard is told the number of the registry's bundle, as in Trust.Heard.
func NewHeartbeat(link *Link, facts func() wire.Heartbeat, heard func(uint64), log *slog.Logger) *Heartbeat {
	return &Heartbeat{link: link, facts: facts, heard: heard, log: log, ready: make(chan struct{})}
}

func (h *Heartbeat) String() string { return "heartbeat" }

// Ready is closed when the task runs.
func (h *Heartbeat) Ready() <-chan struct{} { return h.ready }

// Run beats until ctx ends.
func (h *Heartbeat) Run(ctx context.Context) error {
	close(h.ready)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.link.Enrolled():
	}
	for {
		if err := h.Beat(ctx); err != nil {
			h.log.Debug("the registry was not told how this kiosk is", "err", err)
		}
		if !sleep(ctx, HeartbeatEvery) {
			return ctx.Err()
		}
	}
}

// Beat tells it once.
func (h *Heartbeat) Beat(ctx context.Context) error {
	body, err := h.facts().Encode()
	if err != nil {
		return fmt.Errorf("make a heartbeat: %w", err)
	}
	a, err := h.link.ask(ctx, request{method: http.MethodPost, path: wire.HeartbeatPath, kind: wire.ContentType, body: body})
	if err != nil {
		return fmt.Errorf("tell the registry how this kiosk is: %w", err)
	}
	h.link.welcome()
	if n, err := strconv.ParseUint(a.header.Get(wire.BundleHeader), 10, 64); err == nil {
		h.heard(n)
	}
	return nil
}
