// Command machine is what the flashed image runs as root beside the kiosk, which
// is not: it sets the machine up from the files on the card, keeps which of two
// roots starts, and brings updates. image/README.md tells how they hang together.
//
//	machine data               check the data partition and mend it
//	machine setup              check the files on the card, set network and time up
//	machine slot COMMAND …     RAUC's boot loader backend (custom-backend handler)
//	machine confirm            a root on trial: good once the kiosk has run for a minute
//	machine update [BUNDLE]    install what the server has, or a bundle at once
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: machine data | setup | slot COMMAND [NAME [STATE]] | confirm | update [BUNDLE]`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "machine:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "data":
		return prepareData(ctx, "/")
	case len(args) == 1 && args[0] == "setup":
		return setup(ctx, "/")
	case len(args) > 1 && args[0] == "slot":
		return backend(args[1:], os.Stdout)
	case len(args) == 1 && args[0] == "confirm":
		return confirm(ctx)
	case len(args) == 1 && args[0] == "update":
		return poll(ctx, time.Now)
	case len(args) == 2 && args[0] == "update":
		return stick(ctx, args[1])
	}
	return errUsage
}
