package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Keys seal what is personal. The data key is one file; beside it stands a key
// for each day of the issue log. None of them is ever in the database, so that
// neither it nor a copy of it names anybody.
type Keys struct {
	fields cipher.AEAD
	tags   []byte
	dir    string // "": day keys in memory only

	mu   sync.Mutex
	days map[int64]*dayKey
}

// dayKey permutes 16-byte blocks: pass ids are unique, so that a single block
// hides them and can still be looked up.
type dayKey struct{ pass, person cipher.Block }

// CreateDataKey writes a fresh data key to path, readable by its owner only.
// One that is there already is an error.
func CreateDataKey(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is kept: move it away to make a new key", path)
	}
	if err != nil {
		return fmt.Errorf("write the data key: %w", err)
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(raw))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the data key: %w", err)
	}
	return nil
}

// OpenKeys reads the data key at path; days is the folder of the day keys,
// made where it is missing.
func OpenKeys(path, days string) (*Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the data key (issuer init makes one): %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the data key %s may be read by others: run chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the data key: %w", err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("the data key %s is not 32 bytes in base64: restore it from where it was kept", path)
	}
	if err := os.MkdirAll(days, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of day keys: %w", err)
	}
	k := newKeys(raw)
	k.dir = days
	return k, nil
}

// MemoryKeys are random keys that end with the process.
func MemoryKeys() *Keys {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	return newKeys(raw)
}

func newKeys(raw []byte) *Keys {
	derive := func(use string) []byte {
		key, err := hkdf.Key(sha256.New, raw, nil, "munjigi issuer "+use, 32)
		if err != nil {
			panic(err) // 32 bytes are never too many
		}
		return key
	}
	aead, err := cipher.NewGCM(block(derive("fields")))
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return &Keys{fields: aead, tags: derive("tags"), days: map[int64]*dayKey{}}
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // keys have 32 bytes
	}
	return b
}

// Tag is a keyed digest of parts, 16 bytes: the same parts give the same tag,
// and without the key it says nothing of them.
func (k *Keys) Tag(parts ...string) []byte {
	h := hmac.New(sha256.New, k.tags)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)[:16]
}

// seal binds plain to its place, so that no field can be moved to another row
// or column.
func (k *Keys) seal(column string, row, plain []byte) []byte {
	nonce := make([]byte, k.fields.NonceSize(), k.fields.NonceSize()+len(plain)+k.fields.Overhead())
	rand.Read(nonce) // never fails
	return k.fields.Seal(nonce, nonce, plain, append([]byte(column+"\x00"), row...))
}

func (k *Keys) open(column string, row, sealed []byte) ([]byte, error) {
	n := k.fields.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("%s is cut short in the database", column)
	}
	plain, err := k.fields.Open(nil, sealed[:n], sealed[n:], append([]byte(column+"\x00"), row...))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: does the data key belong to this database?", column)
	}
	return plain, nil
}

const keySuffix = ".key"

func (k *Keys) path(day int64) string {
	return filepath.Join(k.dir, time.Unix(day*86400, 0).UTC().Format(time.DateOnly)+keySuffix)
}

var errDestroyed = errors.New("the key of that day has been destroyed")

// day returns the key of a day, making it where make is set.
func (k *Keys) day(day int64, make bool) (*dayKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.days[day]; d != nil {
		return d, nil
	}
	raw, err := k.readDay(day, make)
	if err != nil {
		return nil, err
	}
	derive := func(use string) cipher.Block {
		key, err := hkdf.Key(sha256.New, raw, k.tags, "munjigi issue log "+use, 32)
		if err != nil {
			panic(err) // 32 bytes are never too many
		}
		return block(key)
	}
	d := &dayKey{pass: derive("pass"), person: derive("person")}
	k.days[day] = d
	return d, nil
}

func (k *Keys) readDay(day int64, create bool) ([]byte, error) {
	if k.dir != "" {
		raw, err := os.ReadFile(k.path(day))
		if err == nil && len(raw) == 32 {
			return raw, nil
		}
		if err == nil {
			return nil, fmt.Errorf("the day key %s does not hold 32 bytes", k.path(day))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read a day key: %w", err)
		}
	}
	if !create {
		return nil, errDestroyed
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	if k.dir == "" {
		return raw, nil
	}
	// Durable before the first row needs it: file, then its name.
	f, err := os.OpenFile(k.path(day), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write a day key: %w", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(k.dir)); err != nil {
		os.Remove(k.path(day)) // a half-written key must not stay
		return nil, fmt.Errorf("write a day key: %w", err)
	}
	return raw, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// destroy overwrites and removes the keys of the days before day.
func (k *Keys) destroy(before int64) (n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for day := range k.days {
		if day < before {
			delete(k.days, day)
			if k.dir == "" {
				n++
			}
		}
	}
	if k.dir == "" {
		return n, nil
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return n, fmt.Errorf("list the day keys: %w", err)
	}
	var all []error
	for _, e := range entries {
		date, err := time.Parse(time.DateOnly, strings.TrimSuffix(e.Name(), keySuffix))
		if err != nil || date.Unix()/86400 >= before {
			continue
		}
		path := filepath.Join(k.dir, e.Name())
		if err := errors.Join(overwrite(path), os.Remove(path)); err != nil {
			all = append(all, fmt.Errorf("destroy the day key %s: %w", e.Name(), err))
			continue
		}
		n++
	}
	return n, errors.Join(append(all, syncDir(k.dir))...)
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 32))
	return errors.Join(err, f.Sync(), f.Close())
}

// seal hides a row of the issue log: the person's block is mixed with the
// pass's, so that two passes of one person have nothing in common.
func (d *dayKey) seal(pass, person [16]byte) (sealedPass, sealedPerson []byte) {
	sealedPass, sealedPerson = make([]byte, 16), make([]byte, 16)
	d.pass.Encrypt(sealedPass, pass[:])
	for i := range person {
		sealedPerson[i] = person[i] ^ sealedPass[i]
	}
	d.person.Encrypt(sealedPerson, sealedPerson)
	return sealedPass, sealedPerson
}

func (d *dayKey) open(sealedPass, sealedPerson []byte) (person [16]byte, err error) {
	if len(sealedPass) != 16 || len(sealedPerson) != 16 {
		return person, errors.New("a row of the issue log has " + strconv.Itoa(len(sealedPerson)) + " bytes, want 16")
	}
	d.person.Decrypt(person[:], sealedPerson)
	for i := range person {
		person[i] ^= sealedPass[i]
	}
	return person, nil
}
