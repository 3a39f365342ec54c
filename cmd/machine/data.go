package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/machine"
)

// dataPartition is where everything that is written lies (image/genimage.cfg).
const dataPartition = "/dev/disk/by-partuuid/6d6a6b31-04"

// checks of the data partition, each for what the one before could not mend: what a
// pulled plug leaves (the log is replayed) and damage, and a lost superblock, of which
// ext4 keeps copies at the beginning of the block groups 1 and 3 (mke2fs(8),
// sparse_super). e2fsck looks for them itself where it sees that the first is gone.
//
// None asks for -p: where the group descriptors are damaged it first drops the log and
// then gives up, and e2fsck -y finds nothing any more where it would have mended all
// (e2fsprogs 1.47.0, block 1 overwritten).
var checks = [][]string{
	{"e2fsck", "-f", "-y"},
	{"e2fsck", "-f", "-y", "-B", "4096", "-b", "32768"},
	{"e2fsck", "-f", "-y", "-B", "4096", "-b", "98304"},
}

// anew makes the partition as image/build.sh does.
var anew = []string{"mkfs.ext4", "-q", "-F", "-L", "data", "-U", "6d6a6b31-0000-4000-8000-000000000004", "-O", "^metadata_csum_seed,^orphan_file"}

// host is what mend does to the machine.
type host struct {
	run  func(ctx context.Context, args []string) error // a check that mended is no error
	read func() error                                   // whether the partition answers
	say  func(machine.Notice)
}

// prepareData makes the data partition one that can be mounted, once its card has
// come. Where it fails, the mount does too, which starts the machine anew after a
// while (munjigi-again.service).
func prepareData(ctx context.Context, root string) error {
	say := func(n machine.Notice) { show(root, n) }
	if err := appears(ctx, dataPartition, 3*time.Minute); err != nil {
		say(machine.Worn)
		return err
	}
	return mend(ctx, host{run: check, read: answers, say: say})
}

// appears waits for a device node.
func appears(ctx context.Context, node string, long time.Duration) error {
	for spent := time.Duration(0); !exists(node); spent += look {
		if spent >= long {
			return fmt.Errorf("%s does not come: put another card in", node)
		}
		if err := wait(ctx, look); err != nil {
			return err
		}
	}
	return nil
}

// mend checks the data partition, repairs it, and makes it anew where neither it nor
// a copy of its superblock can be used: a door that is out of order until somebody
// comes is worse than visits that are lost anyway. A card that does not answer is
// left as it is.
func mend(ctx context.Context, h host) error {
	for i, c := range checks {
		if i == 1 {
			h.say(machine.Mending)
		}
		err := h.run(ctx, append(c[:len(c):len(c)], dataPartition))
		if err == nil {
			// A check may end well and leave what no kernel takes.
			if err = mounts(ctx, h); err == nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintln(os.Stderr, "machine: the data partition:", err)
	}
	// Nor does what a check cannot mend, or a check that fails by itself, speak
	// against a partition that the kernel takes: visits lie on it.
	if mounts(ctx, h) == nil {
		return nil
	}
	if err := h.read(); err != nil {
		h.say(machine.Worn)
		return fmt.Errorf("the card's data cannot be read: %w", err)
	}
	h.say(machine.Anew)
	if err := h.run(ctx, append(anew[:len(anew):len(anew)], dataPartition)); err != nil {
		h.say(machine.Worn)
		return fmt.Errorf("make the data partition anew: %w", err)
	}
	return wait(ctx, 20*time.Second) // to be read
}

// mounts says whether the kernel takes the partition as it is.
func mounts(ctx context.Context, h host) error {
	if err := h.run(ctx, []string{"mount", "-t", "ext4", "-o", "ro,nosuid,nodev,noexec", dataPartition, "/" + data}); err != nil {
		return err
	}
	return h.run(ctx, []string{"umount", "/" + data})
}

// check runs a program; of e2fsck(8), 1 and 2 say that all was mended.
func check(ctx context.Context, args []string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && args[0] == "e2fsck" && (exit.ExitCode() == 1 || exit.ExitCode() == 2) {
		fmt.Println("machine: the data partition was mended")
		err = nil
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.Join(lines[max(0, len(lines)-3):], "; "))
	}
	return nil
}

// answers reads where the superblock and its first copy lie.
func answers() error {
	f, err := os.Open(dataPartition)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 4096)
	for _, at := range []int64{0, 32768 * 4096} {
		if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
