package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// Witness is the clock as the timekeeper needs it.
type Witness interface {
	// Signed takes the registry's word: at the moment that the system's clock
	// showed at, the time was t.
	Signed(t, at time.Time) error
	// Synchronised says whether NTP has set the clock, which outranks that word.
	Synchronised() bool
}

const (
	// timeEvery is how often the registry is asked while all is well: its word is
	// good for clock.Trusted, and compared with what NTP says.
	timeEvery = 6 * time.Hour
	// maxTrip is the longest way to the registry and back that an answer may
	// take: half of it is how far off the answer may be.
	maxTrip = 4 * time.Second
)

// Timekeeper asks the registry for signed time, with a nonce and its pinned
// key, over connections that look at no certificate's dates: it works on a
// device that believes it is 1970. It is a Task.
type Timekeeper struct {
	link   *Link
	clock  Witness
	system func() time.Time
	keys   func() []ed25519.PublicKey
	log    *slog.Logger
	ready  chan struct{}
}

// NewTimekeeper makes a timekeeper; system is the system's clock as it is, with
// its monotonic part.
func NewTimekeeper(link *Link, clock Witness, keys func() []ed25519.PublicKey, system func() time.Time, log *slog.Logger) *Timekeeper {
	return &Timekeeper{link: link, clock: clock, system: system, keys: keys, log: log, ready: make(chan struct{})}
}

func (k *Timekeeper) String() string { return "timekeeper" }

// Ready is closed when the task runs.
func (k *Timekeeper) Ready() <-chan struct{} { return k.ready }

// Run asks until ctx ends: seldom while NTP is at work, soon and with
// back-off while it is not: a battery clock may have been set wrong.
func (k *Timekeeper) Run(ctx context.Context) error {
	close(k.ready)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-k.link.Enrolled():
	}
	retry := backoff{base: 2 * time.Second, max: 5 * time.Minute}
	for {
		wait := timeEvery
		if err := k.Ask(ctx); err != nil {
			wait = retry.next()
			if k.clock.Synchronised() {
				wait = max(wait, time.Hour)
			} else {
				k.log.Warn("the registry did not tell the time, and NTP has not set the clock", "err", err, "again_in", wait)
			}
		} else {
			retry.reset()
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// Ask asks once.
func (k *Timekeeper) Ask(ctx context.Context) error {
	var nonce [wire.NonceSize]byte
	rand.Read(nonce[:]) // never fails
	asked := k.system()
	a, err := k.link.ask(ctx, request{method: http.MethodGet, path: wire.TimePath + "?nonce=" + hex.EncodeToString(nonce[:]), timeless: true})
	if err != nil {
		return fmt.Errorf("ask the registry for the time: %w", err)
	}
	trip := k.system().Sub(asked) // by the monotonic clock
	if trip < 0 || trip > maxTrip {
		return fmt.Errorf("the registry's time was %s under way, want at most %s", trip.Round(time.Millisecond), maxTrip)
	}
	t, err := wire.OpenTime(a.body, k.keys(), nonce)
	if err != nil {
		return err
	}
	return k.clock.Signed(t, asked.Add(trip/2))
}
