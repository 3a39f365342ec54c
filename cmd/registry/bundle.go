package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/devices"
)

// maxLead is how far above the last bundle's number a kiosk's report is
// believed. Only a restored backup explains more, and that the operator knows.
const maxLead = 1000

// bundleCommand writes the next trust bundle. Its number continues above the
// one on disk, above what any kiosk has reported and above the given one.
func bundleCommand(ctx context.Context, c *call, args []string) error {
	above := c.flags.Uint64("above", 0, "continue above this `number`")
	rootKey := c.flags.String("root-key", "", "the private root key's `file`, brought along for this; root_key of the configuration by default")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	path, now := *c.path, c.now()
	f, err := load(path)
	if err != nil {
		return err
	}
	if *rootKey != "" {
		f.RootKey = *rootKey
	}
	root, err := configs.ReadKey(f.RootKey)
	if err != nil {
		return err
	}
	public := ed25519.PublicKey(f.Root)
	if !root.Public().(ed25519.PublicKey).Equal(public) {
		return fmt.Errorf("%s is not the private half of root in %s: kiosks would refuse the bundle", f.RootKey, path)
	}
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	contents, err := f.contents(receipt.Public().(ed25519.PublicKey), now)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	last, err := lastNumber(f.Bundle, public)
	if err != nil {
		return err
	}
	reported, err := reportedNumber(ctx, f, max(last, *above))
	if err != nil {
		return err
	}
	contents.Number, contents.Issued = max(last, reported, *above)+1, now.Unix()
	contents.Expires = now.AddDate(0, 0, f.BundleDays).Unix()
	raw, err := pass.SignBundle(root, contents)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := pass.OpenBundle(raw, public); err != nil {
		return err
	}
	warnLate(c.stderr, contents, now)
	// The rename lets a running registry see all of it or nothing.
	if err := renameio.WriteFile(f.Bundle, raw, 0o644); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	fmt.Fprintf(c.stdout, "signed bundle %d: %d issuers, %d policies, %d bytes, to be used until %s\n",
		contents.Number, len(contents.Issuers), len(contents.Policies), len(raw), time.Unix(contents.Expires, 0).UTC().Format(time.DateOnly))
	return nil
}

// lastNumber is the number of the bundle on disk, 0 for none.
func lastNumber(path string, root ed25519.PublicKey) (uint64, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the last bundle: %w", err)
	}
	b, err := pass.OpenBundle(raw, root)
	if err != nil {
		return 0, fmt.Errorf("%s is there, but: %w; move it away and give -above the highest number kiosks have seen", path, err)
	}
	return b.Number(), nil
}

// reportedNumber is the highest number any kiosk has reported. One far above
// what the operator knows of is believed only when he says so: a single
// kiosk's word must not use the numbers up.
func reportedNumber(ctx context.Context, f *file, known uint64) (uint64, error) {
	db, err := f.open(ctx)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	n, kiosk, err := devices.HighestBundle(ctx, db.SQL())
	if err != nil {
		return 0, err
	}
	if n > known+maxLead {
		return 0, fmt.Errorf("kiosk %q reports bundle %d, far above %d: if this registry was restored from a backup, give -above %d; if not, revoke that kiosk", kiosk, n, known, n)
	}
	return n, nil
}

// warnLate names keys that some kiosks will not know in time.
func warnLate(w io.Writer, c pass.Contents, now time.Time) {
	for _, i := range c.Issuers {
		for _, k := range i.Keys {
			if begins := time.Unix(k.NotBefore, 0).UTC(); begins.After(now) && begins.Before(now.Add(pass.KeyLead)) {
				fmt.Fprintf(w, "note: a key of %q signs from %s, in less than 35 days: a kiosk that is offline till then will not know it\n", i.ID, begins.Format(time.DateOnly))
			}
		}
	}
}

// issuerAdd enters an issuer's block, or the block of its next key, into the
// configuration.
func issuerAdd(_ context.Context, c *call, args []string) error {
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	var text []byte
	if args[0] == "-" {
		text, err = io.ReadAll(io.LimitReader(c.stdin, 1<<20))
	} else {
		text, err = os.ReadFile(args[0])
	}
	if err != nil {
		return fmt.Errorf("read the issuer's block: %w", err)
	}
	var only struct {
		Issuers []issuerBlock `toml:"issuers"`
	}
	if err := configs.Decode(args[0], text, &only); err != nil {
		return fmt.Errorf("this is not what issuer init prints: %w", err)
	}
	if len(only.Issuers) == 0 {
		return fmt.Errorf("%s holds no [[issuers]] block: it is what issuer init prints", args[0])
	}
	path := *c.path
	f, err := load(path)
	if err != nil {
		return err
	}
	f.Issuers = append(f.Issuers, only.Issuers...)
	receipt, err := configs.ReadKey(f.ReceiptKey)
	if err != nil {
		return err
	}
	if _, err := f.contents(receipt.Public().(ed25519.PublicKey), c.now()); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := appendBlock(path, "\n"+string(bytes.TrimSpace(text))+"\n"); err != nil {
		return err
	}
	for _, i := range only.Issuers {
		fmt.Fprintf(c.stdout, "issuer %q: %d keys entered\n", i.ID, len(i.Keys))
	}
	fmt.Fprintln(c.stderr, "sign a bundle now: registry bundle")
	return nil
}

// appendBlock adds text to the end of the configuration, if it fits there.
func appendBlock(path, block string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	next := append(bytes.TrimRight(old, "\n"), append([]byte("\n"), block...)...)
	if err := configs.Decode(path, next, &file{}); err != nil {
		return fmt.Errorf("the block does not fit behind what is there: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if err := renameio.WriteFile(path, next, info.Mode().Perm()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
