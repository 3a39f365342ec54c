// Command bench measures this project's QR reader and its peers on the same
// gray pictures in one run: how much they read, what they read that is not
// there, and how long they take. It prints tables and, last, lines
// "bench: NAME VALUE UNIT" that other programs read.
//
//	reader/qr/bench/peers/build bin/peers
//	go run ./reader/qr/bench -data FOLDER
//
// Every reader runs in a process of its own and gets the pictures one after
// another; its time is the CPU time of that process during the decode call.
// Package screens draws the pictures of phones; docs/bench-qr.md has results.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.data, "data", "", "folder of folders of PNG pictures with NAME.txt or NAME.bin beside them")
	flag.StringVar(&o.peers, "peers", "bin/peers", "folder that reader/qr/bench/peers/build has built into")
	flag.BoolVar(&o.quick, "quick", false, "a sixth of the pictures")
	only := flag.String("only", "", "readers to measure, separated by commas: ours, ours-thorough, zxing-cpp, zxing-wasm, gozxing, zbar")
	sets := flag.String("sets", "photographs,sweeps,mix,blanks,streams,findings", "what to measure on")
	flag.Uint64Var(&o.seed, "seed", 1, "of the rendered pictures")
	flag.StringVar(&o.each, "each", "", "file to write a line to for each picture and reader")
	role := flag.String("serve", "", "be a reader for the benchmark instead: "+strings.Join(slices.Sorted(maps.Keys(served)), ", "))
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	o.sets = strings.Split(*sets, ",")
	err := error(nil)
	if *role != "" {
		err = serve(*role, os.Stdin, os.Stdout)
	} else {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	data, peers, each string
	quick             bool
	only, sets        []string
	seed              uint64
}

func run(o options) error {
	readers, err := startAll(o)
	if err != nil {
		return err
	}
	defer func() {
		for _, r := range readers {
			r.stop()
		}
	}()
	begin := time.Now()
	res := newResults(readers)
	if o.each != "" {
		f, err := os.Create(o.each)
		if err != nil {
			return err
		}
		defer f.Close()
		res.each = f
	}
	pictures, err := o.pictures()
	if err != nil {
		return err
	}
	if err := res.warm(o.seed); err != nil {
		return err
	}
	if err := res.measure(pictures); err != nil {
		return err
	}
	if slices.Contains(o.sets, "streams") {
		if err := res.measureStreams(o); err != nil {
			return err
		}
	}
	if slices.Contains(o.sets, "findings") && slices.Contains(res.names(), oursName) {
		if res.findings, err = measureFindings(o); err != nil {
			return err
		}
	}
	fmt.Printf("%s, %d processors, %s, seed %d", runtime.GOARCH, runtime.NumCPU(), runtime.Version(), o.seed)
	if o.quick {
		fmt.Print(", a sixth of the pictures")
	}
	fmt.Printf(", %s\n", time.Since(begin).Round(time.Second))
	res.print(os.Stdout)
	res.figures(os.Stdout)
	return nil
}

// startAll starts the readers that are there, and names those that are not.
func startAll(o options) (out []*process, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, r := range []struct {
		name, path string
		args       []string
	}{
		{"ours", self, []string{"-serve", "ours"}},
		{"ours-thorough", self, []string{"-serve", "ours-thorough"}},
		{"zxing-cpp", filepath.Join(o.peers, "zxing-cpp"), nil},
		{"zxing-wasm", "node", []string{filepath.Join(o.peers, "zxing-wasm", "zxing.mjs")}},
		{"gozxing", self, []string{"-serve", "gozxing"}},
		{"zbar", filepath.Join(o.peers, "zbar"), nil},
	} {
		if o.only != nil && !slices.Contains(o.only, r.name) || o.only == nil && r.name == "ours-thorough" {
			continue
		}
		file := r.path
		if r.path == "node" {
			file = r.args[0]
		}
		if _, err := os.Stat(file); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out: run reader/qr/bench/peers/build %s to have it\n", r.name, o.peers)
			continue
		}
		p, err := start(r.name, r.path, r.args...)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no reader %s is there", strings.Join(o.only, ", "))
	}
	return out, nil
}
