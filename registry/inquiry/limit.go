package inquiry

import (
	"net"
	"sync"
	"time"
)

// maxAddresses bounds the limiter's memory; beyond it all share one bucket.
const maxAddresses = 4096

// limiter lets each address make so many requests in a period, refilled evenly.
type limiter struct {
	most   float64
	period time.Duration

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(most int, period time.Duration) *limiter {
	return &limiter{most: float64(most), period: period, buckets: map[string]*bucket{}}
}

// take spends one request of address, or says how long to wait for the next.
func (l *limiter) take(address string, now time.Time) (wait time.Duration) {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[address]
	if b == nil {
		if len(l.buckets) >= maxAddresses {
			l.forget(now)
		}
		if len(l.buckets) >= maxAddresses {
			address = "" // the bucket of all the rest
			b = l.buckets[address]
		}
	}
	if b == nil {
		b = &bucket{left: l.most, at: now}
		l.buckets[address] = b
	}
	// A clock that is set back gives nothing and takes nothing.
	b.left = min(l.most, b.left+l.most*float64(max(0, now.Sub(b.at)))/float64(l.period))
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / l.most * float64(l.period))
	}
	b.left--
	return 0
}

// forget drops the buckets that are full again.
func (l *limiter) forget(now time.Time) {
	for address, b := range l.buckets {
		if now.Sub(b.at) >= l.period {
			delete(l.buckets, address)
		}
	}
}
