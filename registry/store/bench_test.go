package store_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// BenchmarkPut has 200 kiosks that each send the next batch of 20 as soon as
// the last is durable.
func BenchmarkPut(b *testing.B) {
	for _, engine := range []struct {
		name string
		url  func(testing.TB) string
	}{{store.SQLite, storetest.File}, {store.Postgres, storetest.Database}} {
		b.Run(engine.name, func(b *testing.B) {
			db := storetest.Open(b, engine.url(b), storetest.Keys(b))
			const kiosks, size = 200, 20
			var left atomic.Int64
			left.Store(int64(b.N))
			var wait sync.WaitGroup
			b.ResetTimer()
			for k := range kiosks {
				wait.Go(func() {
					batch := make([]store.Visit, size)
					kiosk := fmt.Sprint("kiosk-", k)
					for n := 0; left.Add(-size) > -size; n++ {
						for i := range batch {
							at := t0.Add(time.Duration(n) * time.Second)
							batch[i] = store.Visit{Kiosk: kiosk, Facility: kiosk + "'s facility", Issuer: "kko", Issued: at, Scanned: at, Received: at, Seq: uint64(n*size + i)}
							rand.Read(batch[i].ID[:])
						}
						if _, err := db.Put(b.Context(), batch); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "visits/s")
		})
	}
}
