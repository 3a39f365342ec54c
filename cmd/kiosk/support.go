package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/BurntSushi/toml"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/uplink/journal"
)

const supportReadme = `What the people who support Munjigi need of a kiosk, and nothing of anybody.

No visit, pass, picture, sound, key, certificate, password or code is in here. Of
every line only those words are left that stand in the program itself, and short
numbers, dates and times; … stands for all others, such as names of kiosks,
networks and addresses. You can read each file before you send it.
`

// supportFile is one file of the bundle.
type supportFile struct {
	name string
	text string
}

// support writes the bundle that a technician sends with a question. It goes by
// what may be in it: what the program does not know by itself is left out.
func support(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var file, out string
	rest, err := flags("support", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", defaultConfig, "the kiosk's configuration")
		f.StringVar(&out, "o", "munjigi-support.tar.gz", "where to write the bundle")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		fmt.Fprintln(stderr, "kiosk support: it takes no arguments")
		return errUsage
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program itself: %w", err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		return fmt.Errorf("read the program itself: %w", err)
	}
	s := sieve{program}
	cfg, loadErr := device.Load(file)
	files := []supportFile{
		{"README.txt", supportReadme},
		{"version.txt", s.text(versions())},
		{"config.txt", s.text(settings(&cfg, loadErr))},
		{"check.txt", s.text(checked(ctx, file))},
		{"counts.txt", s.text(counts(&cfg, time.Now()))},
		{"system.txt", s.text(system(ctx, &cfg))},
		{"unit.txt", s.text(output(ctx, "systemctl", "show", unit, "-p", "ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,NRestarts,MemoryCurrent,ActiveEnterTimestamp"))},
		{"log.txt", s.log(output(ctx, "journalctl", "-u", unit, "-o", "cat", "-n", "5000", "--no-pager"))},
	}
	for _, f := range files {
		fmt.Fprintf(stdout, "%-12s %7d bytes\n", f.name, len(f.text))
	}
	data, err := bundle(files, time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, data, 0o600); err != nil {
		return fmt.Errorf("write the bundle, -o names another place: %w", err)
	}
	fmt.Fprintf(stdout, "\n%s: %d bytes. Nothing in it is of a person; read it before you send it.\n", out, len(data))
	return nil
}

const unit = "munjigi-kiosk.service"

// bundle packs the files.
func bundle(files []supportFile, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, f := range files {
		err := t.WriteHeader(&tar.Header{Name: "munjigi-support/" + f.name, Mode: 0o644, Size: int64(len(f.text)), ModTime: now.Truncate(time.Second)})
		if err == nil {
			_, err = io.WriteString(t, f.text)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("pack the bundle: %w", err)
	}
	return b.Bytes(), nil
}

// versions says what was built of what.
func versions() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s\n%s/%s\n\n", version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			fmt.Fprintf(b, "%s %s\n", s.Key, s.Value)
		}
		for _, d := range info.Deps {
			fmt.Fprintf(b, "%s %s\n", d.Path, d.Version)
		}
	}
	return b.String()
}

// settings are the configuration as the program understands it: no comment of
// the file, and of a code only whether there is one.
func settings(cfg *device.Config, loadErr error) string {
	b := &strings.Builder{}
	if loadErr != nil {
		fmt.Fprintf(b, "FAIL %v\n\n", loadErr)
	}
	c := *cfg
	if c.Registry.Code != "" {
		c.Registry.Code = "set"
	}
	if err := toml.NewEncoder(b).Encode(c); err != nil {
		fmt.Fprintf(b, "FAIL %v\n", err)
	}
	return b.String()
}

// checked is what kiosk check prints. Where the daemon runs it holds most parts.
func checked(ctx context.Context, file string) string {
	var b bytes.Buffer
	err := check(ctx, []string{"-config", file}, &b, &b)
	if err != nil && !errors.Is(err, errFailed) {
		fmt.Fprintf(&b, "FAIL %v\n", err)
	}
	return b.String()
}

// counts are numbers of visits, none of them.
func counts(cfg *device.Config, now time.Time) string {
	b := &strings.Builder{}
	if j, err := journal.Open(cfg.Journal()); err != nil {
		fmt.Fprintf(b, "journal %v\n", err)
	} else {
		s, err := j.Stats()
		if err = errors.Join(err, j.Close()); err != nil {
			fmt.Fprintf(b, "journal %v\n", err)
		}
		fmt.Fprintf(b, "visits waiting %d\nset aside %d\ndestroyed %d\nunkept %d\nmended %d\nsalvaged %d\n", s.Queue, s.Aside, s.Destroyed, s.Unkept, s.Mended, s.Salvaged)
		if !s.Oldest.IsZero() {
			fmt.Fprintf(b, "oldest waiting for days %d\n", int(now.Sub(s.Oldest)/(24*time.Hour)))
		}
	}
	entries, err := os.ReadDir(cfg.Data)
	if err != nil {
		fmt.Fprintf(b, "data %v\n", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(b, "%s bytes %d mode %o\n", e.Name(), info.Size(), info.Mode().Perm())
		}
	}
	return b.String()
}

// system is the machine: kernel, board, memory, disk, devices.
func system(ctx context.Context, cfg *device.Config) string {
	b := &strings.Builder{}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Fprintf(b, "%s %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
	}
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) == nil {
		fmt.Fprintf(b, "up %d s\nmemory %d MiB free %d MiB\n", i.Uptime, uint64(i.Totalram)*uint64(i.Unit)>>20, uint64(i.Freeram)*uint64(i.Unit)>>20)
	}
	var d unix.Statfs_t
	if unix.Statfs(cfg.Data, &d) == nil {
		fmt.Fprintf(b, "disk %d MiB free %d MiB read-only %v\n", uint64(d.Blocks)*uint64(d.Bsize)>>20, uint64(d.Bavail)*uint64(d.Bsize)>>20, d.Flags&unix.ST_RDONLY != 0)
	}
	for _, pattern := range []string{"/dev/video*", "/dev/fb*", "/dev/gpiochip*", "/dev/snd/pcm*", "/dev/rtc*"} {
		found, _ := filepath.Glob(pattern) // the pattern is well formed
		for _, name := range found {
			fmt.Fprintln(b, name)
		}
	}
	first, _, _ := strings.Cut(output(ctx, "systemctl", "--version"), "\n")
	fmt.Fprintln(b, first)
	return b.String()
}

// output is what a program of the system says, or why it does not.
func output(ctx context.Context, name string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	data, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return fmt.Sprintf("FAIL %s: %v\n", name, err)
	}
	return string(data)
}
