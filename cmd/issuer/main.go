// Command issuer is the issuers' server: the pages on which phones make their
// 15-second codes.
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

const usage = `issuer makes the 15-second codes that visitors show.

  issuer init FOLDER               make issuer.toml, sample brands and all keys
  issuer keys [-config FILE]       print the brands' public keys for registry issuer add
  issuer rotate [-config FILE] BRAND
                                   make a brand's next key, which signs in 35 days
  issuer check [-config FILE]      say what must be put right, and which keys run out
  issuer serve [-config FILE]      run the server
  issuer testca                    an authority for trying certificates out
  issuer version                   say which version this is

Without sms.url in issuer.toml, codes by SMS stand on a page that anybody can
read: that is for demonstrations.
`

// errUsage ends with exit status 2; its text has been printed.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], time.Now, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}

// run is the whole command; now is its clock.
func run(ctx context.Context, args []string, now func() time.Time, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	flags := flag.NewFlagSet("issuer "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "issuer.toml", "the configuration `file`")
	switch args[0] {
	case "init":
		if len(args) != 2 {
			fmt.Fprintln(stderr, "issuer init takes one folder")
			return errUsage
		}
		return initialise(args[1], now(), stdout, stderr)
	case "testca":
		return testCA(args[1:], now(), stderr)
	case "keys", "serve", "rotate", "check":
		if err := flags.Parse(args[1:]); err != nil {
			return errUsage // flag has printed it
		}
		if args[0] == "rotate" {
			if flags.NArg() != 1 {
				fmt.Fprintln(stderr, "issuer rotate takes one brand, by its id")
				return errUsage
			}
			return rotate(*path, flags.Arg(0), now(), stdout, stderr)
		}
		if flags.NArg() > 0 {
			fmt.Fprintf(stderr, "%s: what is %q?\n", flags.Name(), flags.Arg(0))
			return errUsage
		}
		switch args[0] {
		case "keys":
			return printKeys(*path, stdout)
		case "check":
			return check(*path, now(), stdout)
		}
		return serve(ctx, *path, now, stderr)
	case "version":
		fmt.Fprintln(stdout, "issuer", version())
		return nil
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	fmt.Fprintf(stderr, "issuer: there is no command %q\n\n%s", args[0], usage)
	return errUsage
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
