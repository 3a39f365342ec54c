package registry

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/munjigi/munjigi/pass"
)

// Bundles yields the trust bundle in force.
type Bundles interface {
	Bundle() *pass.Bundle
}

// BundleFile is a trust bundle on disk, re-read when the file changes. It is
// replaced by a verified one with a higher number only; whatever else happens
// to the file, the last good one stays (DESIGN, law 7). The operator replaces
// the file by a rename, so that it is never read half written; a torn one
// would not verify.
type BundleFile struct {
	path string
	root ed25519.PublicKey
	log  *slog.Logger

	mu   sync.Mutex
	seen os.FileInfo // of the file last read, good or bad
	last *pass.Bundle
}

// OpenBundleFile reads the bundle at path and verifies it with the root key.
func OpenBundleFile(path string, root ed25519.PublicKey, log *slog.Logger) (*BundleFile, error) {
	f := &BundleFile{path: path, root: root, log: log}
	var err error
	if f.seen, err = os.Stat(path); err != nil {
		return nil, fmt.Errorf("read the trust bundle (make one with registry bundle): %w", err)
	}
	if f.last, err = f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Bundle implements Bundles.
func (f *BundleFile) Bundle() *pass.Bundle {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil || same(info, f.seen) {
		return f.last
	}
	f.seen = info
	next, err := f.read()
	switch {
	case err != nil:
		f.log.Warn("the new trust bundle is not taken", "file", f.path, "error", err, "kept", f.last.Number())
	case next.Number() <= f.last.Number():
		if string(next.Raw()) != string(f.last.Raw()) {
			f.log.Warn("the new trust bundle is not taken: its number must be higher", "file", f.path, "number", next.Number(), "kept", f.last.Number())
		}
	default:
		f.log.Info("trust bundle replaced", "number", next.Number(), "expires", next.Expires())
		f.last = next
	}
	return f.last
}

func (f *BundleFile) read() (*pass.Bundle, error) {
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the trust bundle: %w", err)
	}
	b, err := pass.OpenBundle(raw, f.root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return b, nil
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
