package uplink

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// backoff is exponential with full jitter: a country of kiosks that lost the
// same registry at lunch must not come back in one wave.
type backoff struct {
	base, max time.Duration
	n         int
}

func (b *backoff) next() time.Duration {
	ceiling := b.base << min(b.n, 20)
	if ceiling <= 0 || ceiling > b.max {
		ceiling = b.max
	}
	b.n++
	return time.Duration(rand.Int64N(int64(ceiling))) + 1
}

func (b *backoff) reset() { b.n = 0 }

// patience is the longest Retry-After that is obeyed: whoever sits between may
// write one.
const patience = 15 * time.Minute

// retryAfter reads Retry-After (RFC 9110, section 10.2.3), 0 for none, at most
// patience.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	wait := time.Duration(0)
	if s, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(s, 0), 86400)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = max(at.Sub(now), 0)
	}
	return min(wait, patience)
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
