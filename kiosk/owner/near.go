package owner

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/netutil"
)

// near is a listener that takes connections from the local network only, and
// of each address so many that it leaves room for others. A kiosk may have an
// address that the whole Internet reaches, with IPv6 without anybody having
// meant it.
type near struct {
	net.Listener
	each int

	mu   sync.Mutex
	open map[netip.Addr]int
}

// newNear takes most connections at once, and each from one address.
func newNear(l net.Listener, most, each int) net.Listener {
	return netutil.LimitListener(&near{Listener: l, each: each, open: map[netip.Addr]int{}}, most)
}

func (n *near) Accept() (net.Conn, error) {
	for {
		c, err := n.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if from := c.RemoteAddr(); local(from, ownPrefixes) {
			if counted := n.count(c, address(from.String())); counted != nil {
				return counted, nil
			}
		}
		c.Close()
	}
}

// count is a connection that counts for an address until it is closed, nil
// where that has as many as it may.
func (n *near) count(c net.Conn, from netip.Addr) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open[from] >= n.each {
		return nil
	}
	n.open[from]++
	return &countedConn{Conn: c, gone: sync.OnceFunc(func() { n.gone(from) })}
}

func (n *near) gone(from netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open[from]--; n.open[from] == 0 {
		delete(n.open, from)
	}
}

type countedConn struct {
	net.Conn
	gone func()
}

func (c *countedConn) Close() error {
	defer c.gone()
	return c.Conn.Close()
}

// local says whether an address is of this machine, of a private network (RFC
// 1918, RFC 4193), link-local, or of a network that own says we are in.
func local(addr net.Addr, own func() []netip.Prefix) bool {
	a, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		return false
	}
	ip = ip.Unmap()
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range own() {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// ownPrefixes are the networks that this machine's interfaces are in, now.
func ownPrefixes() (all []netip.Prefix) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				ones, _ := n.Mask.Size()
				all = append(all, netip.PrefixFrom(ip.Unmap(), ones).Masked())
			}
		}
	}
	return all
}

// ourName says whether a request was meant for us: by one of our names, or an
// address. A site whose name was pointed at this address (DNS rebinding) is not.
func ourName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || host == SharedName || strings.HasPrefix(host, namePrefix) && strings.HasSuffix(host, nameSuffix)
}
