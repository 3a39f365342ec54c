package owner

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/uplink/enrol"
)

// become makes the device another kiosk, or with nil a fresh one.
func (r *rig) become(i *enrol.Identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.identity = i
}

// TestServed: a fresh device serves nothing; an enrolled one its page, over TLS
// only; after a reset nothing is served again.
func TestServed(t *testing.T) {
	r := newRig(t)
	identity := r.identity
	r.become(nil)
	ctx, cancel := contextWithCancel(t)
	done := make(chan error, 1)
	go func() { done <- r.s.Run(ctx) }()
	<-r.s.Ready()
	if at, err := r.s.Address(); at != "" || err != nil {
		t.Errorf("a fresh device serves at %q, %v", at, err)
	}
	until := func(served bool) (at string) {
		t.Helper()
		for range 1000 {
			if at, _ = r.s.Address(); (at != "") == served {
				return at
			}
			<-time.After(20 * time.Millisecond)
		}
		t.Fatalf("served should be %v, is at %q", served, at)
		return ""
	}
	r.become(identity)
	at := until(true)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: SharedName}}}
	res, err := client.Get("https://" + at + "/login")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), ownName(identity.Kiosk)) || res.TLS.PeerCertificates[0].VerifyHostname(SharedName) != nil {
		t.Errorf("%s %v %s", res.Status, err, body)
	}
	client.CloseIdleConnections()
	// An address typed without https:// leads there, and nothing is served without.
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if res, err := once.Get("http://" + at + "/state"); err != nil || res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != "https://"+at+"/" {
		t.Errorf("without TLS: %v, %v", res, err)
	}
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "POST /login HTTP/1.1\r\nHost: munjigi.local\r\n\r\n", "\x00\x01\r\n\r\n", "GET / HTTP/1.1\r\nHost: munjigi.local\r\nX: " + strings.Repeat("x", 9<<10)} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request) // it may be shut meanwhile
		if answer, _ := io.ReadAll(c); len(answer) > 0 {
			t.Errorf("%.20q is answered %q", request, answer)
		}
		c.Close()
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if c, err := tls.Dial("tcp", at, old); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	r.become(nil)
	until(false)
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("a reset device listens still")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTaken: an address that is taken ends nothing, and is said.
func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newRig(t)
	r.s.Listen = l.Addr().String()
	ctx, cancel := contextWithCancel(t)
	done := make(chan error, 1)
	go func() { done <- r.s.Run(ctx) }()
	for range 1000 {
		if _, err := r.s.Address(); err != nil {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	if at, err := r.s.Address(); at != "" || err == nil {
		t.Errorf("served at %q, %v", at, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// callers is a listener that is called by the addresses in it.
type callers struct{ from []string }

func (c *callers) Accept() (net.Conn, error) {
	if len(c.from) == 0 {
		return nil, net.ErrClosed
	}
	a, b := net.Pipe()
	_ = b.Close()
	caller := &caller{a, &net.TCPAddr{IP: net.ParseIP(c.from[0]), Port: 4000}}
	c.from = c.from[1:]
	return caller, nil
}
func (c *callers) Close() error   { return nil }
func (c *callers) Addr() net.Addr { return &net.TCPAddr{} }

type caller struct {
	net.Conn
	from net.Addr
}

func (c *caller) RemoteAddr() net.Addr { return c.from }

// TestNear: of several callers only those of the local network get through.
func TestNear(t *testing.T) {
	l := newNear(&callers{[]string{"198.51.100.7", "192.168.0.20", "2001:db8:77::1", "fe80::9"}}, 8, 8)
	var got []string
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		got = append(got, c.RemoteAddr().String())
		c.Close()
	}
	if want := "192.168.0.20:4000 [fe80::9]:4000"; strings.Join(got, " ") != want {
		t.Errorf("%q got through, want %q", got, want)
	}
}
