package registry

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// selfSigned is a certificate that a kiosk's key made for itself.
func selfSigned(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: t0.Add(-day), NotAfter: t0.Add(1000 * day),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public(name), key(name))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Whoever has no certificate of a kiosk of this registry is told so over the
// network, at every address that asks for one, and nothing is stored.
func TestStrangers(t *testing.T) {
	h, elsewhere := newHouse(t), newHouse(t)
	h.doors["door-r"] = h.enrol(t, "door-r", "restaurant")
	if err := h.book.Revoke(t.Context(), h.doors["door-r"].Kiosk, h.time()); err != nil {
		t.Fatal(err)
	}
	foreign := elsewhere.doors["door-1"] // the same key, enrolled with another registry
	self := selfSigned(t, "door-1")
	pair := func(name string, der ...[]byte) tls.Certificate {
		return tls.Certificate{Certificate: der, PrivateKey: key(name)}
	}
	beat, err := wire.Heartbeat{Version: "v1", Bundle: 1 << 50}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	batch, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	for name, c := range map[string]struct {
		client *http.Client
		status int
		kind   string
	}{
		"no certificate":               {h.root, 401, wire.ProblemNoCertificate},
		"revoked":                      {h.doors["door-r"].client, 403, wire.ProblemRevoked},
		"signed by itself":             {h.client(pair("door-1", self.Raw)), 403, wire.ProblemUnknownKiosk},
		"another registry's":           {h.client(pair("door-1", foreign.Certificate)), 403, wire.ProblemUnknownKiosk},
		"another registry's, with CAs": {h.client(pair("door-1", foreign.Certificate, elsewhere.book.CA.DER())), 403, wire.ProblemUnknownKiosk},
	} {
		t.Run(name, func(t *testing.T) {
			// A client keeps a certificate to itself that the server's list of
			// CAs does not ask for: force it.
			transport := c.client.Transport.(*http.Transport).Clone()
			if certs := transport.TLSClientConfig.Certificates; len(certs) > 0 {
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
			}
			client := &http.Client{Transport: transport}
			defer transport.CloseIdleConnections()
			for path, body := range map[string][]byte{wire.VisitsPath: batch, wire.HeartbeatPath: beat, wire.RenewPath: csr(t, "door-1")} {
				media := wire.ContentType
				if path == wire.RenewPath {
					media = wire.RequestType
				}
				resp, answer := h.do(t, client, "POST", path, body, "Content-Type", media)
				if kind := problemOf(t, resp.StatusCode, resp.Header, answer); resp.StatusCode != c.status || kind != c.kind {
					t.Errorf("%s: %d %s", path, resp.StatusCode, kind)
				}
			}
		})
	}
	// A kiosk's certificate says nothing without the kiosk's key.
	stolen := h.client(tls.Certificate{Certificate: [][]byte{h.doors["door-1"].Certificate}, PrivateKey: key("thief")})
	r, err := http.NewRequest("POST", h.url+wire.VisitsPath, bytes.NewReader(batch))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", wire.ContentType)
	if resp, err := stolen.Do(r); err == nil {
		t.Errorf("a stolen certificate: %s", resp.Status)
	}
	// Another facility's kiosk speaks for itself alone.
	if resp, answer := h.post(t, h.doors["door-m"].client, wire.VisitsPath, batch); problemOf(t, resp.StatusCode, resp.Header, answer) != wire.ProblemOtherKiosk {
		t.Errorf("another facility's: %d", resp.StatusCode)
	}
	if n := len(h.rows(t, "door-1")); n != 0 {
		t.Errorf("%d visits", n)
	}
	if k, err := h.book.Kiosk(t.Context(), h.doors["door-1"].Kiosk); err != nil || !k.Seen.IsZero() || k.Health.Bundle != 1 {
		t.Errorf("a forged heartbeat was entered: %+v %v", k, err)
	}
	if got := h.send(t, "door-1", visit(t, "kko", 1, t0)); got[0] != "stored" {
		t.Errorf("the kiosk itself: %s", got[0])
	}
}

// A revoked kiosk is refused at once where it was revoked, although its
// connection is open, and within devices.Memory elsewhere.
func TestRevokedWhileConnected(t *testing.T) {
	h := newHouse(t)
	h.send(t, "door-1", visit(t, "kko", 1, t0))
	if err := h.book.Revoke(t.Context(), h.doors["door-1"].Kiosk, h.time()); err != nil {
		t.Fatal(err)
	}
	body, _ := h.encode(t, "door-1", visit(t, "kko", 2, t0))
	resp, answer := h.post(t, h.doors["door-1"].client, wire.VisitsPath, body)
	if kind := problemOf(t, resp.StatusCode, resp.Header, answer); kind != wire.ProblemRevoked {
		t.Errorf("%d %s", resp.StatusCode, kind)
	}
}

// Nobody speaks less than TLS 1.3, or plain HTTP.
func TestOldTLS(t *testing.T) {
	h := newHouse(t)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), &tls.Config{RootCAs: h.book.CA.Pool(), MaxVersion: tls.VersionTLS12, Time: h.time})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.2 was spoken")
	}
	resp, err := http.Get(strings.Replace(h.url, "https", "http", 1) + wire.BundlePath)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("plain HTTP was spoken")
		}
	}
}

func TestPathTricks(t *testing.T) {
	h := newHouse(t)
	handler := h.Handler()
	body, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	for _, target := range []string{
		"/v1//visits", "//v1/visits", "/v1/./visits", "/v1/../v1/visits", "/v1/bundle/../visits", "/v1/visits/", "/v1/visits/..", "/v1/%2e%2e/v1/visits",
		"/v1/visits%2f", "/v1%2fvisits", "/v1/visits%00", "/v1/visits%5c", "/v1\\visits", "/v1/visits;a=b", "/V1/visits", "/v1/visits.", "/v1/..%2f..%2fetc/passwd",
		"/v1", "/v1/", "/etc/passwd", "/.git/config", "/metrics", "/healthz", "/readyz", "/outbox", "/debug/pprof/", "/v1/%63ounts",
	} {
		for _, method := range []string{"GET", "POST", "CONNECT"} {
			r := h.request("door-1", body)
			r.Method = method
			u, err := url.ParseRequestURI(target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL, r.RequestURI = u, target
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound || problemOf(t, w.Code, w.Header(), w.Body.Bytes()) != wire.ProblemNotFound {
				t.Errorf("%s %s: %d", method, target, w.Code)
			}
		}
	}
	if n := len(h.rows(t, "door-1")); n != 0 {
		t.Errorf("%d visits", n)
	}
}

// What a header says reaches neither the answer's headers nor the log's lines
// nor a query.
func TestHeaderInjection(t *testing.T) {
	h := newHouse(t)
	handler := h.Handler()
	const evil = "x\r\nSet-Cookie: a=b\r\n\r\n' OR 1=1 --"
	for _, name := range []string{"Authorization", "X-Forwarded-For", "X-Client-Cert", "X-SSL-Client-Verify", "Content-Type", "Content-Encoding", "If-None-Match", "Host", "Cookie", "User-Agent"} {
		for _, path := range []string{wire.VisitsPath, wire.HeartbeatPath, wire.EnrolPath, wire.BundlePath, wire.TimePath + "?nonce=" + strings.Repeat("%0d%0a", 16)} {
			r := httptest.NewRequest("POST", path, strings.NewReader("x"))
			r.Header[name] = []string{evil}
			if strings.HasPrefix(path, wire.BundlePath) || strings.HasPrefix(path, wire.TimePath) {
				r.Method = "GET"
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code >= 500 || (w.Code < 400 && path != wire.BundlePath) {
				t.Errorf("%s at %s: %d", name, path, w.Code)
			}
			for key, values := range w.Header() {
				if strings.ContainsAny(key+strings.Join(values, ""), "\r\n'") || key == "Set-Cookie" {
					t.Errorf("%s at %s: %s: %q", name, path, key, values)
				}
			}
			if strings.Contains(w.Body.String(), "OR 1=1") {
				t.Errorf("%s at %s is repeated: %s", name, path, w.Body)
			}
		}
	}
	for line := range strings.Lines(h.log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of the log begins %q", line)
		}
	}
}

// The enrolment's request tells what it will, in a database's and a page's words.
func TestEnrolInjection(t *testing.T) {
	h := newHouse(t)
	for _, version := range []string{"v1'; DROP TABLE kiosks; --", "<script>", "v1\nlevel=ERROR"} {
		e, err := wire.DecodeEnrol(h.enrolBody(t, "fresh"))
		if err != nil {
			t.Fatal(err)
		}
		e.Version = version
		if body, err := e.Encode(); err == nil { // a space or a quote is no version
			resp, answer := h.post(t, h.root, wire.EnrolPath, body)
			if kind := problemOf(t, resp.StatusCode, resp.Header, answer); kind != wire.ProblemCodeUnknown {
				t.Errorf("%q: %d %s", version, resp.StatusCode, kind)
			}
		}
	}
	if all, err := h.book.Kiosks(t.Context()); err != nil || len(all) != len(kinds) {
		t.Errorf("%d kiosks, %v", len(all), err)
	}
}

// Somebody who sends a byte now and then, or nothing at all, holds a
// connection no longer than the limit. The clock is a fake one.
func TestSlowBody(t *testing.T) {
	h := newHouse(t)
	for name, sent := range map[string]string{
		"a header that never ends": "POST /v1/visits HTTP/1.1\r\nHost: x\r\nX-A: ",
		"a body that never ends":   "POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/cbor\r\nContent-Length: 4000\r\n\r\n",
		"nothing":                  "",
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &pipeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
			s := server(h.Handler(), h.Limits, slog.New(slog.DiscardHandler))
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(l) }()
			us, them := net.Pipe()
			l.conns <- them
			start := time.Now()
			go func() {
				io.WriteString(us, sent)
				for sent != "" {
					time.Sleep(time.Second)
					if _, err := us.Write([]byte("a")); err != nil {
						return
					}
				}
			}()
			io.Copy(io.Discard, us) // until the server hangs up
			if took := time.Since(start); took > h.Limits.Read+time.Second {
				t.Errorf("%s: held for %s", name, took)
			}
			us.Close()
			s.Close()
			l.Close()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
			time.Sleep(2 * time.Second) // until the sender has noticed, too
		})
	}
}

// stuck is a body of which nothing comes until the test ends.
type stuck struct{ reading, end chan struct{} }

func (b stuck) Read([]byte) (int, error) {
	b.reading <- struct{}{}
	<-b.end
	return 0, io.ErrUnexpectedEOF
}

// Bodies that do not come take enrolments and investigations from others, never
// the kiosks' slots.
func TestSlowStrangers(t *testing.T) {
	const slots = 16
	inquiry := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) })
	h := newHouse(t, func(c *Config) { c.Limits.Slots, c.Inquiry = slots, inquiry })
	handler := h.Handler()
	body := stuck{make(chan struct{}), make(chan struct{})}
	var all sync.WaitGroup
	defer all.Wait()
	defer close(body.end)
	for _, path := range []string{wire.EnrolPath, "/v1/inquiries"} {
		for range slots {
			r := httptest.NewRequest("POST", path, body)
			r.Header.Set("Content-Type", wire.ContentType)
			answered := make(chan struct{})
			all.Go(func() {
				defer close(answered)
				handler.ServeHTTP(httptest.NewRecorder(), r)
			})
			select {
			case <-body.reading:
			case <-answered: // turned away
			}
		}
	}
	if got := h.send(t, "door-1", visit(t, "kko", 1, t0)); got[0] != "stored" {
		t.Errorf("a kiosk's visit is %s", got[0])
	}
	if resp, _ := h.get(t, wire.BundlePath); resp.StatusCode != 200 {
		t.Errorf("the bundle: %d", resp.StatusCode)
	}
}

// pipeListener hands out connections without a network.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// Ten megabytes are not read, only their beginning is.
func TestTenMegabytes(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{wire.VisitsPath, wire.HeartbeatPath, wire.EnrolPath} {
		counted := &countingReader{Reader: bytes.NewReader(make([]byte, 10<<20))}
		r := h.request("door-1", nil)
		r.URL.Path, r.Body = path, io.NopCloser(counted)
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || counted.n > 2*wire.MaxBody {
			t.Errorf("%s: %d, %d bytes read", path, w.Code, counted.n)
		}
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
