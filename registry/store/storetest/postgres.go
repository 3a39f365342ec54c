package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server in a folder of its own under the system's
// temporary one, reached by a Unix socket only.
type Server struct {
	dir, bin string
	identity *syscall.Credential
	alive    io.Closer // the server's guard ends it when this closes, also when this process is killed
	guard    *exec.Cmd
	n        atomic.Int64
}

// guard waits for the end of its standard input and then takes the server and
// its folder away.
const guard = `read -r _; "$0"/pg_ctl -D "$1"/data -m immediate stop >/dev/null 2>&1; rm -rf "$1"`

// Start makes and starts a server. It writes to disk as a real one does (fsync
// is on); settings are lines of postgresql.conf.
func Start(settings ...string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.dir, err = os.MkdirTemp("", "munjigi-pg-"); err != nil {
		return nil, err
	}
	if err := s.start(settings); err != nil {
		return nil, errors.Join(fmt.Errorf("start a postgresql of our own: %w", err), s.Close())
	}
	return s, nil
}

func (s *Server) start(settings []string) error {
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		s.identity = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	s.guard = s.command("sh", "-c", guard, s.bin, s.dir)
	// A group of its own: Ctrl-C ends the test, and that the guard.
	s.guard.SysProcAttr.Setpgid = true
	alive, err := s.guard.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.guard.Start(); err != nil {
		return err
	}
	s.alive = alive
	if err := s.run("initdb", "-D", s.data(), "-U", "munjigi", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return err
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(conf, "\nlisten_addresses = ''\nunix_socket_directories = '%s'\nmax_connections = 200\n", s.dir)
	for _, line := range settings {
		fmt.Fprintln(conf, line)
	}
	if err := conf.Close(); err != nil {
		return err
	}
	return s.run("pg_ctl", "-D", s.data(), "-w", "-l", filepath.Join(s.dir, "log"), "start")
}

// Restart ends the server in the given mode of pg_ctl ("fast", or "immediate",
// which is a crash) and starts it again.
func (s *Server) Restart(mode string) error {
	return s.run("pg_ctl", "-D", s.data(), "-w", "-m", mode, "-l", filepath.Join(s.dir, "log"), "restart")
}

// Close ends the server and removes its folder.
func (s *Server) Close() error {
	if s.alive == nil {
		return os.RemoveAll(s.dir)
	}
	s.alive.Close()
	return s.guard.Wait()
}

// Create makes an empty database and returns its address.
func (s *Server) Create(ctx context.Context) (string, error) { return s.create(ctx, "") }

// CreateOn makes one whose tables lie in the empty folder disk, which must be
// the server's to write in.
func (s *Server) CreateOn(ctx context.Context, disk string) (string, error) {
	return s.create(ctx, disk)
}

func (s *Server) create(ctx context.Context, disk string) (string, error) {
	name := "munjigi" + strconv.FormatInt(s.n.Add(1), 10)
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	queries := []string{"CREATE DATABASE " + name}
	if disk != "" {
		tables := filepath.Join(disk, "tables")
		if err := s.command("mkdir", tables).Run(); err != nil {
			return "", err
		}
		queries = append(queries, "CREATE TABLESPACE "+name+" LOCATION '"+tables+"'", "ALTER DATABASE "+name+" SET default_tablespace = "+name)
	}
	for _, query := range queries {
		if _, err := c.Exec(ctx, query); err != nil {
			return "", err
		}
	}
	return s.url(name), nil
}

// CPU is the processor time that all of the server's processes have used.
func (s *Server) CPU() (used time.Duration, err error) {
	data, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	master, _, _ := strings.Cut(string(data), "\n")
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// proc(5): the name in parentheses, then from field 3 on.
		_, rest, _ := strings.Cut(string(data), ") ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			continue
		}
		own := f[11:13] // utime, stime
		switch {
		case path == "/proc/"+master+"/stat":
			own = f[11:15] // with those of children that have ended
		case f[1] != master:
			continue
		}
		for _, n := range own {
			t, _ := strconv.Atoi(n)
			ticks += t
		}
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
}

// Data is the server's data folder: tables, indexes, write-ahead log.
func (s *Server) Data() string { return s.data() }

// Bin is the folder of PostgreSQL's programs.
func (s *Server) Bin() string { return s.bin }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) url(name string) string {
	return "postgres:///" + name + "?" + url.Values{"host": {s.dir}, "user": {"munjigi"}}.Encode()
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.identity}
	return c
}

func (s *Server) run(program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.identity}
	// A file, not a pipe: the server keeps it open, and Wait would wait for it.
	out, err := os.CreateTemp("", "munjigi-pg-out-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	if err := c.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%s: %w\n%s%s", program, err, said, log[max(0, len(log)-4096):])
	}
	return nil
}

// find returns the folder of the newest PostgreSQL's programs.
func find() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		all = append(all, path)
	}
	if len(all) == 0 {
		return "", errors.New("there is no PostgreSQL here to test on: apt-get install postgresql (make test does it)")
	}
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(all[len(all)-1]), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}
