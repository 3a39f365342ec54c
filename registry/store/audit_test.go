package store_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi store test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

func audit(db *store.DB, name string) *store.Audit {
	return store.NewAudit(db, key(name), func() time.Time { return t0 })
}

func TestAudit(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		// Two processes, the second with the receipt key that follows.
		dbs := []*store.DB{storetest.Open(t, url, storetest.Keys(t)), storetest.Open(t, url, storetest.Keys(t))}
		logs := []*store.Audit{audit(dbs[0], "one"), audit(dbs[1], "two")}
		keys := []ed25519.PublicKey{public("two"), public("one")}
		if head, err := dbs[0].Verify(t.Context(), keys, nil); err != nil || head.Seq != 0 {
			t.Errorf("an empty log: %v, %v", head, err)
		}
		const each = 25
		var wait sync.WaitGroup
		for _, log := range logs {
			wait.Go(func() {
				for n := range each {
					if err := log.Append(t.Context(), "test", map[string]int{"n": n}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		tx, err := dbs[0].SQL().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := logs[0].AppendTx(t.Context(), tx, "undone", nil); err != nil {
			t.Error(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		var entries []store.Entry
		head, err := dbs[0].Verify(t.Context(), keys, func(e store.Entry) error { entries = append(entries, e); return nil })
		if err != nil || head.Seq != 2*each {
			t.Fatalf("head %d, %v", head.Seq, err)
		}
		if e := entries[0]; e.Kind != "test" || string(e.Body) != `{"n":0}` || !e.At.Equal(t0) {
			t.Errorf("got %v", e)
		}
		stop := errors.New("stop")
		if _, err := dbs[0].Verify(t.Context(), keys, func(store.Entry) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		if _, err := dbs[0].Verify(t.Context(), keys[:1], nil); err == nil {
			t.Error("lines by an unknown key verify")
		}
	})
}

// Whatever is done to the log, the first line that does not fit is named.
func TestAuditBreaks(t *testing.T) {
	tests := []struct {
		name, query string
		breaks      int64
		says        string
	}{
		{"a line is taken out", `DELETE FROM audit WHERE seq = 5`, 5, "missing"},
		{"the first is taken out", `DELETE FROM audit WHERE seq = 1`, 1, "missing"},
		{"a gap is closed", `DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = seq - 1 WHERE seq > 5`, 5, "signed as line 6"},
		{"two change places", `UPDATE audit SET line = (SELECT line FROM audit AS o WHERE o.seq = 7 - audit.seq) WHERE seq IN (3, 4)`, 3, "signed as line 4"},
		{"a line is garbled", `UPDATE audit SET line = (SELECT line FROM audit AS o WHERE o.seq = 10) || (SELECT line FROM audit AS o WHERE o.seq = 2) WHERE seq = 10`, 10, ""},
		{"a line of a copy of the log", `UPDATE audit SET line = (SELECT line FROM other WHERE seq = 8) WHERE seq = 8`, 8, "does not follow"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := audit(db, "one")
		fill := func(what string) {
			for n := range 10 {
				if err := log.Append(t.Context(), what, n); err != nil {
					t.Fatal(err)
				}
			}
		}
		run := func(queries string) {
			t.Helper()
			for _, q := range strings.Split(queries, ";") {
				if _, err := db.SQL().ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill("other")
		run(`CREATE TABLE other AS SELECT seq, line FROM audit; DELETE FROM audit`)
		fill("true")
		run(`CREATE TABLE sound AS SELECT seq, line FROM audit`)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				run(tt.query)
				var broken *store.BrokenError
				_, err := db.Verify(t.Context(), []ed25519.PublicKey{public("one")}, nil)
				if !errors.As(err, &broken) || broken.Seq != tt.breaks || !strings.Contains(fmt.Sprint(err), tt.says) {
					t.Errorf("got %v, want a break at %d that says %q", err, tt.breaks, tt.says)
				}
				run(`DELETE FROM audit; INSERT INTO audit SELECT seq, line FROM sound`)
			})
		}
		if _, err := db.Verify(t.Context(), []ed25519.PublicKey{public("one")}, nil); err != nil {
			t.Errorf("the sound log: %v", err)
		}
	})
}
