// Package rosterfile follows the authority's roster on disk, for the registry
// and for issuers: [File.Roster] is always the newest good one.
package rosterfile

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/munjigi/munjigi/pass/trace"
)

// File is the authority's roster on disk, read again when the file
// changes. It is replaced by a verified one with a higher number only; whatever
// else happens to the file, the last good one stays.
type File struct {
	path      string
	authority ed25519.PublicKey
	log       *slog.Logger

	mu   sync.Mutex
	seen os.FileInfo // of the file last read, good or bad
	last *trace.Roster
}

// Open reads the roster at path, signed by the authority's key. A
// file that is not there yet is no error: Roster is nil until it is.
func Open(path string, authority ed25519.PublicKey, log *slog.Logger) (*File, error) {
	f := &File{path: path, authority: authority, log: log}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	f.seen = info
	if f.last, err = f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Roster is the roster in force, nil while there has been none.
func (f *File) Roster() *trace.Roster {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil || f.seen != nil && os.SameFile(info, f.seen) && info.ModTime().Equal(f.seen.ModTime()) && info.Size() == f.seen.Size() {
		return f.last
	}
	f.seen = info
	next, err := f.read()
	switch {
	case err != nil:
		f.log.Warn("the new roster is not taken", "file", f.path, "error", err)
	case f.last != nil && next.Number() <= f.last.Number():
		if string(next.Raw()) != string(f.last.Raw()) {
			f.log.Warn("the new roster is not taken: its number must be higher", "file", f.path, "number", next.Number(), "kept", f.last.Number())
		}
	default:
		f.log.Info("roster taken", "number", next.Number(), "expires", next.Expires())
		f.last = next
	}
	return f.last
}

func (f *File) read() (*trace.Roster, error) {
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	r, err := trace.OpenRoster(raw, f.authority)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return r, nil
}
