package owner

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/uplink/enrol"
)

// TestNoCertificate: a certificate that cannot be read or made is said, and not
// found out by a phone whose handshake fails.
func TestNoCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"damaged":    {func(dir string) error { return os.WriteFile(filepath.Join(dir, CertificateFile), []byte("x"), 0o600) }, "owner.pem is damaged, delete it"},
		"unreadable": {func(dir string) error { return os.Mkdir(filepath.Join(dir, CertificateFile), 0o700) }, "read the owner's page's certificate"},
		"unwritable": {os.RemoveAll, "make the owner's page's certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if err := c.spoil(r.s.Dir); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := contextWithCancel(t)
			done := make(chan error, 1)
			go func() { done <- r.s.Run(ctx) }()
			var at string
			var err error
			for range 1000 {
				if at, err = r.s.Address(); at != "" || err != nil {
					break
				}
				<-time.After(20 * time.Millisecond)
			}
			if at != "" || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("served at %q, %v", at, err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestResetMeanwhile: a device that becomes a fresh one between two looks stops
// nothing.
func TestResetMeanwhile(t *testing.T) {
	r := newRig(t)
	identity, looked := r.identity, make(chan struct{})
	var looks int
	var mu sync.Mutex
	r.s.Who = func() *enrol.Identity {
		mu.Lock()
		defer mu.Unlock()
		switch looks++; looks {
		case 1:
			return identity
		case 3:
			close(looked)
		}
		return nil
	}
	ctx, cancel := contextWithCancel(t)
	done := make(chan error, 1)
	go func() { done <- r.s.Run(ctx) }()
	<-looked
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
