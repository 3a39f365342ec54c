package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/wire"
)

// salvage is what a damaged file still says. What its last transaction says
// goes before what is only found lying in the file: bbolt leaves old pages
// standing, so that much of what a damaged page held stands there once more. A
// visit that was sent long ago may be among it; the registry knows it and says
// so.
type salvage struct {
	visits  []wire.Visit
	aside   map[uint64]aside // by number
	used    map[string]mark
	counts  map[string]uint64
	numbers map[string]uint64 // of the bucket meta
	kiosk   string
	seq     uint64
	newest  int64           // time of a visit, Unix ms
	known   map[string]bool // signed passes of visits
}

func newSalvage() *salvage {
	return &salvage{aside: map[uint64]aside{}, used: map[string]mark{}, counts: map[string]uint64{}, numbers: map[string]uint64{}, known: map[string]bool{}}
}

// tree takes what the last transaction holds and says whether anything of it is
// damaged.
func (s *salvage) tree(f *file) error {
	if err := f.readMeta(); err != nil {
		f.pageSize = int64(os.Getpagesize())
		return err
	}
	var records error // that lie in whole pages and are damaged themselves
	bad := func(bucket []byte) { records = fmt.Errorf("a record of %s cannot be read: %w", bucket, errDamaged) }
	err := f.records(func(name string, b bucket) {
		if name == string(bucketVisits) && b.sequence < maxSeq {
			s.seq = max(s.seq, b.sequence)
		}
	}, func(name string, e element) {
		switch name {
		case string(bucketVisits):
			var v wire.Visit
			if cose.Unmarshal(e.val, &v) == nil && len(e.key) == 8 && binary.BigEndian.Uint64(e.key) == v.Seq {
				s.visit(v)
			} else {
				bad(bucketVisits)
			}
		case string(bucketAside):
			var a aside
			if cose.Unmarshal(e.val, &a) == nil {
				s.setAside(a)
			} else {
				bad(bucketAside)
			}
		default:
			if name == string(bucketUsed) && cose.Unmarshal(e.val, new(mark)) != nil {
				bad(bucketUsed)
			}
			s.small(e)
		}
	})
	return errors.Join(err, records)
}

// rest looks through the whole file: for visits at every byte, since what is
// around them may be gone, and for the small records in every page that is
// whole.
func (s *salvage) rest(f *file) error {
	f.pages = uint64((f.size + f.pageSize - 1) / f.pageSize)
	for id := range f.pages {
		data, err := f.page(id, flagLeaf)
		if err != nil {
			continue
		}
		s.leaf(data)
	}
	return s.carve(f)
}

func (s *salvage) leaf(data []byte) {
	all, err := leaf(data)
	if err != nil {
		return
	}
	for _, e := range all {
		if !e.bucket {
			s.small(e)
		} else if b, err := openBucket(e.val); err == nil {
			if b.sequence < maxSeq {
				s.seq = max(s.seq, b.sequence)
			}
			s.leaf(b.inline)
		}
	}
}

// small takes a record by its shape: a used mark, a count or a number. Of
// several the highest is the last.
func (s *salvage) small(e element) {
	key, n := string(e.key), len(e.key)
	var number uint64
	if len(e.val) == 8 {
		number = binary.BigEndian.Uint64(e.val)
	}
	switch key {
	case string(keyClock):
		s.numbers[key] = max(s.numbers[key], number)
		return
	case string(keyDestroyed), string(keyUnkept), string(keyMended), string(keySalvaged):
		if number < maxSeq {
			s.numbers[key] = max(s.numbers[key], number)
		}
		return
	case string(keyKiosk):
		if s.kiosk == "" {
			s.kiosk = string(e.val)
		}
		return
	}
	var m mark
	switch {
	case n == 9 && len(e.val) == 8 && number < 1<<32 && (e.key[8] == countVisit || e.key[8] == countStaff):
		s.counts[key] = max(s.counts[key], number)
	case n > 17 && e.key[n-17] == 0 && pass.CheckIssuer(key[:n-17]) == nil && cose.Unmarshal(e.val, &m) == nil:
		m.Announced = max(m.Announced, s.used[key].Announced)
		s.used[key] = m
	}
}

func (s *salvage) visit(v wire.Visit) {
	if s.known[string(v.Pass)] {
		return
	}
	s.known[string(v.Pass)] = true
	s.visits = append(s.visits, v)
	s.seq, s.newest = max(s.seq, v.Seq), max(s.newest, v.At)
}

func (s *salvage) setAside(a aside) {
	if s.known[string(a.Visit.Pass)] || s.aside[a.Visit.Seq].Visit.Pass != nil {
		return
	}
	s.known[string(a.Visit.Pass)] = true
	s.aside[a.Visit.Seq] = a
	s.seq = max(s.seq, a.Visit.Seq)
}

// window is how much of a file is looked at together, overlap the longest
// record.
const (
	window  = 1 << 20
	overlap = 4 << 10
)

// carve finds visits by their bytes alone. What the registry had refused is
// taken first: it must not be sent under another kiosk's name.
func (s *salvage) carve(f *file) error {
	var visits []wire.Visit
	data := make([]byte, window+overlap)
	for off := int64(0); off < f.size; off += window {
		n, err := f.r.ReadAt(data, off)
		if err != nil && !errors.Is(err, io.EOF) {
			n = f.readAround(data, off)
		}
		for i := 0; i < min(n, window); i++ {
			switch b := data[i:n]; {
			case len(b) < 4 || b[1] != 1:
			case b[0] == 0xa2 && (b[2] == 0xa3 || b[2] == 0xa4):
				var a aside
				if rest, err := cose.UnmarshalFirst(b, &a); err == nil && plausible(a.Visit) {
					s.setAside(a)
					i += len(b) - len(rest) - 1
				}
			case b[0] == 0xa3 || b[0] == 0xa4:
				var v wire.Visit
				if rest, err := cose.UnmarshalFirst(b, &v); err == nil && plausible(v) {
					visits = append(visits, v)
					i += len(b) - len(rest) - 1
				}
			}
		}
	}
	for _, v := range visits {
		s.visit(v)
	}
	slices.SortFunc(s.visits, func(a, b wire.Visit) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.Pass, b.Pass))
	})
	return nil
}

// readAround reads what the disk gives, page by page, and zeros for the rest.
func (f *file) readAround(data []byte, off int64) int {
	clear(data)
	for i := int64(0); i < int64(len(data)); i += f.pageSize {
		_, _ = f.r.ReadAt(data[i:min(i+f.pageSize, int64(len(data)))], off+i)
	}
	return int(min(int64(len(data)), f.size-off))
}

// plausible says whether bytes that look like a visit are one.
func plausible(v wire.Visit) bool {
	if v.Seq == 0 || v.Seq >= maxSeq || v.At <= 0 {
		return false
	}
	_, err := pass.ParseBytes(v.Pass)
	return err == nil
}

// oldest is when the oldest visit was, the zero time for none.
func (s *salvage) oldest() (t time.Time) {
	older := func(v wire.Visit) {
		if at := v.Time(); t.IsZero() || at.Before(t) {
			t = at
		}
	}
	for _, v := range s.visits {
		older(v)
	}
	for _, a := range s.aside {
		older(a.Visit)
	}
	return t
}

// maxOrphans is far more than the visits of the seconds that a pass lives.
const maxOrphans = 256

// orphans are the newest visits without a used mark: it is lost, and what they
// are of must not be admitted once more.
func (s *salvage) orphans() map[string]bool {
	marked := map[uint64]bool{}
	for _, m := range s.used {
		marked[m.Seq] = true
	}
	out := map[string]bool{}
	for _, v := range slices.Backward(s.visits) {
		if len(out) == maxOrphans {
			break
		}
		if !marked[v.Seq] {
			out[string(v.Pass)] = true
		}
	}
	return out
}
