// Command load measures the registry under the load of many kiosks: enrolled,
// each on its own mutually authenticated TLS 1.3 connection, sending batches of
// signed passes as fast as receipts come back. The registry runs as a process
// of its own and PostgreSQL beside it, all on this machine's processors.
//
// Every pass is signed before the clock starts and verified by the registry
// within it; a visit counts when its receipt, by which it is durable, has been
// opened. At the end the database must hold exactly what was acknowledged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/registry/store"
)

func main() {
	var o options
	flag.StringVar(&o.serve, "serve", "", "be the registry of this `folder` (the tool starts itself so)")
	flag.StringVar(&o.profile, "profile", "", "write the registry's processor profiles to this `folder`")
	flag.IntVar(&o.kiosks, "kiosks", 1000, "how many kiosks")
	flag.IntVar(&o.inFlight, "in-flight", 64, "how many batches are under way at once")
	flag.DurationVar(&o.length, "time", time.Minute, "how long visits are taken in batches of 20")
	flag.DurationVar(&o.others, "others", 15*time.Second, "how long in batches of 1 and of 200")
	growth := flag.String("growth", "", "measure the cost of a visit at these numbers of `rows` instead, as in 1000000,50000000")
	engines := flag.String("engines", store.Postgres+","+store.SQLite, "what to measure")
	flag.Parse()
	o.engines = strings.Split(*engines, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("load: what is this? see -help")
	switch {
	case flag.NArg() > 0:
	case o.serve != "":
		err = serve(ctx, o.serve)
	case *growth != "":
		err = measureGrowth(ctx, strings.Split(*growth, ","), o.length)
	default:
		err = measureIngest(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

type options struct {
	serve, profile   string
	kiosks, inFlight int
	length, others   time.Duration
	engines          []string
}

// figure is one line of the end.
type figure struct {
	name  string
	value float64
	unit  string
}

func report(figures []figure) {
	fmt.Println()
	for _, f := range figures {
		fmt.Printf("bench: %s %s %s\n", f.name, strconv.FormatFloat(f.value, 'g', 5, 64), f.unit)
	}
}

// measureIngest runs the engines, one after another. PostgreSQL's figures at
// batches of 20 are the ones that count.
func measureIngest(ctx context.Context, o options) error {
	fmt.Printf("%s, %d processors, %s: %d kiosks over mutual TLS 1.3, %d batches under way at once\n\n",
		runtime.GOARCH, runtime.NumCPU(), runtime.Version(), o.kiosks, o.inFlight)
	fmt.Println("engine     batch      time    visits  visits/s   receipt p50     p99     max")
	var figures []figure
	for _, engine := range o.engines {
		for _, run := range []struct {
			size   int
			length time.Duration
		}{{20, o.length}, {1, o.others}, {200, o.others}} {
			if run.length == 0 {
				continue
			}
			r, err := measure(ctx, o, engine, run.size, run.length)
			if err != nil {
				return fmt.Errorf("%s, batches of %d: %w", engine, run.size, err)
			}
			fmt.Printf("%-9s %6d %8.1fs %9d %9.0f %10.1f ms %4.0f ms %4.0f ms\n", engine, run.size, r.length.Seconds(), r.visits, r.rate(), ms(r.at(0.5)), ms(r.at(0.99)), ms(r.at(1)))
			suffix := ""
			if run.size != 20 {
				suffix = fmt.Sprintf(".batch%d", run.size)
			}
			figures = append(figures, figure{"registry.ingest." + engine + suffix, r.rate(), "visits/s"})
			if run.size == 20 && engine == store.Postgres {
				figures = append(figures, figure{"registry.receipt.p99", ms(r.at(0.99)), "ms"})
			}
		}
	}
	report(figures)
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
