// Command registry is the central registry's server and its operator's tool.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

const usage = `registry keeps the visits that kiosks upload.

  registry init FOLDER             make keys and a registry.toml in a new folder
  registry kiosk add [-config FILE] -id ID -facility NAME -kind KIND
                                   admit a kiosk and print its token
  registry bundle [-config FILE] [-above N]
                                   sign the trust bundle from registry.toml
  registry serve [-config FILE]    run the server
  registry version                 say which version this is
`

// errUsage ends with exit status 2; its text has been printed.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], time.Now, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage), errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// run is the whole command; now is its clock.
func run(ctx context.Context, args []string, now func() time.Time, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	flags := flag.NewFlagSet("registry "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "registry.toml", "the configuration `file`")
	switch args[0] {
	case "init":
		if len(args) != 2 {
			fmt.Fprintln(stderr, "registry init takes one folder")
			return errUsage
		}
		return initialise(args[1], stdout)
	case "kiosk":
		if len(args) < 2 || args[1] != "add" {
			fmt.Fprintln(stderr, "registry kiosk knows one command: add")
			return errUsage
		}
		var k kioskBlock
		flags.StringVar(&k.ID, "id", "", "the kiosk's `name`: a–z, 0–9, . _ -")
		flags.StringVar(&k.Facility, "facility", "", "the facility's `name`; counts are kept by it")
		flags.StringVar(&k.Kind, "kind", "", "`kind` of facility: chooses the policy")
		if err := parse(flags, args[2:], stderr); err != nil {
			return err
		}
		return addKiosk(*path, k, stdout, stderr)
	case "bundle":
		above := flags.Uint64("above", 0, "continue above this `number`: the highest any kiosk has reported, after a restore")
		if err := parse(flags, args[1:], stderr); err != nil {
			return err
		}
		return signBundle(*path, *above, now(), stdout, stderr)
	case "serve":
		if err := parse(flags, args[1:], stderr); err != nil {
			return err
		}
		return serve(ctx, *path, now, stderr)
	case "version":
		fmt.Fprintln(stdout, "registry", version())
		return nil
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	fmt.Fprintf(stderr, "registry: there is no command %q\n\n%s", args[0], usage)
	return errUsage
}

func parse(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	if err := flags.Parse(args); err != nil {
		return errUsage // flag has printed it
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "%s: what is %q?\n", flags.Name(), flags.Arg(0))
		return errUsage
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
