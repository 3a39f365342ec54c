// Package slot keeps which of two root file systems starts, in two checksummed
// copies that the boot loader also reads and writes. FORMAT.md says how, and why
// a power cut leaves one of them whole.
package slot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

// Where the copies lie on the card, and their size, in bytes.
const (
	first, second = 4 << 20, 8 << 20
	size          = 4096
)

// What a root's tries may be besides 1 and 2.
const (
	Bad   = 0
	Trial = 3 // starts that a new root has to prove itself
	Good  = 9
)

// State is what starts. The zero State is none.
type State struct {
	Primary string         // "A" or "B"
	Left    map[string]int // of A and B: Bad, 1 to Trial, or Good
}

// fresh is how a card begins: A is good, and there is no B.
func fresh() State { return State{Primary: "A", Left: map[string]int{"A": Good, "B": Bad}} }

// Starts is the root that would start now.
func (s State) Starts() string {
	if s.Left[s.Primary] == Bad {
		return Other(s.Primary)
	}
	return s.Primary
}

// Other is the other root.
func Other(name string) string {
	if name == "A" {
		return "B"
	}
	return "A"
}

// Card is where the copies lie: the whole card, or a picture of it.
type Card interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

var _ Card = (*os.File)(nil)

// Read is the newer whole copy, or how a card begins where none is whole.
func Read(c Card) (State, error) {
	s, _, _, err := newest(c)
	return s, err
}

// Change reads the state, changes it, and writes it into the copy that does not
// count. It returns once that is on the card.
func Change(c Card, change func(*State)) error {
	s, seq, at, err := newest(c)
	if err != nil {
		return err
	}
	change(&s)
	if _, err := c.WriteAt(encode(s, (seq+1)%3), at); err != nil {
		return fmt.Errorf("write the boot state: %w", err)
	}
	if err := c.Sync(); err != nil {
		return fmt.Errorf("flush the boot state: %w", err)
	}
	return nil
}

// newest also returns the state's number and where the next one is written.
func newest(c Card) (s State, seq int, next int64, err error) {
	var one, two [size]byte
	for _, r := range []struct {
		b  []byte
		at int64
	}{{one[:], first}, {two[:], second}} {
		if _, err := c.ReadAt(r.b, r.at); err != nil && !errors.Is(err, io.EOF) {
			return s, 0, 0, fmt.Errorf("read the boot state: %w", err)
		}
	}
	a, na, okA := decode(one[:])
	b, nb, okB := decode(two[:])
	switch {
	case okB && (!okA || nb == (na+1)%3):
		return b, nb, first, nil
	case okA:
		return a, na, second, nil
	}
	return fresh(), 0, first, nil
}

func encode(s State, seq int) []byte {
	b := make([]byte, size)
	copy(b[4:], fmt.Sprintf("left_A=%d\x00left_B=%d\x00primary=%s\x00seq=%d\x00", s.Left["A"], s.Left["B"], s.Primary, seq))
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}

// decode also says whether the copy is whole and means something.
func decode(b []byte) (s State, seq int, ok bool) {
	if binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return s, 0, false
	}
	list, _, _ := bytes.Cut(b[4:], []byte{0, 0})
	at := map[string]string{}
	for word := range strings.SplitSeq(string(list), "\x00") {
		name, value, _ := strings.Cut(word, "=")
		at[name] = value
	}
	digit := func(name, allowed string) int {
		v := at[name]
		if len(v) != 1 || !strings.Contains(allowed, v) {
			ok = false
			return 0
		}
		return int(v[0] - '0')
	}
	ok = at["primary"] == "A" || at["primary"] == "B"
	seq = digit("seq", "012")
	s = State{Primary: at["primary"], Left: map[string]int{"A": digit("left_A", "01239"), "B": digit("left_B", "01239")}}
	return s, seq, ok
}
