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
	"slices"
	"strings"
	"syscall"
	"time"
)

// command is one thing the operator can ask for.
type command struct {
	name  string // one or two words
	args  string // for the usage
	about string
	run   func(ctx context.Context, c *call, args []string) error
}

// commands is everything there is.
func commands() []command {
	return slices.Concat([]command{
		{"init", "[-name NAME] [-address URL] FOLDER", "make keys, device CA and registry.toml in a new folder", initCommand},
		{"issuer add", "FILE", "admit an issuer, or its next key: the block that issuer init printed", issuerAdd},
		{"key", "[-new] FILE", "print a private key's public half; -new makes the key first", keyCommand},
		{"bundle", "[-root-key FILE] [-above N]", "sign the trust bundle from registry.toml", bundleCommand},
		{"facility add", "-name NAME -kind KIND", "enter a facility and print its id", facilityAdd},
		{"facility list", "", "list the facilities", facilityList},
		{"kiosk code", "-facility ID [-name NAME] [-replace KIOSK] [-days N] [-png FILE]", "make an enrolment code for one kiosk", kioskCode},
		{"kiosk list", "", "list the kiosks and how they are", kioskList},
		{"kiosk revoke", "KIOSK", "refuse a kiosk from now on", kioskRevoke},
		{"serve", "", "run the server", serveCommand},
		{"version", "", "say which version this is", versionCommand},
	}, officerCommands(), inquiryCommands(), auditCommands(), backupCommands(), dayCommands())
}

// call is what a command runs in.
type call struct {
	flags          *flag.FlagSet // knows -config
	path           *string       // registry.toml
	now            func() time.Time
	stdin          io.Reader
	stdout, stderr io.Writer
}

// parse reads a command's flags and returns its arguments, which must be n.
func (c *call) parse(args []string, n int) ([]string, error) {
	if err := c.flags.Parse(args); err != nil {
		return nil, errUsage // flag has printed it
	}
	if c.flags.NArg() > n {
		fmt.Fprintf(c.stderr, "%s: what is %q?\n", c.flags.Name(), c.flags.Arg(n))
		return nil, errUsage
	}
	if c.flags.NArg() < n {
		fmt.Fprintf(c.stderr, "%s: something is missing: see registry help\n", c.flags.Name())
		return nil, errUsage
	}
	return c.flags.Args(), nil
}

// errUsage ends with exit status 2; its text has been printed.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], time.Now, os.Stdin, os.Stdout, os.Stderr)
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
func run(ctx context.Context, args []string, now func() time.Time, stdin io.Reader, stdout, stderr io.Writer) error {
	given := strings.Join(args[:min(len(args), 2)], " ")
	for _, cmd := range commands() {
		words := strings.Count(cmd.name, " ") + 1
		if len(args) < words || strings.Join(args[:words], " ") != cmd.name {
			continue
		}
		c := &call{flags: flag.NewFlagSet("registry "+cmd.name, flag.ContinueOnError), now: now, stdin: stdin, stdout: stdout, stderr: stderr}
		c.flags.SetOutput(stderr)
		c.path = c.flags.String("config", "registry.toml", "the configuration `file`")
		return cmd.run(ctx, c, args[words:])
	}
	switch given {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return nil
	case "":
	default:
		fmt.Fprintf(stderr, "registry: there is no command %q\n\n", given)
	}
	usage(stderr)
	return errUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "registry admits kiosks and keeps the visits they upload.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  registry %s\n      %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	fmt.Fprint(w, "\nWhatever works on the registry itself takes -config FILE, registry.toml by default.\n")
}

func versionCommand(_ context.Context, c *call, args []string) error {
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "registry", version())
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
