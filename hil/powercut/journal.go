//go:build linux && amd64

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
)

// kept is what a journal holds, read by the words of its format alone
// (uplink/journal/FORMAT.md), not by the code that wrote it.
type kept struct {
	visits map[uint64]string // sequence → start of the signed pass's SHA-256, in hex
	twice  int               // visits whose pass another visit has, too
	last   uint64            // the highest sequence number given so far
}

// read opens the journal at path and everything in it.
func read(path string) (k kept, err error) {
	defer func() {
		if p := recover(); p != nil { // bbolt's, of a damaged file
			err = fmt.Errorf("the journal is damaged: %v", p)
		}
	}()
	k.visits = map[uint64]string{}
	if _, err := os.Stat(path); err != nil {
		return k, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return k, fmt.Errorf("the journal cannot be opened: %w", err)
	}
	defer db.Close()
	return k, db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return fmt.Errorf("the journal is damaged: %w", err)
		}
		visits := tx.Bucket([]byte("visits"))
		if visits == nil {
			return nil // cut before it was first written
		}
		k.last = visits.Sequence()
		passes := map[string]bool{}
		return visits.ForEach(func(key, value []byte) error {
			var v struct {
				Pass []byte `cbor:"3,keyasint"`
			}
			if err := cbor.Unmarshal(value, &v); err != nil {
				return fmt.Errorf("visit %x is damaged: %w", key, err)
			}
			sum := sha256.Sum256(v.Pass)
			hash := fmt.Sprintf("%x", sum[:8])
			if passes[hash] {
				k.twice++
			}
			passes[hash] = true
			k.visits[binary.BigEndian.Uint64(key)] = hash
			return nil
		})
	})
}

// dump copies a file out of an ext4 image, which nobody has mounted.
func dump(image, from, dir string) (string, error) {
	to := filepath.Join(dir, filepath.Base(from))
	os.Remove(to)
	if err := tool("debugfs", "-R", fmt.Sprintf("dump %s %s", from, to), image); err != nil {
		return "", err
	}
	if _, err := os.Stat(to); err != nil {
		return "", fmt.Errorf("%s is not in the image", from)
	}
	return to, nil
}
