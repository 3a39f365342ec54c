package owner

import (
	"net/netip"
	"slices"
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
	prefixV6       = 64 // bits: what one has for itself who comes from elsewhere
	totalForgotten = time.Hour
)

// guard makes whoever guesses wait. It forgets at a restart, for which somebody
// must stand at the kiosk.
type guard struct {
	now func() time.Time

	mu    sync.Mutex
	by    map[guesser]*tries
	total tries
}

// guesser is whom tries are counted for: a browser that has logged in before, by
// its [device], or else an address. What strangers try makes the known wait for
// nothing.
type guesser struct {
	device  string
	address netip.Prefix // where device is empty
}

func (g guesser) known() bool { return g.device != "" }

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
func (g *guard) try(from guesser) (wait time.Duration) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.by[from]
	if t != nil && now.Before(t.until) {
		return t.until.Sub(now)
	}
	if !from.known() && now.Before(g.total.until) {
		return g.total.until.Sub(now)
	}
	if t == nil {
		g.makeRoom()
		t = new(tries)
		g.by[from] = t
	}
	t.next(now, freeTries, triesKept)
	if !from.known() {
		g.total.next(now, freeTotal, totalForgotten)
	}
	return 0
}

// succeeded takes back what try has counted; what others tried stays.
func (g *guard) succeeded(from guesser) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, from)
	if from.known() {
		return
	}
	g.total.count--
	g.total.until = time.Time{}
	g.total.delay /= 2
}

// makeRoom forgets who has been quiet the longest.
func (g *guard) makeRoom() {
	if g.by == nil {
		g.by = map[guesser]*tries{}
	}
	if len(g.by) < mostAddresses {
		return
	}
	var oldest guesser
	for p, t := range g.by {
		if o, ok := g.by[oldest]; !ok || t.last.Before(o.last) {
			oldest = p
		}
	}
	delete(g.by, oldest)
}

// origin is the network that one guesser has for itself: an address, or where
// that is an IPv6 one of a network that own does not say we are in, its /64. In
// our own network everybody shares that.
func origin(remote string, own func() []netip.Prefix) netip.Prefix {
	a := address(remote)
	bits := a.BitLen()
	if a.Is6() && !a.IsLinkLocalUnicast() && !slices.ContainsFunc(own(), func(p netip.Prefix) bool { return p.Contains(a) }) {
		bits = prefixV6
	}
	p, _ := a.Prefix(bits) // the zero address has the zero prefix
	return p
}

// address is a remote address's without port and zone, zero where it is none.
func address(remote string) netip.Addr {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}
