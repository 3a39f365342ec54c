package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
)

// lead is how long a key is in the bundle before it signs: a kiosk that has
// been without network for so long verifies what it signs all the same.
const lead = 35 * 24 * time.Hour

// notice is how long before a brand's last key ends its operator is told.
const notice = 2 * lead

// signingKey is one of a brand's with its days: it signs from From on, and who
// verifies takes it until the other.
type signingKey struct {
	issuer.DatedKey
	until time.Time
	file  string
}

// The days stand behind the key in its file, where PEM ends (RFC 7468, section
// 2): a copy of the file keeps them.
const daysLine = "signs from %s, for registries until %s\n"

var daysForm = regexp.MustCompile(`(?m)^signs from (\S+), for registries until (\S+)$`)

// createKey makes a key that signs from a day on, and is in bundles for a year.
func createKey(file string, from time.Time) (signingKey, error) {
	k := signingKey{file: file, DatedKey: issuer.DatedKey{From: from}, until: from.AddDate(1, 0, 0)}
	var err error
	if k.Key, err = configs.CreateKey(file); err != nil {
		return k, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return k, fmt.Errorf("write the key's days: %w", err)
	}
	_, err = fmt.Fprintf(f, daysLine, from.Format(time.DateOnly), k.until.Format(time.DateOnly))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return k, fmt.Errorf("write the key's days: %w", err)
	}
	return k, nil
}

// readKey reads a key with its days. One that was made by another tool signs
// from the day of its file on.
func readKey(file string) (k signingKey, err error) {
	k.file = file
	if k.Key, err = configs.ReadKey(file); err != nil {
		return k, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return k, fmt.Errorf("read the key's days: %w", err)
	}
	if m := daysForm.FindSubmatch(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))); m != nil {
		var err2 error
		k.From, err = time.Parse(time.DateOnly, string(m[1]))
		k.until, err2 = time.Parse(time.DateOnly, string(m[2]))
		if err := errors.Join(err, err2); err != nil {
			return k, fmt.Errorf("%s: the key's days: %w", file, err)
		}
		return k, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return k, fmt.Errorf("read the key's days: %w", err)
	}
	k.From = info.ModTime().UTC().Truncate(24 * time.Hour)
	k.until = k.From.AddDate(1, 0, 0)
	return k, nil
}

// nextKeys reads the keys beside a brand's first one: NAME-2026-12-27.key signs
// from that day (UTC) on.
func nextKeys(first string) ([]signingKey, error) {
	stem := strings.TrimSuffix(first, ".key") + "-"
	files, err := filepath.Glob(stem + "????-??-??.key")
	if err != nil {
		return nil, fmt.Errorf("look for the next keys: %w", err)
	}
	slices.Sort(files)
	var all []signingKey
	for _, file := range files {
		from, err := time.Parse(time.DateOnly, strings.TrimSuffix(strings.TrimPrefix(file, stem), ".key"))
		if err != nil {
			return nil, fmt.Errorf("%s: a next key's name ends with the day from which it signs, like -2026-12-27.key", file)
		}
		k, err := readKey(file)
		if err != nil {
			return nil, err
		}
		if !k.From.Equal(from) { // its name has the last word
			k.From, k.until = from, from.AddDate(1, 0, 0)
		}
		all = append(all, k)
	}
	return all, nil
}

func dated(keys []signingKey) []issuer.DatedKey {
	var all []issuer.DatedKey
	for _, k := range keys {
		all = append(all, k.DatedKey)
	}
	return all
}

// keysOf reads all keys of a brand, the first one first.
func keysOf(b issuer.Brand) ([]signingKey, error) {
	first, err := readKey(b.KeyFile)
	if err != nil {
		return nil, err
	}
	next, err := nextKeys(b.KeyFile)
	return append([]signingKey{first}, next...), err
}

// signsUntil is when the keys there are stop signing without a gap, from the
// one that signs at now on.
func signsUntil(keys []signingKey, now time.Time) time.Time {
	var until time.Time
	for _, k := range keys {
		switch {
		case !k.From.After(now): // the one that began last
			until = k.until
		case !k.From.After(until) && k.until.After(until):
			until = k.until
		}
	}
	return until
}

// keyTrouble says what its operator must do about a brand's keys; "" for nothing.
func keyTrouble(id string, until, now time.Time) (trouble string, urgent bool) {
	left := until.Sub(now)
	day := until.Format(time.DateOnly)
	switch {
	case left <= 0:
		return fmt.Sprintf("no key signs any more since %s, and kiosks refuse its passes: run issuer rotate %s and give the registry what it prints with not_before of today", day, id), true
	case left < lead:
		return fmt.Sprintf("the last key ends on %s, sooner than a next one reaches every kiosk: run issuer rotate %s today and have the registry keep this key for 35 days longer", day, id), true
	case left < notice:
		return fmt.Sprintf("the last key ends on %s: run issuer rotate %s before %s", day, id, until.Add(-lead).Format(time.DateOnly)), false
	}
	return "", false
}

// printKeys prints the brands' public keys as blocks for `registry issuer add`.
func printKeys(path string, stdout io.Writer) error {
	_, brands, err := load(path)
	if err != nil {
		return err
	}
	for _, b := range brands {
		keys, err := keysOf(b)
		if err != nil {
			return err
		}
		printBlock(stdout, b, keys...)
	}
	return nil
}

func printBlock(stdout io.Writer, b issuer.Brand, keys ...signingKey) {
	fmt.Fprintf(stdout, "\n[[issuers]] # %s\nid = %q\n", b.NameEN, b.ID)
	for _, k := range keys {
		fmt.Fprintf(stdout, "[[issuers.keys]]\npublic     = \"%s\"\nnot_before = %s\nnot_after  = %s\n",
			configs.Public(k.Key), k.From.Format(time.RFC3339), k.until.Format(time.RFC3339))
	}
}
