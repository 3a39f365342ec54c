//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/uplink/journal"
)

// replayAll cuts a recorded log of writes at random places: what was flushed is
// there, of what was not a part is, torn here and there. Each disk that comes
// of it is mounted by this kernel, its journal read and opened as the kiosk
// does, and its file system checked.
func replayAll(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("powercut replay", flag.ExitOnError)
	n := f.Int("n", 1000, "how many cuts")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the places")
	base := f.String("base", "", "image of the disk before the first write of the log")
	file := f.String("log", "", "the log")
	device := f.String("device", "", "a block device of the disk's size, to be written over")
	folder := f.String("mount", "", "where it may be mounted")
	broken := f.Bool("unsynced", false, "the kiosk's fsync was taken away: demand that this is noticed")
	f.Parse(args)
	disk, err := os.ReadFile(*base)
	if err != nil {
		return err
	}
	log, err := readLog(*file)
	if err != nil {
		return err
	}
	r := replay{device: *device, folder: *folder, rng: rand.New(rand.NewPCG(*seed, 0))}
	began, ready := time.Now(), slices.IndexFunc(log, func(w write) bool { return w.mark == "enrolled" })
	places := make([]int, *n)
	for i := range places {
		places[i] = ready + r.rng.IntN(len(log)-ready) + 1
		if i%20 == 0 {
			places[i] = r.rng.IntN(len(log)) // also while it is enrolled
		}
	}
	slices.Sort(places)
	announced, lost, twice, with := map[uint64]string{}, 0, 0, 0
	sure, at := 0, 0 // disk holds log[:sure]; the marks of log[:at] are in announced
	var faults []string
	for _, place := range places {
		for ; at < place; at++ {
			w := &log[at]
			if strings.HasPrefix(w.mark, "told:") {
				var seq uint64
				var hash string
				fmt.Sscanf(w.mark, "told:%d:%s", &seq, &hash)
				announced[seq] = hash
			}
			if w.flags&flush == 0 {
				continue
			}
			// All before it is on the disk, and itself where it says so.
			for ; sure < at; sure++ {
				log[sure].on(disk)
			}
			if w.flags&fua != 0 {
				w.on(disk)
				sure++
			}
		}
		k, err := r.look(r.cut(disk, log[sure:place]))
		if err != nil {
			faults = append(faults, fmt.Sprintf("cut at entry %d of %d: %v", place, len(log), err))
		}
		missing := 0
		for seq, hash := range announced {
			if k.visits[seq] != hash {
				missing++
			}
		}
		lost, twice = lost+missing, twice+k.twice
		if len(announced) > 0 {
			with++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("%d cuts of a log of %d writes (seed %d), %d of them with announced visits, %d at the end; %d writes were dropped, %d torn\n",
		len(places), len(log), *seed, with, len(announced), r.dropped, r.torn)
	fmt.Fprintf(os.Stderr, "replayed in %v of the guest's time\n", time.Since(began).Round(time.Second))
	bad := lost > 0 || twice > 0 || len(faults) > 0
	switch {
	case *broken && !bad:
		return errors.New("the kiosk's syncs were taken away and nothing shows it: this test cannot fail")
	case *broken:
		fmt.Printf("with fsync taken out: %d announced visits lost, %d disks broken%s\n", lost, len(faults), first(faults))
		return nil
	case bad:
		return fmt.Errorf("%d announced visits lost, %d kept twice\n  %s", lost, twice, strings.Join(faults[:min(len(faults), 10)], "\n  "))
	case with < len(places)/2:
		return errors.New("too few cuts came after an announcement: this proves little")
	}
	fmt.Printf("bench: hil.powercut.replayed %d count\nbench: hil.powercut.replayed.lost %d count\n", len(places), lost)
	return nil
}

type replay struct {
	device, folder string
	rng            *rand.Rand
	dropped, torn  int
}

// cut returns what a disk holds of which sure is certain, and the rest was on
// its way.
func (r *replay) cut(sure []byte, rest []write) []byte {
	disk := slices.Clone(sure)
	for i := range rest {
		w := &rest[i]
		switch chance := r.rng.IntN(8); {
		case w.flags&fua != 0 || chance < 3:
			w.on(disk)
		case chance == 3 && len(w.data) > tear: // some of its pieces
			r.torn++
			for from := 0; from < len(w.data); from += tear {
				if r.rng.IntN(2) == 0 {
					copy(disk[w.offset+int64(from):], w.data[from:min(from+tear, len(w.data))])
				}
			}
		default:
			r.dropped++
		}
	}
	return disk
}

// tear is the least that arrives whole. ext4 takes its superblock of 1,024 bytes
// for one write, which it does not journal where it is unmounted; a disk of
// sectors of 512 bytes that tears it is mended by fsck from the superblock's copy,
// which an image as small as this one has not.
const tear = 1024

// look mounts the disk, reads the journal, opens it as the kiosk does, and
// checks the file system.
func (r *replay) look(disk []byte) (k kept, err error) {
	if err := r.put(disk); err != nil {
		return k, err
	}
	if err := unix.Mount(r.device, r.folder, "ext4", 0, ""); err != nil {
		return k, fmt.Errorf("mount: %w", err)
	}
	k, err = read(filepath.Join(r.folder, "journal.db"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // cut before it was made
	} else if err == nil {
		err = open(filepath.Join(r.folder, "journal.db"))
	}
	if uerr := unix.Unmount(r.folder, 0); uerr != nil {
		return k, errors.Join(err, fmt.Errorf("unmount: %w", uerr))
	}
	return k, errors.Join(err, tool("e2fsck", "-fn", r.device))
}

// put writes the disk.
func (r *replay) put(disk []byte) error {
	f, err := os.OpenFile(r.device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(disk)
	return errors.Join(err, f.Sync(), f.Close())
}

// open opens the journal with the kiosk's own code, and writes to it.
func open(path string) error {
	j, err := journal.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(j.Probe(), j.Compact(), j.Close())
}
