package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/pass"
)

// DayKeys seals pass ids under a key for each day, which it keeps in files of
// their own ("2026-11-22.key", 32 random bytes) outside the database and its
// backups. The end of a key ends every copy of what it sealed.
//
// An id is sealed as one block of AES-256, a permutation of 16 bytes that looks
// random: the same pass gives the same sealed id, which the idempotency key
// needs, and 16 bytes stay 16 bytes. The cipher's key is HKDF-SHA256 (RFC 5869)
// of the day key for the issuer, so that equal ids of two issuers look unlike.
//
// Several processes, also on several machines that share the folder, agree on
// the key of a day: the first to link its file wins. That they do share it is
// what [DB] holds against the database before anything is sealed or opened.
type DayKeys struct {
	dir    string
	mu     sync.RWMutex
	secret map[Day][]byte
	block  map[purpose]cipher.Block
}

type purpose struct {
	day    Day
	issuer string
}

const (
	keySize   = 32
	keySuffix = ".key"
	newPrefix = "new-" // of files that are about to become keys
)

// ErrSealed is returned for visits whose day key is gone.
var ErrSealed = errors.New("the day's key is gone, nobody can open its pass ids any more")

// OpenDayKeys opens the folder at dir, which is created readable by its owner
// only. It belongs on a disk that no backup copies.
func OpenDayKeys(dir string) (*DayKeys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of day keys: %w", err)
	}
	return &DayKeys{dir: dir, secret: map[Day][]byte{}, block: map[purpose]cipher.Block{}}, nil
}

// Dir is the folder.
func (k *DayKeys) Dir() string { return k.dir }

func (k *DayKeys) seal(day Day, issuer string, id pass.ID) (sealed [16]byte, err error) {
	b, err := k.cipher(day, issuer)
	if err == nil {
		b.Encrypt(sealed[:], id[:])
	}
	return sealed, err
}

func (k *DayKeys) open(day Day, issuer string, sealed [16]byte) (id pass.ID, err error) {
	b, err := k.cipher(day, issuer)
	if err == nil {
		b.Decrypt(id[:], sealed[:])
	}
	return id, err
}

func (k *DayKeys) cipher(day Day, issuer string) (cipher.Block, error) {
	p := purpose{day, issuer}
	k.mu.RLock()
	b := k.block[p]
	k.mu.RUnlock()
	if b != nil {
		return b, nil
	}
	key, err := k.key(day, false)
	if err != nil {
		return nil, err
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "munjigi day key "+issuer, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive from the day key: %w", err)
	}
	if b, err = aes.NewCipher(derived); err != nil {
		return nil, fmt.Errorf("derive from the day key: %w", err)
	}
	k.mu.Lock()
	k.block[p] = b
	k.mu.Unlock()
	return b, nil
}

// key is the key of the day, read once; where there is none it is made if
// create says so, or ErrSealed. Callers that create ask Keeps first, or a
// destroyed day would begin anew.
func (k *DayKeys) key(day Day, create bool) ([]byte, error) {
	k.mu.RLock()
	key := k.secret[day]
	k.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	key, err := k.read(day)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err = k.create(day); err == nil {
			key, err = k.read(day)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", day, ErrSealed)
	}
	if err != nil {
		return nil, fmt.Errorf("read the day key: %w", err)
	}
	k.mu.Lock()
	k.secret[day] = key
	k.mu.Unlock()
	return key, nil
}

// forget has the key read anew when it is asked for again.
func (k *DayKeys) forget(day Day) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.secret, day)
}

func (k *DayKeys) path(day Day) string { return filepath.Join(k.dir, day.String()+keySuffix) }

func (k *DayKeys) read(day Day) ([]byte, error) {
	key, err := os.ReadFile(k.path(day))
	if err == nil && len(key) != keySize {
		return nil, fmt.Errorf("%s has %d bytes, want %d: it is damaged, move it away", k.path(day), len(key), keySize)
	}
	return key, err
}

// create makes the key of a day durable before it is used: a key that a power
// cut takes would leave its day sealed for good. link(2) fails where another
// process was first, so that a key is never replaced.
func (k *DayKeys) create(day Day) error {
	key := make([]byte, keySize)
	rand.Read(key)
	f, err := os.CreateTemp(k.dir, newPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		if err = os.Link(f.Name(), k.path(day)); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(f.Name()), syncFolder(k.dir))
}

// destroy ends every key of a day before first: overwritten, unlinked, and the
// folder synced, so that neither its file nor this process can open anything.
func (k *DayKeys) destroy(first Day) (destroyed int, err error) {
	k.mu.Lock()
	for p := range k.block {
		if p.day < first {
			delete(k.block, p)
		}
	}
	for day, key := range k.secret {
		if day < first {
			clear(key)
			delete(k.secret, day)
		}
	}
	k.mu.Unlock()
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return 0, fmt.Errorf("destroy day keys: %w", err)
	}
	var failed []error
	for _, e := range entries {
		name, isKey := strings.CutSuffix(e.Name(), keySuffix)
		t, err := time.ParseInLocation(time.DateOnly, name, Seoul)
		if !isKey || err != nil || DayOf(t) >= first {
			continue
		}
		if err := shred(filepath.Join(k.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("destroy a day key: %w", err))
			continue
		}
		destroyed++
	}
	if destroyed > 0 {
		failed = append(failed, syncFolder(k.dir))
	}
	return destroyed, errors.Join(failed...)
}

// shred overwrites a key before its file goes. Flash storage may keep the old
// block out of reach; docs/scale.md says what to put the folder on.
func shred(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, keySize), 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}
