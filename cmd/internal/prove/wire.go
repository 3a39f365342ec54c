package prove

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// Fault is what happens to an exchange on the wire.
type Fault uint8

const (
	None Fault = iota
	Down       // nothing arrives at the registry
	Lost       // the registry has taken it, its answer is lost
)

// Wire stands between a kiosk and its registry and sees what they say: it shows
// the kiosk a certificate of the registry's CA, and the registry the kiosk's
// own, which it reads from the kiosk's disk. It is an http.Handler.
type Wire struct {
	fault func(*http.Request) Fault

	mu       sync.Mutex
	registry string // address
	dir      string // the kiosk's data folder
	client   *http.Transport
	shown    string // the certificate that client shows
	record   [][]byte
	visits   map[string]map[uint64]bool // sequence numbers that a pass, as bytes, was sent under
	dropped  int
}

// NewWire is a wire whose faults, if fault is not nil, are decided for every
// exchange. Join it to both ends, and Start it.
func NewWire(fault func(*http.Request) Fault) *Wire {
	if fault == nil {
		fault = func(*http.Request) Fault { return None }
	}
	return &Wire{fault: fault, visits: map[string]map[uint64]bool{}}
}

// Join joins the registry at that address and the kiosk with that data folder.
func (w *Wire) Join(registry, dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.registry, w.dir = registry, dir
}

// Start serves the kiosk on l, with a certificate of the registry's CA for it.
func (w *Wire) Start(l net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (stop func()) {
	s := &http.Server{
		Handler: w, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certificate, ClientAuth: tls.RequestClientCert},
	}
	go s.ServeTLS(l, "", "")
	return func() { s.Close() }
}

// ahead is the way on to the registry, as whom the kiosk now is.
func (w *Wire) ahead() (string, *http.Transport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	config, shown := &tls.Config{MinVersion: tls.VersionTLS13}, ""
	if i, err := enrol.Load(w.dir); err == nil {
		config, shown = i.TimelessTLS(), string(i.Certificate)
	} else {
		config.InsecureSkipVerify = true // as a fresh kiosk does
	}
	if w.client == nil || shown != w.shown {
		// Compression is left to the two ends: the record is of what they said.
		w.client, w.shown = &http.Transport{DisableCompression: true, TLSClientConfig: config}, shown
	}
	return w.registry, w.client
}

// ServeHTTP passes an exchange on and keeps a copy of both directions.
func (w *Wire) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	fault := w.fault(in)
	if fault == Down {
		panic(http.ErrAbortHandler) // closes the connection
	}
	head, err := httputil.DumpRequest(in, false)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	registry, client := w.ahead()
	on, err := http.NewRequestWithContext(in.Context(), in.Method, registry+in.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	on.Header = in.Header.Clone()
	answer, err := client.RoundTrip(on)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	answerHead, err := httputil.DumpResponse(answer, false)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	answerBody, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.keep(head, body, answerHead, answerBody)
	if fault == Lost {
		w.mu.Lock()
		w.dropped++
		w.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	for name, values := range answer.Header {
		out.Header()[name] = values
	}
	out.WriteHeader(answer.StatusCode)
	_, _ = out.Write(answerBody) // a kiosk that has gone away asks again
}

func (w *Wire) keep(blobs ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record = append(w.record, blobs...)
	body := blobs[1]
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		if plain, err := io.ReadAll(io.LimitReader(z, wire.MaxBody)); err == nil {
			body = plain
		}
	}
	if batch, err := wire.DecodeBatch(body); err == nil {
		for _, v := range batch.Visits {
			if w.visits[string(v.Pass)] == nil {
				w.visits[string(v.Pass)] = map[uint64]bool{}
			}
			w.visits[string(v.Pass)][v.Seq] = true
		}
	}
}

// Record is everything that went over the wire: heads and bodies, both ways.
func (w *Wire) Record() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([][]byte(nil), w.record...)
}

// Lost counts the answers that were lost.
func (w *Wire) Lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Twice counts the passes that were sent as more than one visit.
func (w *Wire) Twice() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, seqs := range w.visits {
		if len(seqs) > 1 {
			n++
		}
	}
	return n
}
