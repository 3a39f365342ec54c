//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// write is one entry of a log that the kernel's dm-log-writes kept
// (Documentation/admin-guide/device-mapper/log-writes.rst and
// drivers/md/dm-log-writes.c): what reached the device, in the order in which
// it became sure. A write that no flush followed appears before the flush that
// made it sure, and not before; one with FUA when it was done.
type write struct {
	offset  int64 // bytes
	data    []byte
	flags   uint64
	mark    string
	discard int64 // bytes
}

const (
	flush   = 1 << 0
	fua     = 1 << 1
	discard = 1 << 2
	mark    = 1 << 3

	logMagic = 0x6a736677736872
	sector   = 512
)

// readLog reads a whole log.
func readLog(path string) ([]write, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var super struct {
		Magic, Version, Entries uint64
		Sector                  uint32
	}
	block := make([]byte, sector)
	next := func() error { _, err := io.ReadFull(f, block); return err }
	if err := next(); err != nil {
		return nil, err
	}
	binary.Decode(block, binary.LittleEndian, &super)
	if super.Magic != logMagic || super.Version != 1 || super.Sector != sector {
		return nil, errors.New("this is no log of writes in sectors of 512 bytes")
	}
	log := make([]write, super.Entries)
	for i := range log {
		if err := next(); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i, len(log), err)
		}
		var e struct{ Sector, Sectors, Flags, Length uint64 }
		n, _ := binary.Decode(block, binary.LittleEndian, &e)
		w := write{offset: int64(e.Sector) * sector, flags: e.Flags}
		size := int64(e.Sectors) * sector
		switch {
		case e.Flags&mark != 0:
			w.mark = string(bytes.TrimRight(block[n:][:min(e.Length, uint64(sector-n))], "\x00"))
		case e.Flags&discard != 0:
			w.discard = size
		default:
			w.data = make([]byte, size)
			if _, err := io.ReadFull(f, w.data); err != nil {
				return nil, fmt.Errorf("entry %d of %d: %w", i, len(log), err)
			}
		}
		log[i] = w
	}
	return log, nil
}

// on carries the write out.
func (w *write) on(disk []byte) {
	copy(disk[w.offset:], w.data)
	clear(disk[w.offset:][:w.discard])
}
