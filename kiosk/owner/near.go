package owner

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/netutil"
)

// near is a listener that takes connections from the local network only. A
// kiosk may have an address that the whole Internet reaches, with IPv6 without
// anybody having meant it.
type near struct{ net.Listener }

func newNear(l net.Listener, most int) net.Listener {
	return netutil.LimitListener(near{l}, most)
}

func (n near) Accept() (net.Conn, error) {
	for {
		c, err := n.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if local(c.RemoteAddr(), ownPrefixes) {
			return c, nil
		}
		c.Close()
	}
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
