package issuer

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// limiter lets each key do burst things at once and one every refill then. It
// is bounded: when it is full, whoever has nothing to lose is forgotten.
type limiter struct {
	burst  float64
	refill time.Duration

	mu  sync.Mutex
	all map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

const maxBuckets = 50_000

// allow takes one from key's, or says how long to wait.
func (l *limiter) allow(key string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]bucket{}
	}
	b, known := l.all[key]
	if !known {
		if len(l.all) >= maxBuckets {
			l.forget(now)
		}
		b = bucket{tokens: l.burst, at: now}
	}
	// A clock set back grants nothing and takes nothing.
	b.tokens = min(l.burst, b.tokens+max(0, now.Sub(b.at).Seconds())/l.refill.Seconds())
	b.at = now
	if ok = b.tokens >= 1; ok {
		b.tokens--
	} else {
		wait = time.Duration((1 - b.tokens) * float64(l.refill))
	}
	l.all[key] = b
	return wait, ok
}

// forget drops those who are full again and, if that is nobody, everybody: a
// flood of addresses must not fill the memory.
func (l *limiter) forget(now time.Time) {
	for key, b := range l.all {
		if now.Sub(b.at).Seconds()/l.refill.Seconds()+b.tokens >= l.burst {
			delete(l.all, key)
		}
	}
	if len(l.all) >= maxBuckets {
		clear(l.all)
	}
}

// address is where a request comes from: an IPv4 address, or the /64 of an
// IPv6 one, which is one subscriber's.
func (s *Server) address(r *http.Request) string {
	host := r.RemoteAddr
	if s.Forwarded {
		// The proxy's own entry is the last one; what stands before, anybody can write.
		all := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		host = strings.TrimSpace(all[len(all)-1])
	} else if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
