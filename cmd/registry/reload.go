package main

import (
	"crypto/tls"
	"sync"
	"time"

	"github.com/munjigi/munjigi/configs"
)

// reloading reads a certificate's files again every minute, so that whoever
// renews them need not restart the registry. Files that cannot be read leave
// the last good one in use.
type reloading struct {
	cert, key string
	now       func() time.Time

	mu   sync.Mutex
	pair *tls.Certificate
	next time.Time
}

func newReloading(cert, key string, now func() time.Time) *reloading {
	return &reloading{cert: cert, key: key, now: now}
}

// Certificate implements [tls.Config.GetCertificate].
func (r *reloading) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.pair != nil && now.Before(r.next) {
		return r.pair, nil
	}
	pair, err := configs.ReadCertificate(r.cert, r.key)
	if err != nil && r.pair == nil {
		return nil, err
	}
	if err == nil {
		r.pair = &pair
	}
	r.next = now.Add(time.Minute)
	return r.pair, nil
}
