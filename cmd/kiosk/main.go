// Command kiosk is the reader at the door, and the technician's tool for it.
//
//	kiosk run     [-config FILE]            read codes until stopped
//	kiosk check   [-config FILE]            a card of every part; exit 1 if one fails
//	kiosk scan    [-json] [-config FILE] FILE…   read codes in pictures
//	kiosk support [-o FILE]                 a bundle to send with a question
//	kiosk version
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/munjigi/munjigi/cmd/internal/device"
)

const usage = `usage: kiosk COMMAND

  run      read codes until stopped
  check    test every part and say what to do about each fault
  scan     read the codes in pictures: kiosk scan [-json] FILE…
  enroll   make this device a kiosk: kiosk enroll CODE; kiosk enroll -reset forgets it
  owner    say where the owner's page is; kiosk owner -password makes its password anew
  takeover take over the visits that wait on a broken device's disk: kiosk takeover FILE
  support  pack what support needs, nothing of a person: kiosk support [-o FILE]
  version  say which build this is

"kiosk COMMAND -h" lists a command's flags.
`

const defaultConfig = "/etc/munjigi/kiosk.toml"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// errFailed ends a command whose output has already said why.
var errFailed = errors.New("failed")

// command runs one command line and returns its exit status: 0, 1 for a
// failure, 2 for a command line that is none, statusReboot.
func command(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	var err error
	switch name, rest := args[0], args[1:]; name {
	case "run":
		err = run(ctx, rest, stderr)
	case "check":
		err = check(ctx, rest, stdout, stderr)
	case "scan":
		err = scan(rest, stdout, stderr)
	case "enroll":
		err = enroll(ctx, rest, stdin, stdout, stderr)
	case "owner":
		err = ownersPage(rest, stdout, stderr)
	case "takeover":
		err = takeOver(rest, stdout, stderr)
	case "support":
		err = support(ctx, rest, stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, version())
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "kiosk: there is no command %q\n\n%s", name, usage)
		return 2
	}
	return status(err, stderr)
}

// statusReboot is EX_IOERR of sysexits(3): the unit of the image starts the
// machine anew for it.
const statusReboot = 74

// status says an error and is the exit status for it.
func status(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case !errors.Is(err, errFailed):
		fmt.Fprintf(stderr, "kiosk: %v\n", err)
	}
	if errors.Is(err, device.ErrReboot) {
		return statusReboot
	}
	return 1
}

// errUsage ends a command line that package flag has already complained about.
var errUsage = errors.New("usage")

// flags parses a command's flags.
func flags(name string, args []string, stderr io.Writer, define func(*flag.FlagSet)) (rest []string, err error) {
	f := flag.NewFlagSet("kiosk "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	return f.Args(), nil
}

func version() string {
	return fmt.Sprintf("kiosk %s, pass format 1, %s", shortVersion(), runtime.Version())
}

// shortVersion is the build's, as the registry is told it: printable ASCII
// without spaces.
func shortVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && v == "(devel)" {
			v = s.Value[:12]
		}
	}
	return v[:min(len(v), 64)]
}

func logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
