package owner

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// A kiosk is found under two names of the local network (multicast DNS, RFC
// 6762): one of its own, by its id, and the one that owners are told,
// munjigi.local. Where several kiosks share a network that one is the kiosk's
// with the lowest id: they agree without asking, also when all start at once
// after a power cut. Its log-in page names the others.
const (
	// SharedName is the name that owners are told.
	SharedName = "munjigi.local"

	namePrefix = "munjigi-"
	nameSuffix = ".local"

	// service is what kiosks find one another by.
	service = "_munjigi._tcp"

	// browseEvery is how often a kiosk looks for others, browseFor for how long.
	browseEvery = time.Minute
	browseFor   = time.Second
)

// ownName is a kiosk's own: the end of its id, which is random.
func ownName(kiosk string) string {
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(kiosk))
	return namePrefix + id[max(len(id)-4, 0):] + nameSuffix
}

// OwnName is the name under which a kiosk's page is found whatever others there
// are, without the port.
func OwnName(kiosk string) string { return ownName(kiosk) }

// hostNames are those of the page's certificate.
func hostNames(kiosk string) []string { return []string{SharedName, ownName(kiosk)} }

// names answers for a kiosk's names.
type names struct {
	now func() time.Time

	mu     sync.Mutex
	kiosk  string
	port   int
	leads  bool
	others []string
}

// announce answers until ctx ends. It is no worry where it cannot: the page is
// found by its address, too.
func (n *names) announce(ctx context.Context, kiosk string, at net.Addr, slog *slog.Logger) {
	n.mu.Lock()
	n.kiosk, n.leads = kiosk, true
	if a, ok := at.(*net.TCPAddr); ok {
		n.port = a.Port
	}
	n.mu.Unlock()
	quiet := log.New(discard{}, "", 0) // strangers' packets would fill the log
	var (
		servers []*mdns.Server
		heard   string
		browsed time.Time
	)
	stop := func() {
		for _, s := range servers {
			_ = s.Shutdown()
		}
		servers = nil
	}
	defer stop()
	for ctx.Err() == nil {
		interfaces, state := multicasting()
		if state != heard { // a network that came, went or changed
			stop()
			heard, browsed = state, time.Time{}
			for _, i := range interfaces {
				s, err := mdns.NewServer(&mdns.Config{Zone: n, Iface: &i, Logger: quiet})
				if err != nil {
					slog.Debug("a network does not hear the kiosk's name", "interface", i.Name, "err", err)
					continue
				}
				servers = append(servers, s)
			}
		}
		if now := n.now(); now.Sub(browsed) >= browseEvery && len(servers) > 0 {
			browsed = now
			n.meet(browse(ctx, interfaces, quiet))
		}
		sleep(ctx, 5*time.Second)
	}
}

// multicasting are the interfaces to answer on, and a text that changes with
// them.
func multicasting() (out []net.Interface, state string) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, ""
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil || len(addrs) == 0 {
			continue
		}
		out = append(out, i)
		state += fmt.Sprint(i.Name, addrs)
	}
	return out, state
}

// browse asks for other kiosks: their instance names are their ids.
func browse(ctx context.Context, interfaces []net.Interface, quiet *log.Logger) (kiosks []string) {
	found := make(chan *mdns.ServiceEntry, 64)
	for _, i := range interfaces {
		// A network that cannot be asked has no other kiosk that could be met.
		_ = mdns.QueryContext(ctx, &mdns.QueryParam{Service: service, Domain: "local", Timeout: browseFor, Interface: &i, Entries: found, DisableIPv6: true, Logger: quiet})
	}
	for {
		select {
		case e := <-found:
			if id, ok := strings.CutSuffix(e.Name, "."+service+".local."); ok {
				kiosks = append(kiosks, id)
			}
		default:
			return kiosks
		}
	}
}

// meet notes which other kiosks there are. Anybody on the network can claim to
// be one, so that only what looks like a kiosk's id is taken.
func (n *names) meet(kiosks []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leads, n.others = true, nil
	for _, k := range kiosks {
		if k == n.kiosk || len(k) > 32 || strings.Trim(k, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			continue
		}
		if name := ownName(k); !slices.Contains(n.others, name) && len(n.others) < 16 {
			n.others = append(n.others, name)
		}
		n.leads = n.leads && n.kiosk < k
	}
	slices.Sort(n.others)
}

// Others are the names of the other kiosks in this network.
func (n *names) Others() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.others
}

// Records implements mdns.Zone.
func (n *names) Records(q dns.Question) []dns.RR {
	n.mu.Lock()
	kiosk, port, leads := n.kiosk, n.port, n.leads
	n.mu.Unlock()
	asked := strings.ToLower(q.Name)
	host := ownName(kiosk) + "."
	if asked == SharedName+"." && leads {
		host = SharedName + "."
	}
	ips := addresses()
	if len(ips) == 0 {
		return nil
	}
	s, err := mdns.NewMDNSService(kiosk, service, "local.", host, port, ips, []string{"munjigi"})
	if err != nil {
		return nil
	}
	q.Name = asked
	return s.Records(q)
}

// addresses are this device's, as others reach it.
func addresses() (ips []net.IP) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if !ok || ip.Unmap().IsLoopback() || ip.Is6() && !ip.Is4In6() && ip.IsLinkLocalUnicast() {
			continue // a link-local IPv6 address means nothing without its interface
		}
		ips = append(ips, n.IP)
	}
	return ips
}

// Addresses are this device's in the local network, for who cannot use the
// names.
func Addresses() (out []string) {
	for _, ip := range addresses() {
		out = append(out, ip.String())
	}
	return out
}

// port is that of the page, ":8443".
func port(s *Server) string {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	if s.names.port == 0 || s.names.port == 443 {
		return ""
	}
	return ":" + strconv.Itoa(s.names.port)
}
