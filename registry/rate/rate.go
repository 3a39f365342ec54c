// Package rate bounds how often one party may ask the registry, by who it says
// it is: a kiosk, or what stands behind an address.
package rate

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limit is a token bucket: Burst requests at once, PerSecond after that.
type Limit struct {
	PerSecond float64
	Burst     float64
}

// Limiter keeps a bucket for each name: a kiosk's id, or an address.
type Limiter struct {
	limit Limit

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds what strangers can make a limiter remember.
const maxBuckets = 1 << 16

// New makes a Limiter with l for each name.
func New(l Limit) *Limiter { return &Limiter{limit: l, buckets: map[string]bucket{}} }

// Take takes one token; where there is none it says how long to wait for it.
func (l *Limiter) Take(name string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[name]
	if !ok {
		if len(l.buckets) >= maxBuckets {
			l.sweep(now)
		}
		b = bucket{l.limit.Burst, now}
	}
	if d := now.Sub(b.at); d > 0 {
		b = bucket{min(l.limit.Burst, b.left+d.Seconds()*l.limit.PerSecond), now}
	} else if d < -time.Minute {
		b.at = now // the clock was set back
	}
	if b.left < 1 {
		wait = time.Duration((1 - b.left) / l.limit.PerSecond * float64(time.Second))
	} else {
		b.left--
	}
	l.buckets[name] = b
	return wait
}

// sweep forgets whoever has been quiet long enough to have a full bucket, and
// everybody where that is nobody.
func (l *Limiter) sweep(now time.Time) {
	for name, b := range l.buckets {
		if b.left+now.Sub(b.at).Seconds()*l.limit.PerSecond >= l.limit.Burst {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// Origin is who a request comes from ([net/http.Request.RemoteAddr]), as far as
// it can be held to one party: an IPv4 address, or an IPv6 network of 64 bits.
// Headers that anybody may write are not believed.
func Origin(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
