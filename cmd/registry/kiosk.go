package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mdp/qrterminal/v3"
	"rsc.io/qr"

	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/registry/devices"
)

// withBook runs f with the book of facilities and kiosks.
func (c *call) withBook(ctx context.Context, f func(config *file, b *devices.Book) error) (err error) {
	config, err := load(*c.path)
	if err != nil {
		return err
	}
	db, err := config.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b, err := config.book(db)
	if err != nil {
		return fmt.Errorf("%s: %w", *c.path, err)
	}
	return f(config, b)
}

func facilityAdd(ctx context.Context, c *call, args []string) error {
	name := c.flags.String("name", "", "the facility's `name`, for people")
	kind := c.flags.String("kind", "", "`kind` of facility: chooses the policy")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	return c.withBook(ctx, func(config *file, b *devices.Book) error {
		f, err := b.AddFacility(ctx, *name, *kind, "", c.now())
		if err != nil {
			return err
		}
		if _, ok := config.Policies[*kind]; !ok {
			fmt.Fprintf(c.stderr, "note: there is no policy for the kind %q: such facilities record\n", *kind)
		}
		fmt.Fprintln(c.stdout, f.ID)
		return nil
	})
}

func facilityList(ctx context.Context, c *call, args []string) error {
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	return c.withBook(ctx, func(_ *file, b *devices.Book) error {
		all, err := b.Facilities(ctx)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "FACILITY\tNAME\tKIND\tENTERED")
		for _, f := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.ID, f.Name, f.Kind, f.Created.Format(time.DateOnly))
		}
		return t.Flush()
	})
}

func kioskCode(ctx context.Context, c *call, args []string) error {
	facility := c.flags.String("facility", "", "the facility's `id`")
	name := c.flags.String("name", "", "the door's `name`, for people")
	replace := c.flags.String("replace", "", "the `kiosk` whose place the new device takes")
	days := c.flags.Int("days", 1, "how long the code may be used, 1 to 7 `days`")
	picture := c.flags.String("png", "", "write the code as a picture to this `file`, too")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	if *days < 1 || *days > 7 {
		return fmt.Errorf("-days is %d, want 1 to 7", *days)
	}
	return c.withBook(ctx, func(_ *file, b *devices.Book) error {
		if *replace != "" && *facility == "" {
			k, err := b.Kiosk(ctx, *replace)
			if err != nil {
				return err
			}
			*facility = k.Facility
		}
		text, code, err := b.NewCode(ctx, *facility, *name, *replace, time.Duration(*days)*24*time.Hour, c.now())
		if err != nil {
			return err
		}
		if *picture != "" {
			if err := writePNG(*picture, text); err != nil {
				return err
			}
		}
		fmt.Fprintf(c.stdout, "facility:           %s\nregistry:           %s\nfingerprint words:  %s\nfor one kiosk, until %s\n\n",
			code.Facility, b.Name, strings.Join(b.Words(), " "), time.Unix(code.Expires, 0).UTC().Format(time.RFC3339))
		qrterminal.GenerateHalfBlock(text, qrterminal.L, c.stdout)
		fmt.Fprintf(c.stdout, "\nshow this to the kiosk's camera, or run there: kiosk enroll '%s'\n", text)
		return nil
	})
}

// writePNG draws the code eight pixels a module.
func writePNG(path, text string) error {
	code, err := symbol.Encode(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // the secret is in it
	if err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	if err := errors.Join(draw(f, code), f.Close()); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func draw(w io.Writer, code *qr.Code) error {
	const module = 8
	side := (code.Size + 2*symbol.Quiet) * module
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if code.Black(x/module-symbol.Quiet, y/module-symbol.Quiet) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	return png.Encode(w, img)
}

func kioskList(ctx context.Context, c *call, args []string) error {
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	now := c.now()
	return c.withBook(ctx, func(_ *file, b *devices.Book) error {
		all, err := b.Kiosks(ctx)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "KIOSK\tFACILITY\tDOOR\tSTATE\tHEARD\tQUEUE\tOLDEST\tBUNDLE\tCLOCK\tCERTIFICATE\tVERSION")
		for _, k := range all {
			heard, oldest, clock, expires := "never", "-", "-", "-"
			if !k.Expires.IsZero() {
				expires = k.Expires.Format(time.DateOnly)
			}
			if !k.Seen.IsZero() {
				heard, clock = ago(now, k.Seen), k.Health.Clock.String()
			}
			if k.Health.Oldest != 0 {
				oldest = ago(now, time.UnixMilli(k.Health.Oldest))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\n", k.ID, k.FacilityName, k.Name, state(k, now), heard,
				k.Health.Queue, oldest, k.Health.Bundle, clock, expires, k.Health.Version)
		}
		return t.Flush()
	})
}

func state(k devices.Kiosk, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case k.Silent(now):
		return "silent"
	}
	return "ok"
}

func ago(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }

func kioskRevoke(ctx context.Context, c *call, args []string) error {
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	return c.withBook(ctx, func(_ *file, b *devices.Book) error {
		if err := b.Revoke(ctx, args[0], c.now()); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "kiosk %s is refused by every registry process within %s\n", args[0], devices.Memory)
		return nil
	})
}
