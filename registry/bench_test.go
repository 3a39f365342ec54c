package registry

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/munjigi/munjigi/pass/wire"
)

// nowhere stores nothing, at once.
type nowhere struct{}

func (nowhere) Put(_ context.Context, visits []Visit) ([]bool, error) {
	return make([]bool, len(visits)), nil
}
func (nowhere) Ping(context.Context) error { return nil }

// BenchmarkBatch is a batch of 20 visits from its header to its receipt,
// without network and store: decoding, 20 signature checks, one signature.
func BenchmarkBatch(b *testing.B) {
	h := newHouse(b, func(c *Config) { c.Store = nowhere{} })
	visits := make([]wire.Visit, 20)
	for i := range visits {
		visits[i] = visit(b, "kko", uint64(i+1), t0)
	}
	body, _ := h.encode(b, "door-1", visits...)
	handler := h.Handler()
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, h.request("door-1", body))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(visits)), "µs/visit")
}
