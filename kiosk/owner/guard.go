package owner

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	freeTries      = 5  // wrong passwords from one address before each further try waits
	freeTotal      = 50 // and from all together, since a phone changes its address at will
	firstWait      = 30 * time.Second
	longestWait    = 15 * time.Minute
	triesKept      = 24 * time.Hour // after the last
	mostAddresses  = 512
	prefixV6       = 64 // bits: what one phone has for itself
	totalForgotten = time.Hour
)

// guard makes whoever guesses wait. It forgets at a restart, for which somebody
// must stand at the kiosk.
type guard struct {
	now func() time.Time

	mu    sync.Mutex
	by    map[netip.Prefix]*tries
	total tries
}

type tries struct {
	count int
	delay time.Duration
	until time.Time
	last  time.Time
}

// next counts a try and sets the wait behind it.
func (t *tries) next(now time.Time, free int, forget time.Duration) {
	if now.Sub(t.last) >= forget {
		*t = tries{}
	}
	t.count++
	t.last = now
	if t.count < free {
		return
	}
	if t.delay = min(2*t.delay, longestWait); t.delay == 0 {
		t.delay = firstWait
	}
	t.until = now.Add(t.delay)
}

// try counts a try before it is looked at, so that many at once are counted
// too, and says how long to wait where it comes too early.
func (g *guard) try(from netip.Prefix) (wait time.Duration) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.by[from]
	if t != nil && now.Before(t.until) {
		return t.until.Sub(now)
	}
	if now.Before(g.total.until) {
		return g.total.until.Sub(now)
	}
	if t == nil {
		g.makeRoom()
		t = new(tries)
		g.by[from] = t
	}
	t.next(now, freeTries, triesKept)
	g.total.next(now, freeTotal, totalForgotten)
	return 0
}

// succeeded takes back what try has counted; what others tried stays.
func (g *guard) succeeded(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, from)
	g.total.count--
	g.total.until = time.Time{}
	g.total.delay /= 2
}

// makeRoom forgets who has been quiet the longest.
func (g *guard) makeRoom() {
	if g.by == nil {
		g.by = map[netip.Prefix]*tries{}
	}
	if len(g.by) < mostAddresses {
		return
	}
	var oldest netip.Prefix
	for p, t := range g.by {
		if o, ok := g.by[oldest]; !ok || t.last.Before(o.last) {
			oldest = p
		}
	}
	delete(g.by, oldest)
}

// origin is whom tries are counted for.
func origin(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = prefixV6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
