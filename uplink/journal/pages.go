package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// What bbolt writes (its internal/common, page.go and meta.go), in the byte
// order of every board there is: the library itself believes its pages and
// panics on some that are damaged, so that a file is looked at here before it
// is given to it.
const (
	pageHead    = 16 // id 8, flags 2, count 2, overflow 4
	elementHead = 16 // leaf: flags 4, pos 4, ksize 4, vsize 4; branch: pos 4, ksize 4, page 8
	bucketHead  = 16 // root page 8, sequence 8; a small bucket's only page follows

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf's element

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = 1<<64 - 1
	maxDepth    = 32
)

var order = binary.LittleEndian

// errDamaged is under every finding about a page.
var errDamaged = errors.New("damaged")

// file is a journal's file read page by page, believing nothing.
type file struct {
	r        io.ReaderAt
	size     int64 // bytes
	pageSize int64
	pages    uint64 // of the last transaction: its high water mark
	root     uint64
	freelist uint64
	unread   map[uint64]error // pages that the disk does not give
}

// bucket is a bucket of the last transaction.
type bucket struct {
	root     uint64
	sequence uint64
	inline   []byte // its page where root is 0
}

// readMeta finds the last transaction, as bbolt does: the valid meta page with
// the higher number. A cut leaves one of the two half written.
func (f *file) readMeta() error {
	var best uint64
	found := false
	// The second meta page stands where the page size says, which the first
	// would tell: every size is tried.
	for _, off := range []int64{0, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16} {
		m := make([]byte, pageHead+64)
		if _, err := f.r.ReadAt(m, off); err != nil {
			if !errors.Is(err, io.EOF) {
				f.unread[uint64(off)/4096] = err
			}
			continue
		}
		m = m[pageHead:]
		sum := fnv.New64a()
		sum.Write(m[:56])
		size := int64(order.Uint32(m[8:]))
		if order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion || order.Uint64(m[56:]) != sum.Sum64() || off != 0 && off != size || size < 1<<10 || size > 1<<16 {
			continue
		}
		if txid := order.Uint64(m[48:]); !found || txid > best {
			found, best = true, txid
			f.pageSize, f.root, f.freelist, f.pages = size, order.Uint64(m[16:]), order.Uint64(m[32:]), order.Uint64(m[40:])
		}
	}
	if !found {
		return fmt.Errorf("no meta page is valid: %w", errDamaged)
	}
	return nil
}

// page reads a page with what overflows it, and looks at its head.
func (f *file) page(id uint64, flags uint16) ([]byte, error) {
	head := make([]byte, pageHead)
	if id < 2 || id >= f.pages {
		return nil, fmt.Errorf("there is no page %d: %w", id, errDamaged)
	}
	if err := f.read(head, id); err != nil {
		return nil, err
	}
	over := uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || order.Uint16(head[8:])&^flags != 0 || order.Uint16(head[8:]) == 0 || over >= f.pages-id {
		return nil, fmt.Errorf("page %d is none: %w", id, errDamaged)
	}
	data := make([]byte, int64(over+1)*f.pageSize)
	return data, f.read(data, id)
}

func (f *file) read(b []byte, id uint64) error {
	_, err := f.r.ReadAt(b, int64(id)*f.pageSize)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("page %d is cut off: %w", id, errDamaged)
	}
	f.unread[id] = err
	return fmt.Errorf("page %d: %w (%w)", id, errDamaged, err)
}

// element is one record of a leaf.
type element struct {
	bucket   bool
	key, val []byte
}

// leaf takes a leaf page apart. A page is whole or damaged: its elements must
// lie within it, and their keys in order.
func leaf(data []byte) ([]element, error) {
	if len(data) < pageHead || order.Uint16(data[8:]) != flagLeaf {
		return nil, fmt.Errorf("a leaf is none: %w", errDamaged)
	}
	n := int(order.Uint16(data[10:]))
	if pageHead+n*elementHead > len(data) {
		return nil, fmt.Errorf("a leaf's elements do not fit it: %w", errDamaged)
	}
	out := make([]element, n)
	for i := range out {
		at := uint64(pageHead + i*elementHead)
		e := data[at:]
		flags, start := order.Uint32(e), at+uint64(order.Uint32(e[4:]))
		mid := start + uint64(order.Uint32(e[8:]))
		end := mid + uint64(order.Uint32(e[12:]))
		if flags > flagBucket || start < uint64(pageHead+n*elementHead) || mid == start || end > uint64(len(data)) {
			return nil, fmt.Errorf("a leaf's element lies outside it: %w", errDamaged)
		}
		out[i] = element{flags == flagBucket, data[start:mid], data[mid:end]}
		if i > 0 && bytes.Compare(out[i-1].key, out[i].key) >= 0 {
			return nil, fmt.Errorf("a leaf's keys are out of order: %w", errDamaged)
		}
	}
	return out, nil
}

// child is a page that a branch names, with the lowest key it may hold.
type child struct {
	id  uint64
	key []byte
}

func children(data []byte) ([]child, error) {
	n := int(order.Uint16(data[10:]))
	if n == 0 || pageHead+n*elementHead > len(data) {
		return nil, fmt.Errorf("a branch's elements do not fit it: %w", errDamaged)
	}
	out := make([]child, n)
	for i := range out {
		at := uint64(pageHead + i*elementHead)
		e := data[at:]
		start := at + uint64(order.Uint32(e))
		end := start + uint64(order.Uint32(e[4:]))
		if start < uint64(pageHead+n*elementHead) || end > uint64(len(data)) {
			return nil, fmt.Errorf("a branch's element lies outside it: %w", errDamaged)
		}
		out[i] = child{order.Uint64(e[8:]), data[start:end]}
	}
	return out, nil
}

// walker goes through one bucket's pages.
type walker struct {
	*file
	used map[uint64]bool // by all walkers of a file
	last []byte          // the key it came by last: keys only rise
}

// walk gives every leaf's elements below a page, whose keys are least or above.
// What is damaged is left out and joined to the error.
func (w *walker) walk(id uint64, least []byte, depth int, give func(element) error) error {
	data, err := w.page(id, flagBranch|flagLeaf)
	if err != nil {
		return err
	}
	for i := range uint64(len(data)) / uint64(w.pageSize) {
		if w.used[id+i] || depth > maxDepth {
			return fmt.Errorf("page %d is used twice: %w", id+i, errDamaged)
		}
		w.used[id+i] = true
	}
	if order.Uint16(data[8:]) == flagLeaf {
		all, err := leaf(data)
		return errors.Join(err, w.each(all, least, give))
	}
	all, err := children(data)
	for _, c := range all {
		if w.last != nil && bytes.Compare(w.last, c.key) >= 0 || bytes.Compare(c.key, least) < 0 {
			err = errors.Join(err, fmt.Errorf("page %d names a child out of order: %w", id, errDamaged))
		}
		err = errors.Join(err, w.walk(c.id, c.key, depth+1, give))
	}
	return err
}

func (w *walker) each(all []element, least []byte, give func(element) error) (err error) {
	for _, e := range all {
		if w.last != nil && bytes.Compare(w.last, e.key) >= 0 || bytes.Compare(e.key, least) < 0 {
			err = errors.Join(err, fmt.Errorf("a key is out of order: %w", errDamaged))
		}
		w.last = e.key
		err = errors.Join(err, give(e))
	}
	return err
}

// openBucket reads a bucket's head.
func openBucket(val []byte) (bucket, error) {
	if len(val) < bucketHead {
		return bucket{}, fmt.Errorf("a bucket is cut off: %w", errDamaged)
	}
	b := bucket{root: order.Uint64(val), sequence: order.Uint64(val[8:])}
	if b.root == 0 {
		b.inline = val[bucketHead:]
	}
	return b, nil
}

// records gives every record of the last transaction with its bucket's name.
// What is damaged is left out and joined to the error.
func (f *file) records(head func(name string, b bucket), give func(name string, e element)) error {
	used := map[uint64]bool{}
	buckets := &walker{file: f, used: used}
	err := buckets.walk(f.root, nil, 0, func(e element) error {
		b, err := openBucket(e.val)
		if err != nil || !e.bucket {
			return fmt.Errorf("a record lies outside of a bucket: %w", errDamaged)
		}
		name, w := string(e.key), &walker{file: f, used: used}
		head(name, b)
		each := func(e element) error {
			if e.bucket {
				return fmt.Errorf("a bucket lies in %s: %w", name, errDamaged)
			}
			give(name, e)
			return nil
		}
		if b.root != 0 {
			return w.walk(b.root, nil, 0, each)
		}
		all, err := leaf(b.inline)
		return errors.Join(err, w.each(all, nil, each))
	})
	return errors.Join(err, f.checkFree(used))
}

// checkFree holds that no page in use is given away: the next write would
// overwrite it.
func (f *file) checkFree(used map[uint64]bool) error {
	if f.freelist == noFreelist {
		return nil
	}
	data, err := f.page(f.freelist, flagFreelist)
	if err != nil {
		return err
	}
	for i := range uint64(len(data)) / uint64(f.pageSize) {
		if used[f.freelist+i] {
			return fmt.Errorf("the list of free pages lies in a page that is in use: %w", errDamaged)
		}
		used[f.freelist+i] = true
	}
	ids, n := data[pageHead:], uint64(order.Uint16(data[10:]))
	if n == 0xFFFF {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return fmt.Errorf("the list of free pages is cut off: %w", errDamaged)
	}
	for i := range n {
		if id := order.Uint64(ids[8*i:]); id < 2 || id >= f.pages || used[id] {
			return fmt.Errorf("page %d is said to be free: %w", id, errDamaged)
		}
		used[order.Uint64(ids[8*i:])] = true
	}
	return nil
}
