//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// killer boots a guest whose kiosk reads codes as fast as it can, and kills the
// guest's kernel. What the kernel had not yet given to its disk is gone then.
type killer struct {
	guest    []string
	disk     string // image of the data partition
	registry string // image of the registry's disk
	results  string // the guest reads "again" there
	work     string
	rng      *rand.Rand

	told   map[uint64]string // every visit that was announced, by its number
	boot   time.Duration     // how long the last boot took until the kiosk read codes
	boots  int
	took   time.Duration // of them
	again  int           // visits announced a second time, after a cut, without a second visit
	cuts   int
	early  int // cuts before the kiosk read its first code
	online int // cuts while the registry took visits
	sent   int // announced visits that only the registry has
	faults []string
	lost   map[uint64]bool
	twice  int
}

func killAll(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("powercut kill", flag.ExitOnError)
	k := killer{told: map[uint64]string{}, lost: map[uint64]bool{}, boot: 3 * time.Second}
	n := f.Int("n", 30, "how many cuts")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the moments")
	f.StringVar(&k.disk, "disk", "", "image of the data partition")
	f.StringVar(&k.registry, "registry", "", "image of the registry's disk")
	f.StringVar(&k.results, "results", ".", "folder that the guest writes to")
	broken := f.Bool("unsynced", false, "take the kiosk's fsync away, and demand that this is noticed")
	f.Parse(args)
	k.guest = f.Args()
	k.rng = rand.New(rand.NewPCG(*seed, 0))
	var err error
	if k.work, err = os.MkdirTemp(filepath.Dir(k.disk), "cut-"); err != nil {
		return err
	}
	defer os.RemoveAll(k.work)
	began := time.Now()
	if err := k.prepare(ctx); err != nil {
		return err
	}
	for k.cuts < *n && !(*broken && k.broken()) {
		err := k.cut(ctx, *broken)
		if ctx.Err() != nil {
			break // what was seen until then still counts
		}
		if err != nil {
			return fmt.Errorf("cut %d (seed %d): %w", k.cuts+1, *seed, err)
		}
		if k.cuts%10 == 0 {
			fmt.Printf("%d cuts, %d visits announced\n", k.cuts, len(k.told))
		}
	}
	if *broken {
		if !k.broken() {
			return fmt.Errorf("the kiosk's syncs were taken away and %d cuts did not show it: this test cannot fail", k.cuts)
		}
		fmt.Printf("with fsync taken out: after %d cuts %d of %d announced visits are lost%s\n", k.cuts, len(k.lost), len(k.told), first(k.faults))
		return nil
	}
	fmt.Printf("%d cuts in %.0f s (seed %d): %d before the kiosk read, %d while visits were being uploaded; %d visits announced, %d announced again after a cut, %d already with the registry alone; a boot took %.1f s until the kiosk read\n",
		k.cuts, time.Since(began).Seconds(), *seed, k.early, k.online, len(k.told), k.again, k.sent, k.took.Seconds()/float64(max(k.boots, 1)))
	fmt.Printf("bench: hil.powercut.cuts %d count\nbench: hil.powercut.lost %d count\nbench: hil.powercut.twice %d count\n", k.cuts, len(k.lost), k.twice)
	if k.broken() {
		return fmt.Errorf("after %d cuts (seed %d) %d announced visits are lost, %d kept twice\n  %s", k.cuts, *seed, len(k.lost), k.twice, strings.Join(k.faults, "\n  "))
	}
	if k.cuts < *n {
		return fmt.Errorf("stopped after %d of %d cuts", k.cuts, *n)
	}
	if len(k.told) < *n {
		return fmt.Errorf("only %d visits were announced in %d cuts: this proves little", len(k.told), k.cuts)
	}
	return nil
}

func first(faults []string) string {
	if len(faults) == 0 {
		return ""
	}
	return "; " + faults[0]
}

func (k *killer) broken() bool { return len(k.lost) > 0 || k.twice > 0 || len(k.faults) > 0 }

// prepare boots once, to its end: the kiosk is enrolled.
func (k *killer) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, k.guest[0], k.guest[1:]...).CombinedOutput()
	if !strings.Contains(string(out), "HIL-EXIT 0") {
		return fmt.Errorf("the first boot did not end well (%v):\n%s", err, out)
	}
	return nil
}

// cut boots, waits for a random moment, kills, and looks at the disk.
func (k *killer) cut(ctx context.Context, broken bool) error {
	words := slices.Clone(k.guest)
	online := k.rng.IntN(3) == 0
	if online {
		words = append(words, "HIL_ONLINE=1")
	}
	if broken {
		words = append(words, "HIL_UNSYNCED=1")
	}
	g := &guest{news: make(chan struct{}, 1)}
	if err := g.start(ctx, words, filepath.Join(k.results, "console.log")); err != nil {
		return err
	}
	// One in eight is cut while it starts, the others after some visitors: by
	// their number, so that a slow machine's cuts fall where a fast one's do.
	began, ready := time.Now(), false
	if k.rng.IntN(8) == 0 && !broken {
		g.until(time.Duration(k.rng.Int64N(int64(k.boot))), func() bool { return false })
	} else {
		visitors := k.rng.IntN(12)
		if ready = g.until(2*time.Minute, func() bool { return g.ready }); ready {
			k.boot = time.Since(began)
			k.boots, k.took = k.boots+1, k.took+k.boot
			g.until(20*time.Second, func() bool { return len(g.told) >= visitors })
			g.until(time.Duration(k.rng.Int64N(int64(120*time.Millisecond))), func() bool { return false })
		}
	}
	g.kill()
	if !ready && time.Since(began) > time.Minute || g.ended {
		return fmt.Errorf("the device did not come up:\n%s", strings.Join(g.tail, "\n"))
	}
	k.cuts++
	if !ready {
		k.early++
	}
	if online {
		k.online++
	}
	for _, t := range g.told {
		if before, ok := k.told[t.seq]; ok && before != t.hash {
			k.faults = append(k.faults, fmt.Sprintf("cut %d: visit %d was announced for two passes", k.cuts, t.seq))
		}
		k.told[t.seq] = t.hash
		if t.again {
			k.again++
		}
	}
	shown := g.shown[max(0, len(g.shown)-3):] // still valid, perhaps, when the kiosk is up again
	if err := os.WriteFile(filepath.Join(k.results, "again"), []byte(strings.Join(shown, "\n")), 0o600); err != nil {
		return err
	}
	if err := k.look(); err != nil {
		k.faults = append(k.faults, fmt.Sprintf("cut %d: %v", k.cuts, err))
	}
	return ctx.Err()
}

// look compares what the disk holds with what was announced.
func (k *killer) look() error {
	image := filepath.Join(k.work, "data.img")
	if err := recovered(k.disk, image); err != nil {
		return err
	}
	file, err := dump(image, "/journal.db", k.work)
	if err != nil {
		return err
	}
	journal, err := read(file)
	if err != nil {
		return err
	}
	k.twice += journal.twice
	missing := map[uint64]string{}
	for seq, hash := range k.told {
		if journal.visits[seq] != hash {
			missing[seq] = hash
		}
	}
	if len(missing) == 0 {
		return nil
	}
	sent, err := k.atRegistry()
	if err != nil {
		return err
	}
	k.sent = 0
	for seq := range missing {
		switch n := sent[seq]; {
		case n == 0:
			k.lost[seq] = true
		case n > 1:
			k.twice++
		default:
			k.sent++
		}
	}
	return nil
}

// guest is one boot.
type guest struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	news   chan struct{}
	over   chan struct{}
	ready  bool
	ended  bool // by itself
	told   []announced
	shown  []string
	others []string // other answers
	tail   []string // of the console
}

type announced struct {
	seq   uint64
	hash  string
	again bool
}

func (g *guest) start(ctx context.Context, words []string, console string) error {
	g.cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	// A session of its own: the guest's kernel and its processes end together.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	g.cmd.Cancel = func() error { return syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.Create(console)
	if err != nil {
		return err
	}
	g.cmd.Stdout, g.cmd.Stderr = write, write
	if err := errors.Join(g.cmd.Start(), write.Close()); err != nil {
		return err
	}
	// Before this machine's other work, where we may (root): the scheduler weighs
	// sessions against each other (sched(7), autogroup).
	os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", g.cmd.Process.Pid), []byte("-10"), 0)
	g.over = make(chan struct{})
	go func() {
		defer close(g.over)
		defer log.Close()
		for in := bufio.NewScanner(io.TeeReader(read, log)); in.Scan(); {
			g.note(strings.TrimSpace(in.Text()))
		}
	}()
	return nil
}

func (g *guest) note(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tail = append(g.tail[max(0, len(g.tail)-20):], line)
	var t announced
	switch {
	case line == "HIL ready":
		g.ready = true
	case strings.HasPrefix(line, "HIL-EXIT"):
		g.ended = true
	case strings.HasPrefix(line, "HIL shown "):
		g.shown = append(g.shown, strings.Fields(line)[2])
	case strings.HasPrefix(line, "HIL other "):
		g.others = append(g.others, line)
	case strings.HasPrefix(line, "HIL told "):
		if n, _ := fmt.Sscanf(line, "HIL told %d %s %t", &t.seq, &t.hash, &t.again); n == 3 { // a line may be cut, too
			g.told = append(g.told, t)
		}
	}
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// until waits until done says so or the guest has ended, for so long at most.
func (g *guest) until(most time.Duration, done func() bool) bool {
	timeout := time.After(most)
	for {
		g.mu.Lock()
		is := done()
		g.mu.Unlock()
		if is {
			return true
		}
		select {
		case <-g.news:
		case <-g.over:
			return false
		case <-timeout:
			return false
		}
	}
}

// kill ends the guest's kernel and all its processes at once, and returns when
// none is left that could write.
func (g *guest) kill() {
	syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	g.cmd.Wait() // says that it was killed
	<-g.over
	for syscall.Kill(-g.cmd.Process.Pid, 0) == nil {
		time.Sleep(time.Millisecond)
	}
}
