// Package uplink is the kiosk's way to the registry: the sender that empties
// the journal, the trust bundle that is kept fresh, and the clock that is
// checked. The registry may be away for weeks; no visitor notices.
package uplink

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// Queue is the journal as the sender needs it.
type Queue interface {
	// Pending returns up to limit visits above the sequence number after, oldest first.
	Pending(after uint64, limit int) ([]wire.Visit, error)
	// Settle carries out a verified receipt.
	Settle([]wire.Result) error
	// Added receives a value after visits were added.
	Added() <-chan struct{}
}

// SenderConfig says how visits go to the registry.
type SenderConfig struct {
	Link *Link
	// Gather is how long the first visit of a batch waits for company, 0 for 2 s.
	Gather time.Duration
	// Batch is the largest number of visits sent at once, 0 for wire.MaxVisits.
	Batch int
	// Keys are the registry's receipt keys, from the trust bundle.
	Keys func() []ed25519.PublicKey
}

// Sender uploads the journal. Sending twice is harmless, so everything that is
// not a signed receipt for just this batch means: send again later. It is a Task.
type Sender struct {
	cfg   SenderConfig
	queue Queue
	log   *slog.Logger
	now   func() time.Time
	ready chan struct{}

	mu    sync.Mutex
	state SenderState
}

// SenderState is the upload's state in plain facts.
type SenderState struct {
	Sent    uint64    // visits the registry has acknowledged since the start
	Refused uint64    // visits set aside since the start
	Unkept  uint64    // visits destroyed since the start because nobody may keep them
	Last    time.Time // when the last receipt was verified, zero for none yet
	Err     error     // why the last try failed, nil if it did not
}

// NewSender makes a sender; Run starts it.
func NewSender(cfg SenderConfig, queue Queue, now func() time.Time, log *slog.Logger) *Sender {
	if cfg.Gather == 0 {
		cfg.Gather = 2 * time.Second
	}
	if cfg.Batch <= 0 || cfg.Batch > wire.MaxVisits {
		cfg.Batch = wire.MaxVisits
	}
	return &Sender{cfg: cfg, queue: queue, log: log, now: now, ready: make(chan struct{})}
}

func (s *Sender) String() string { return "sender" }

// Ready is closed when the task runs.
func (s *Sender) Ready() <-chan struct{} { return s.ready }

// State is the upload's state.
func (s *Sender) State() SenderState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Run sends what is in the journal and what is added to it, until ctx ends. On
// a fresh device it waits until that is enrolled.
func (s *Sender) Run(ctx context.Context) error {
	close(s.ready)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.cfg.Link.Enrolled():
	}
	retry := backoff{base: time.Second, max: 5 * time.Minute}
	for {
		more, err := s.Drain(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			wait := retry.next()
			var refused *Refusal
			if errors.As(err, &refused) {
				wait += refused.After
			}
			s.log.Warn("visits could not be uploaded, they stay in the journal", "err", err, "again_in", wait)
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
			continue
		}
		retry.reset()
		if more { // a record no batch would carry was passed over: come back to it
			if !sleep(ctx, time.Minute) {
				return ctx.Err()
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.queue.Added():
		}
		if !sleep(ctx, s.cfg.Gather) {
			return ctx.Err()
		}
	}
}

// Drain sends batches until the journal is empty or a try fails. A batch that
// the registry will not read is halved until the one record it stumbles over
// stands alone; that one is passed over, kept, and left is true. Between two
// batches it makes the pause that the registry's receipt asks for.
func (s *Sender) Drain(ctx context.Context) (left bool, err error) {
	after, size := uint64(0), s.cfg.Batch
	passedOver := 0 // since the last receipt
	for {
		visits, err := s.queue.Pending(after, size)
		if err != nil || len(visits) == 0 {
			s.note(nil, err)
			return left, err
		}
		receipt, err := s.send(ctx, visits)
		var refused *Refusal
		if errors.As(err, &refused) && refused.unreadable() {
			if size = len(visits) / 2; size == 0 {
				if passedOver++; passedOver > 2 {
					// Not one record: whoever answers objects to everything.
					s.note(nil, err)
					return left, err
				}
				s.log.Warn("the registry cannot read one record, it stays in the journal", "seq", visits[0].Seq, "status", refused.Status)
				after, size, left = visits[0].Seq, s.cfg.Batch, true
			}
			continue
		}
		if err == nil {
			err = s.queue.Settle(receipt.Results)
		}
		s.note(receipt.Results, err)
		if err != nil {
			return left, err
		}
		size, passedOver = min(size*2, s.cfg.Batch), 0
		if wait := receipt.Wait(); wait > 0 && !sleep(ctx, wait) {
			return left, ctx.Err()
		}
	}
}

func (s *Sender) note(results []wire.Result, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Err = err
	if len(results) > 0 && err == nil {
		s.state.Last = s.now()
	}
	if len(results) == 0 || err != nil {
		return
	}
	for _, r := range results {
		switch {
		case r.Destroy():
			s.state.Unkept++
			s.log.Warn("a visit that nobody may keep was destroyed", "seq", r.Seq, "reason", r.Reason)
		case r.Status == wire.StatusRefused:
			s.state.Refused++
			s.log.Warn("the registry refused a visit, it is set aside", "seq", r.Seq, "reason", r.Reason)
		default:
			s.state.Sent++
		}
	}
	s.log.Info("visits were uploaded", "first_seq", results[0].Seq, "last_seq", results[len(results)-1].Seq, "count", len(results))
}

// send posts one batch and returns its verified receipt.
func (s *Sender) send(ctx context.Context, visits []wire.Visit) (wire.Receipt, error) {
	id := s.cfg.Link.Identity()
	if id == nil {
		return wire.Receipt{}, errFresh
	}
	batch := wire.Batch{Kiosk: id.Kiosk, Visits: visits}
	body, err := batch.Encode()
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("make a batch: %w", err)
	}
	r := request{method: http.MethodPost, path: wire.VisitsPath, kind: wire.ContentType, body: body}
	// Signatures do not shrink; what does is their frame. One visit only grows.
	if packed := pack(body); len(packed) < len(body) {
		r.body, r.packed = packed, true
	}
	a, err := s.cfg.Link.ask(ctx, r)
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("upload visits: %w", err)
	}
	receipt, err := wire.OpenReceipt(a.body, s.cfg.Keys(), body, batch)
	if err != nil {
		return wire.Receipt{}, err
	}
	s.cfg.Link.welcome()
	return receipt, nil
}

func pack(body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(body); err != nil || z.Close() != nil { // memory takes every write
		return body
	}
	return out.Bytes()
}
