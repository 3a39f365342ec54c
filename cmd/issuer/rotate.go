package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
)

// lead is how long a key is in the bundle before it signs: a kiosk that has
// been without network for so long verifies what it signs all the same.
const lead = 35 * 24 * time.Hour

// nextKeys reads the keys beside a brand's first one: NAME-2026-12-27.key signs
// from that day (UTC) on.
func nextKeys(first string) ([]issuer.DatedKey, error) {
	stem := strings.TrimSuffix(first, ".key") + "-"
	files, err := filepath.Glob(stem + "????-??-??.key")
	if err != nil {
		return nil, fmt.Errorf("look for the next keys: %w", err)
	}
	slices.Sort(files)
	var all []issuer.DatedKey
	for _, file := range files {
		from, err := time.Parse(time.DateOnly, strings.TrimSuffix(strings.TrimPrefix(file, stem), ".key"))
		if err != nil {
			return nil, fmt.Errorf("%s: a next key's name ends with the day from which it signs, like -2026-12-27.key", file)
		}
		key, err := configs.ReadKey(file)
		if err != nil {
			return nil, err
		}
		all = append(all, issuer.DatedKey{From: from, Key: key})
	}
	return all, nil
}

// rotate makes a brand's next key and prints its block. Nothing else is to be
// done by hand: the server takes it up, and it signs when its day has come.
func rotate(path, id string, now time.Time, stdout, stderr io.Writer) error {
	_, brands, err := load(path)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(brands, func(b issuer.Brand) bool { return b.ID == id })
	if at < 0 {
		return fmt.Errorf("%s has no brand %q", path, id)
	}
	b := brands[at]
	if n := len(b.Next); n > 0 && b.Next[n-1].From.After(now) {
		return fmt.Errorf("brand %q has a key already that signs from %s on: wait until then", id, b.Next[n-1].From.Format(time.DateOnly))
	}
	// The next midnight, so that 35 whole days lie between.
	from := now.UTC().Add(lead).Truncate(24*time.Hour).AddDate(0, 0, 1)
	file := strings.TrimSuffix(b.KeyFile, ".key") + "-" + from.Format(time.DateOnly) + ".key"
	key, err := configs.CreateKey(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "made %s, which signs from %s on\nnext: give what follows to registry issuer add today: kiosks need it 35 days before\n", file, from.Format(time.DateOnly))
	fmt.Fprintf(stdout, "\n[[issuers]] # %s\nid = %q\n", b.NameEN, b.ID)
	printKey(stdout, issuer.DatedKey{From: from, Key: key})
	return nil
}

// followKeys takes up keys that rotate has made, within the hour, until ctx ends.
func followKeys(ctx context.Context, server *issuer.Server, brands []issuer.Brand, log *slog.Logger) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, b := range brands {
			next, err := nextKeys(b.KeyFile)
			if err == nil {
				err = server.Rotate(b.ID, next)
			}
			if err != nil {
				log.Error("a brand's next keys are not read, the ones there are stay", "brand", b.ID, "error", err)
			}
		}
	}
}
