package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// result is what came of a run.
type result struct {
	length   time.Duration
	visits   int
	receipts []time.Duration // from the first byte of a batch to its opened receipt, sorted
}

func (r *result) rate() float64 { return float64(r.visits) / r.length.Seconds() }

func (r *result) at(q float64) time.Duration {
	if len(r.receipts) == 0 {
		return 0
	}
	return r.receipts[min(int(q*float64(len(r.receipts))), len(r.receipts)-1)]
}

// Settings of a PostgreSQL for this load on a small machine; docs/scale.md
// gives them to operators. Durability stays as it is by default.
var settings = []string{"shared_buffers = 512MB", "max_wal_size = 4GB", "wal_compression = on", "checkpoint_completion_target = 0.9"}

// most bounds what is signed beforehand, in visits a second.
const most = 30000

func measure(ctx context.Context, o options, engine string, size int, length time.Duration) (*result, error) {
	dir, err := os.MkdirTemp("", "munjigi-load-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	database := file(dir, "registry.db")
	if engine == store.Postgres {
		server, err := storetest.Start(settings...)
		if err != nil {
			return nil, err
		}
		defer server.Close()
		if database, err = server.Create(ctx); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	w, err := found(dir, database, now)
	if err != nil {
		return nil, err
	}
	kiosks, err := w.enrol(ctx, o.kiosks, now)
	if err != nil {
		return nil, err
	}
	if err := w.sign(kiosks, int(length.Seconds()*most), size, now); err != nil {
		return nil, err
	}
	profile := ""
	if o.profile != "" {
		profile = filepath.Join(o.profile, fmt.Sprintf("%s-%d.pprof", engine, size))
	}
	address, end, err := launch(dir, profile)
	if err != nil {
		return nil, err
	}
	r, err := w.drive(ctx, address, kiosks, o.inFlight, length)
	if err = errors.Join(err, end()); err != nil {
		return nil, err
	}
	return r, w.count(ctx, r.visits)
}

// drive lets inFlight workers serve the kiosks in turn: each sends the next
// kiosk's batch on that kiosk's connection and waits for the receipt.
func (w *world) drive(ctx context.Context, address string, kiosks []*kiosk, inFlight int, length time.Duration) (*result, error) {
	lines := make([]*line, len(kiosks))
	defer func() {
		for _, l := range lines {
			if l.conn != nil {
				l.conn.Close()
			}
		}
	}()
	pool := x509.NewCertPool()
	ca, err := x509.ParseCertificate(w.ca.DER())
	if err != nil {
		return nil, err
	}
	pool.AddCert(ca)
	for i, k := range kiosks {
		lines[i] = &line{kiosk: k, address: address, keys: w.bundle.ReceiptKeys(), config: &tls.Config{
			MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: pool, Certificates: []tls.Certificate{k.cert}}}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ended atomic.Bool
	var mu sync.Mutex
	var wait sync.WaitGroup
	r := &result{}
	start := time.Now()
	defer time.AfterFunc(length, func() { ended.Store(true) }).Stop()
	for n := range inFlight {
		wait.Go(func() {
			var receipts []time.Duration
			visits := 0
		rounds:
			for round := 0; ; round++ {
				sent := false
				for i := n; i < len(lines); i += inFlight {
					if ended.Load() || ctx.Err() != nil {
						break rounds
					}
					if round >= len(lines[i].batches) {
						continue
					}
					b, sentAt := lines[i].batches[round], time.Now()
					if err := lines[i].send(b); err != nil {
						cancel(err)
						break rounds
					}
					receipts, visits, sent = append(receipts, time.Since(sentAt)), visits+b.visits, true
				}
				if !sent {
					break // the passes are used up
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.receipts, r.visits = append(r.receipts, receipts...), r.visits+visits
		})
	}
	wait.Wait()
	r.length = time.Since(start)
	slices.Sort(r.receipts)
	return r, context.Cause(ctx)
}

// line is a kiosk's connection, which it makes with its first batch.
type line struct {
	*kiosk
	address string
	config  *tls.Config
	keys    []ed25519.PublicKey
	conn    *tls.Conn
	in      *bufio.Reader
	out     bytes.Buffer
}

func (l *line) dial() (err error) {
	if l.conn, err = tls.Dial("tcp", l.address, l.config); err == nil {
		l.in = bufio.NewReader(l.conn)
	}
	return err
}

// send posts a batch and opens its receipt. A registry that asks for patience
// is asked again.
func (l *line) send(b batch) error {
	if l.conn == nil {
		if err := l.dial(); err != nil {
			return err
		}
	}
	for {
		l.out.Reset()
		fmt.Fprintf(&l.out, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", wire.VisitsPath, host, wire.ContentType, len(b.body))
		l.out.Write(b.body)
		if err := l.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := l.conn.Write(l.out.Bytes()); err != nil {
			return err
		}
		resp, err := http.ReadResponse(l.in, nil)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			time.Sleep(100 * time.Millisecond)
			continue
		default:
			return fmt.Errorf("the registry answered %s: %s", resp.Status, answer)
		}
		sent, err := wire.DecodeBatch(b.body)
		if err != nil {
			return err
		}
		receipt, err := wire.OpenReceipt(answer, l.keys, b.body, sent)
		if err != nil {
			return err
		}
		for _, r := range receipt.Results {
			if r.Status != wire.StatusStored {
				return fmt.Errorf("a visit is %s (%s), want stored", r.Status, r.Reason)
			}
		}
		return nil
	}
}

// count holds the database to what was acknowledged.
func (w *world) count(ctx context.Context, want int) error {
	keys, err := store.OpenDayKeys(file(w.dir, "day-keys"))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, w.database, keys)
	if err != nil {
		return err
	}
	defer db.Close()
	var n int
	if err := db.SQL().QueryRowContext(ctx, "SELECT count(*) FROM visits").Scan(&n); err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("the database holds %d visits, %d were acknowledged", n, want)
	}
	return nil
}
