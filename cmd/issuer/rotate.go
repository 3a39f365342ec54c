package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/issuer"
)

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
	key, err := createKey(strings.TrimSuffix(b.KeyFile, ".key")+"-"+from.Format(time.DateOnly)+".key", from)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "made %s, which signs from %s on\nnext: give what follows to registry issuer add today: kiosks need it 35 days before\n", key.file, from.Format(time.DateOnly))
	printBlock(stdout, b, key)
	return nil
}

// follow takes up keys that rotate has made, within the hour, and tells what
// will soon run out, at its start and once a day, until ctx ends.
func follow(ctx context.Context, server *issuer.Server, brands []issuer.Brand, metrics *metrics, now func() time.Time, log *slog.Logger) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for hour := 0; ; hour++ {
		for _, b := range brands {
			keys, err := keysOf(b)
			if err == nil {
				err = server.Rotate(b.ID, dated(keys[1:]))
			}
			if err != nil {
				log.Error("a brand's keys are not read, the ones there are stay", "brand", b.ID, "error", err)
				continue
			}
			until := signsUntil(keys, now())
			metrics.signsUntil(b.ID, until)
			if trouble, urgent := keyTrouble(b.ID, until, now()); trouble != "" && hour%24 == 0 {
				level := slog.LevelWarn
				if urgent {
					level = slog.LevelError
				}
				log.Log(ctx, level, "a brand's keys run out", "brand", b.ID, "what", trouble)
			}
			if b.Authorities == nil {
				continue
			}
			until, err = b.Authorities.Until(now())
			metrics.listUntil(b.ID, until)
			if err != nil {
				log.Error("nobody can be verified by certificate", "brand", b.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
