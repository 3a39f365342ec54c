package prove

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"

	"github.com/munjigi/munjigi/pass/wire"
)

// Fault is what happens to an exchange on the wire.
type Fault uint8

const (
	None Fault = iota
	Down       // nothing arrives at the registry
	Lost       // the registry has taken it, its answer is lost
)

// Wire stands between a kiosk and its registry. It is an http.Handler.
type Wire struct {
	registry string // address
	fault    func(*http.Request) Fault
	client   *http.Transport

	mu      sync.Mutex
	record  [][]byte
	visits  map[string]map[uint64]bool // sequence numbers that a pass, as bytes, was sent under
	dropped int
}

// NewWire is a wire to the registry at that address; fault, if not nil, is
// asked about every exchange.
func NewWire(registry string, fault func(*http.Request) Fault) *Wire {
	if fault == nil {
		fault = func(*http.Request) Fault { return None }
	}
	// Compression is left to the two ends: the record is of what they said.
	return &Wire{registry: registry, fault: fault, client: &http.Transport{DisableCompression: true}, visits: map[string]map[uint64]bool{}}
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
	on, err := http.NewRequestWithContext(in.Context(), in.Method, w.registry+in.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	on.Header = in.Header.Clone()
	answer, err := w.client.RoundTrip(on)
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
	if batch, err := wire.DecodeBatch(blobs[1]); err == nil {
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
