package registry

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Rate is a token bucket: Burst requests at once, PerSecond after that.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// limiter keeps a bucket for each name: a kiosk's id, or an address.
type limiter struct {
	rate Rate

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds what strangers can make a limiter remember.
const maxBuckets = 1 << 16

func newLimiter(r Rate) *limiter { return &limiter{rate: r, buckets: map[string]bucket{}} }

// take takes one token; where there is none it says how long to wait for it.
func (l *limiter) take(name string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[name]
	if !ok {
		if len(l.buckets) >= maxBuckets {
			l.sweep(now)
		}
		b = bucket{l.rate.Burst, now}
	}
	if d := now.Sub(b.at); d > 0 {
		b = bucket{min(l.rate.Burst, b.left+d.Seconds()*l.rate.PerSecond), now}
	} else if d < -time.Minute {
		b.at = now // the clock was set back
	}
	if b.left < 1 {
		wait = time.Duration((1 - b.left) / l.rate.PerSecond * float64(time.Second))
	} else {
		b.left--
	}
	l.buckets[name] = b
	return wait
}

// sweep forgets whoever has been quiet long enough to have a full bucket, and
// everybody where that is nobody.
func (l *limiter) sweep(now time.Time) {
	for name, b := range l.buckets {
		if b.left+now.Sub(b.at).Seconds()*l.rate.PerSecond >= l.rate.Burst {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// origin names who a request without a certificate comes from. An IPv6 network
// of 64 bits is one customer's.
func origin(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}

// pauseFor is the pause a receipt asks for when so many of the registry's
// slots are in use: none up to a quarter, then more and more, 10 s when full.
// Queues then wait where they are safe, on the kiosks' disks.
func pauseFor(inUse, slots int) time.Duration {
	const most = 10 * time.Second
	quarter := slots / 4
	if inUse <= quarter || slots <= quarter {
		return 0
	}
	return most * time.Duration(min(inUse, slots)-quarter) / time.Duration(slots-quarter)
}
