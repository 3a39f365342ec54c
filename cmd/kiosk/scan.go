package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// scanned is one line of `kiosk scan -json`.
type scanned struct {
	File    string          `json:"file"`
	Symbols []scannedSymbol `json:"symbols"`
	// CPU is the processor time of the decode call alone, µs.
	CPU   int64  `json:"cpu_us"`
	Error string `json:"error,omitempty"`
}

type scannedSymbol struct {
	Text     string    `json:"text"`
	Bytes    []byte    `json:"bytes"`   // base64
	Corners  [4][2]int `json:"corners"` // top left, top right, bottom right, bottom left
	Version  int       `json:"version"`
	Level    string    `json:"level"`
	Inverted bool      `json:"inverted,omitempty"`
	Mirrored bool      `json:"mirrored,omitempty"`
	// Verdict, where the text claims to be a pass: "accepted" or a reason; with
	// no bundle to verify it by "unverified" or a reason of its form.
	Verdict string `json:"verdict,omitempty"`
}

func scan(args []string, stdout, stderr io.Writer) error {
	var (
		asJSON bool
		file   string
		at     string
		folder string
		all    bool
	)
	names, err := flags("scan", args, stderr, func(f *flag.FlagSet) {
		f.BoolVar(&asJSON, "json", false, "write one JSON object a line")
		f.StringVar(&file, "config", "", "verify passes with this kiosk's trust bundle")
		f.BoolVar(&all, "all", false, "look for every code in a picture, and longer than a door could")
		f.StringVar(&folder, "explain", "", "write PNGs of what each step of reading sees into this folder")
		f.StringVar(&at, "at", "", "verify as at this time (RFC 3339) instead of now")
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("scan: name at least one picture (PNG, JPEG, PGM) or folder")
	}
	verify, err := verifier(file, at)
	if err != nil {
		return err
	}
	pictures, err := expand(names)
	if err != nil {
		return err
	}
	options := qr.Options{} // as the door reads a single frame
	if all {
		options = qr.Options{Max: 16, Thorough: true}
	}
	options.Budget = budget
	decoder := qr.New(options)
	out := json.NewEncoder(stdout)
	out.SetEscapeHTML(false)
	failed := false
	for _, name := range pictures {
		line := scanFile(decoder, name, verify)
		if folder != "" && line.Error == "" {
			if err := explain(name, folder); err != nil {
				return err
			}
		}
		failed = failed || line.Error != ""
		if asJSON {
			if err := out.Encode(line); err != nil {
				return err
			}
			continue
		}
		printScan(stdout, stderr, line)
	}
	if failed {
		return errFailed
	}
	return nil
}

func printScan(stdout, stderr io.Writer, line scanned) {
	switch {
	case line.Error != "":
		fmt.Fprintf(stderr, "kiosk: %s\n", line.Error)
	case len(line.Symbols) == 0:
		fmt.Fprintf(stdout, "%s: no code found\n", line.File)
	}
	for _, s := range line.Symbols {
		fmt.Fprintf(stdout, "%s: version %d-%s %q", line.File, s.Version, s.Level, s.Text)
		if s.Verdict != "" {
			fmt.Fprintf(stdout, " pass: %s", s.Verdict)
		}
		fmt.Fprintln(stdout)
	}
}

func scanFile(d *qr.Decoder, name string, verify func(*pass.Unverified) string) scanned {
	line := scanned{File: name, Symbols: []scannedSymbol{}}
	picture, err := load(name)
	if err != nil {
		line.Error = err.Error()
		return line
	}
	runtime.GC() // what belongs to loading must not be counted here
	start := processCPU()
	symbols, err := d.Decode(picture)
	line.CPU = (processCPU() - start).Microseconds()
	if err != nil {
		line.Error = fmt.Sprintf("%s: %v", name, err)
		return line
	}
	for _, s := range symbols {
		out := scannedSymbol{Text: s.Text, Bytes: s.Bytes, Version: s.Version, Level: string(s.Level), Inverted: s.Inverted, Mirrored: s.Mirrored}
		for i, c := range s.Corners {
			out.Corners[i] = [2]int{c.X, c.Y}
		}
		if u, err := pass.Parse(s.Text); err == nil {
			out.Verdict = verify(u)
		} else if r := pass.ReasonOf(err); r != pass.ReasonNotPass {
			out.Verdict = r.String()
		}
		line.Symbols = append(line.Symbols, out)
	}
	return line
}

// explain writes what the steps of reading see as FOLDER/PICTURE-STEP.png.
func explain(name, folder string) error {
	g, err := load(name)
	if err != nil {
		return err
	}
	pictures, err := qr.Explain(g)
	if err != nil {
		return fmt.Errorf("explain %s: %w", name, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder in -explain: %w", err)
	}
	stem := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	for _, p := range pictures {
		f, err := os.Create(filepath.Join(folder, stem+"-"+p.Name+".png"))
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		if err := errors.Join(png.Encode(f, p.Picture), f.Close()); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return nil
}

func load(name string) (*image.Gray, error) {
	source, err := camera.Open(context.Background(), camera.Config{Source: name})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	g := new(image.Gray)
	if err := source.Grab(context.Background(), g); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// processCPU is the processor time this process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// expand replaces folders by the pictures in them, by name.
func expand(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		if !info.IsDir() {
			out = append(out, name)
			continue
		}
		err = filepath.WalkDir(name, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && slices.Contains([]string{".png", ".jpg", ".jpeg", ".pgm"}, strings.ToLower(filepath.Ext(path))) {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("scan: there is no PNG, JPEG or PGM picture in what was named")
	}
	return out, nil
}

// budget is how long a single picture may take: nobody waits at a door, and a
// busy machine must not make it unreadable.
const budget = 5 * time.Second

// verifier judges a well-formed pass by the bundle of the kiosk that file
// configures; with no file nothing can be said but that.
func verifier(file, at string) (func(*pass.Unverified) string, error) {
	if file == "" {
		return func(*pass.Unverified) string { return "unverified" }, nil
	}
	cfg, err := device.Load(file)
	if err != nil {
		return nil, err
	}
	id, err := enrol.Load(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("scan: enrol the kiosk first: %w", err)
	}
	raw, err := os.ReadFile(cfg.Bundle())
	if err != nil {
		return nil, fmt.Errorf("scan: the kiosk has no trust bundle yet, run it once with a network: %w", err)
	}
	bundle, err := pass.OpenBundle(raw, id.Root)
	if err != nil {
		return nil, err
	}
	now := time.Now
	if at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return nil, fmt.Errorf("scan: -at: %w", err)
		}
		now = func() time.Time { return t }
	}
	return func(u *pass.Unverified) string {
		_, err := u.Verify(now(), bundle, pass.Conditions{Skew: cfg.Clock.Skew, Facility: id.Kind, Clock: pass.ClockSure})
		if err != nil {
			return pass.ReasonOf(err).String()
		}
		return "accepted"
	}, nil
}
