//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// sample is what a process takes at a moment.
type sample struct {
	visitors int
	rss      float64 // MB (10⁶ bytes)
	peak     float64
	files    int // open descriptors
	threads  int
	disk     int64 // bytes of the folder of the journal
}

var (
	vmRSS   = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
	vmHWM   = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	threads = regexp.MustCompile(`Threads:\s+(\d+)`)
)

func take(pid, visitors int, folder string) (s sample, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return s, err
	}
	number := func(r *regexp.Regexp) float64 {
		m := r.FindSubmatch(status)
		if m == nil {
			return 0
		}
		n, _ := strconv.ParseFloat(string(m[1]), 64)
		return n
	}
	s = sample{visitors: visitors, rss: number(vmRSS) * 1024 / 1e6, peak: number(vmHWM) * 1024 / 1e6, threads: int(number(threads))}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return s, err
	}
	s.files = len(open)
	files, err := os.ReadDir(folder)
	if err != nil {
		return s, err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			s.disk += info.Size()
		}
	}
	return s, nil
}

// soaked judges samples taken at even distances: nothing may grow with the
// visitors once half of them have come and every scene and sentence was met, but
// the journal by the visits' own used marks.
func soaked(all []sample) error {
	fmt.Println("visitors  RSS MB  largest  files  threads  disk bytes")
	for _, s := range all {
		fmt.Printf("%8d  %6.1f  %7.1f  %5d  %7d  %10d\n", s.visitors, s.rss, s.peak, s.files, s.threads, s.disk)
	}
	first, last := all[len(all)/2], all[len(all)-1]
	perVisit := float64(last.disk-first.disk) / float64(last.visitors-first.visitors)
	fmt.Printf("%.0f bytes of disk a visit\n", perVisit)
	fmt.Printf("bench: kiosk.rss %.0f MB\nbench: kiosk.soak.visitors %d count\nbench: kiosk.soak.disk_per_visit %.0f bytes\n", last.peak, last.visitors, perVisit)
	switch {
	case last.peak > 64:
		return fmt.Errorf("the kiosk took %.1f MB, more than 64", last.peak)
	case last.rss > first.rss*1.05+2:
		return fmt.Errorf("its memory grew from %.1f to %.1f MB", first.rss, last.rss)
	case last.files > first.files+2:
		return fmt.Errorf("its open files grew from %d to %d", first.files, last.files)
	case last.threads > first.threads+3:
		return fmt.Errorf("its threads grew from %d to %d", first.threads, last.threads)
	case perVisit > 2048:
		return fmt.Errorf("a visit takes %.0f bytes of disk, more than 2048", perVisit)
	}
	return nil
}

// goroutines ends the process with SIGQUIT, at which Go's runtime writes the
// stacks of all goroutines to its log, and counts them.
func goroutines(ctx context.Context, c *exec.Cmd, over <-chan struct{}, log string) (int, error) {
	if err := c.Process.Signal(syscall.SIGQUIT); err != nil {
		return 0, err
	}
	select {
	case <-over:
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	c.Wait() // says that it was killed
	data, err := os.ReadFile(filepath.Clean(log))
	if err != nil {
		return 0, err
	}
	return bytes.Count(data, []byte("\ngoroutine ")), nil
}
