//go:build linux && amd64

// Command powercut cuts the power of the virtual device and looks at what its
// disk holds then. docs/hil.md tells how it is run.
//
//	powercut kill [flags] -- GUEST…       boots GUEST again and again and kills it at random moments
//	powercut replay [flags]               in the guest: cuts a recorded log of writes at random places
//	powercut unsynced -- COMMAND…         runs COMMAND with every sync answered and none done: what must fail
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run, ok := map[string]func(context.Context, []string) error{"kill": killAll, "replay": replayAll, "unsynced": unsynced}[arg(1)]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: powercut kill|replay|unsynced …")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		os.Exit(1)
	}
}

func arg(n int) string {
	if n < len(os.Args) {
		return os.Args[n]
	}
	return ""
}
