package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass/trace"
)

// officerCommands keep the authority's roster: who may investigate. authority,
// add, list, revoke and renew run on the authority's own machine, offline; init
// on an officer's; card at the registry or an issuer.
func officerCommands() []command {
	return []command{
		{"officer authority", "FOLDER", "make the key and the empty roster of an authority that investigates", officerAuthority},
		{"officer init", "-id ID -registry URL -authority KEY [-ca FILE] FOLDER", "make an officer's key and print its card for the authority", officerInit},
		{"officer card", "-id ID -key FILE [-address URL]", "print the card of the registry (receipt.key) or an issuer", officerCard},
		{"officer add", "-as officer|issuer|registry [-authority FOLDER] [-days N] CARD", "enter a card into the roster and sign it", officerAdd},
		{"officer list", "[-authority FOLDER]", "list the roster", officerList},
		{"officer revoke", "[-authority FOLDER] ID", "end a party at once", officerRevoke},
		{"officer renew", "[-authority FOLDER]", "sign the same roster for another 90 days", officerRenew},
	}
}

func (c *call) authorityFlag() *string {
	return c.flags.String("authority", ".", "the authority's `folder`")
}

func officerAuthority(_ context.Context, c *call, args []string) error {
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	return makeAuthority(args[0], c.now(), c.stdout)
}

func officerInit(_ context.Context, c *call, args []string) error {
	var o officerFile
	c.flags.StringVar(&o.ID, "id", "", "the officer's `name` on the roster: a–z, 0–9, . -")
	c.flags.StringVar(&o.Registry, "registry", "", "the registry's `address`, https://…")
	c.flags.StringVar(&o.CA, "ca", "", "`file` with the registry's CA certificate, where the system does not vouch for it")
	c.flags.TextVar(&o.Authority, "authority", configs.PublicKey{}, "the authority's public `key`")
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	return makeOfficer(args[0], o, c.stdout)
}

func officerCard(_ context.Context, c *call, args []string) error {
	id := c.flags.String("id", "", "the party's `name`; an issuer's is the id in its passes")
	key := c.flags.String("key", "", "its private key `file`")
	address := c.flags.String("address", "", "where an issuer answers groups, https://…")
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	return printCard(*id, *key, *address, c.stdout)
}

func officerAdd(_ context.Context, c *call, args []string) error {
	dir := c.authorityFlag()
	role := c.flags.String("as", "", "`role`: officer, issuer or registry")
	days := c.flags.Int("days", 365, "how many `days` it takes part, 1 to 3650")
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	return addParty(*dir, *role, *days, args[0], c.now(), c.stdout)
}

func officerList(_ context.Context, c *call, args []string) error {
	dir := c.authorityFlag()
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	return listRoster(*dir, c.now(), c.stdout)
}

func officerRevoke(_ context.Context, c *call, args []string) error {
	dir := c.authorityFlag()
	args, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	return revokeParty(*dir, args[0], c.now(), c.stdout)
}

func officerRenew(_ context.Context, c *call, args []string) error {
	dir := c.authorityFlag()
	if _, err := c.parse(args, 0); err != nil {
		return err
	}
	return changeRoster(*dir, c.now(), c.stdout, func(*trace.Contents) error { return nil })
}

const (
	authorityKey = "authority.key"
	rosterName   = "roster.cbor"
)

// makeAuthority makes a folder with the key that all trust in investigations
// comes from.
func makeAuthority(dir string, now time.Time, stdout io.Writer) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	key, err := configs.CreateKey(filepath.Join(dir, authorityKey))
	if err != nil {
		return err
	}
	raw, err := trace.SignRoster(key, trace.Contents{Number: 1, Issued: now.Unix(), Expires: now.Add(trace.RosterLife).Unix()})
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, rosterName), raw, 0o644); err != nil {
		return fmt.Errorf("write the roster: %w", err)
	}
	fmt.Fprintf(stdout, `made %s with %s and an empty %s

the authority's public key, for registry.toml, issuer.toml and officers:
authority = "%s"

next:
  1. let every party print its card: officers with registry officer init, the
     registry (receipt.key) and issuers (trace.key) with registry officer card
  2. compare each card's fingerprint by telephone, then registry officer add
  3. copy %s to the registry and to every issuer, again after each change
`, dir, authorityKey, rosterName, configs.Public(key), rosterName)
	return nil
}

// openAuthority reads the authority's key and the roster it signed last.
func openAuthority(dir string) (ed25519.PrivateKey, *trace.Roster, error) {
	key, err := configs.ReadKey(filepath.Join(dir, authorityKey))
	if err != nil {
		return nil, nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, rosterName))
	if err != nil {
		return nil, nil, fmt.Errorf("read the roster: %w", err)
	}
	r, err := trace.OpenRoster(raw, ed25519.PublicKey(configs.Public(key)))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, rosterName), err)
	}
	return key, r, nil
}

// changeRoster signs the next roster.
func changeRoster(dir string, now time.Time, stdout io.Writer, change func(*trace.Contents) error) error {
	key, r, err := openAuthority(dir)
	if err != nil {
		return err
	}
	c := r.Contents()
	if err := change(&c); err != nil {
		return err
	}
	c.Number++
	c.Issued, c.Expires = now.Unix(), now.Add(trace.RosterLife).Unix()
	raw, err := trace.SignRoster(key, c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, rosterName)
	if err := renameio.WriteFile(path, raw, 0o644); err != nil {
		return fmt.Errorf("write the roster: %w", err)
	}
	fmt.Fprintf(stdout, "signed roster %d: %d officers, %d issuers, %d registries, to be used until %s\ncopy %s to the registry and to every issuer\n",
		c.Number, len(c.Officers), len(c.Issuers), len(c.Registries), time.Unix(c.Expires, 0).UTC().Format(time.DateOnly), path)
	return nil
}

func addParty(dir, role string, days int, card string, now time.Time, stdout io.Writer) error {
	p, err := trace.ParseCard(card)
	if err != nil {
		return err
	}
	if days < 1 || days > 3650 {
		return fmt.Errorf("-days %d: want 1 to 3650", days)
	}
	p.NotBefore, p.NotAfter = now.Add(-trace.Skew).Unix(), now.AddDate(0, 0, days).Unix()
	return changeRoster(dir, now, stdout, func(c *trace.Contents) error {
		lists := map[string]*[]trace.Party{"officer": &c.Officers, "issuer": &c.Issuers, "registry": &c.Registries}
		list := lists[role]
		if list == nil {
			return fmt.Errorf("-as %q: want officer, issuer or registry", role)
		}
		if role == "issuer" { // its id is the one in its passes: a new key takes the place of one that has ended
			*list = slices.DeleteFunc(*list, func(q trace.Party) bool {
				return q.ID == p.ID && (q.RevokedAt != 0 || q.NotAfter <= now.Unix())
			})
		}
		*list = append(*list, p)
		fmt.Fprintf(stdout, "%s %s, fingerprint %s\n", role, p.ID, p.Fingerprint())
		return nil
	})
}

func revokeParty(dir, id string, now time.Time, stdout io.Writer) error {
	return changeRoster(dir, now, stdout, func(c *trace.Contents) error {
		for _, list := range [][]trace.Party{c.Officers, c.Issuers, c.Registries} {
			if i := slices.IndexFunc(list, func(p trace.Party) bool { return p.ID == id }); i >= 0 {
				if list[i].RevokedAt == 0 {
					list[i].RevokedAt = now.Unix()
				}
				return nil
			}
		}
		return fmt.Errorf("%q is not on the roster: registry officer list shows who is", id)
	})
}

func listRoster(dir string, now time.Time, stdout io.Writer) error {
	_, r, err := openAuthority(dir)
	if err != nil {
		return err
	}
	c := r.Contents()
	fmt.Fprintf(stdout, "roster %d, to be used until %s\n", c.Number, r.Expires().Format(time.DateOnly))
	printParties("officer", c.Officers, now, stdout)
	printParties("issuer", c.Issuers, now, stdout)
	printParties("registry", c.Registries, now, stdout)
	return nil
}

func printParties(role string, list []trace.Party, now time.Time, stdout io.Writer) {
	for _, p := range list {
		state := "until " + time.Unix(p.NotAfter, 0).UTC().Format(time.DateOnly)
		switch {
		case p.RevokedAt != 0:
			state = "REVOKED " + time.Unix(p.RevokedAt, 0).UTC().Format(time.DateTime)
		case now.Unix() >= p.NotAfter:
			state = "ended " + time.Unix(p.NotAfter, 0).UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(stdout, "%-8s  %-16s  %s  %s  %s\n", role, p.ID, p.Fingerprint(), state, p.Address)
	}
}

func printCard(id, keyFile, address string, stdout io.Writer) error {
	key, err := configs.ReadKey(keyFile)
	if err != nil {
		return err
	}
	i, err := trace.NewIdentity(id, key)
	if err != nil {
		return fmt.Errorf("-id %q: %w", id, err)
	}
	card, err := i.Card(address)
	if err != nil {
		return fmt.Errorf("-address %q: %w", address, err)
	}
	fmt.Fprintf(stdout, "%s\n\nfingerprint of %s, to be compared by telephone: %s\n", card, id, i.Party().Fingerprint())
	return nil
}

// officerFile is officer.toml.
type officerFile struct {
	ID        string            `toml:"id"`
	Key       string            `toml:"key"`
	Registry  string            `toml:"registry"`
	Authority configs.PublicKey `toml:"authority"`
	CA        string            `toml:"ca"`
}

func makeOfficer(dir string, o officerFile, stdout io.Writer) error {
	if len(o.Authority) == 0 {
		return errors.New("-authority is missing: the public key that the authority hands out")
	}
	if !strings.HasPrefix(o.Registry, "https://") && !strings.HasPrefix(o.Registry, "http://127.0.0.1") {
		return errors.New("-registry: want the registry's https:// address")
	}
	path := filepath.Join(dir, "officer.toml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already and is kept: choose another folder", path)
	}
	ca := ""
	if o.CA != "" {
		abs, err := filepath.Abs(o.CA)
		if err != nil {
			return err
		}
		ca = abs
	}
	if _, err := trace.NewIdentity(o.ID, make([]byte, ed25519.PrivateKeySize)); err != nil {
		return fmt.Errorf("-id %q: %w", o.ID, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	if _, err := configs.CreateKey(filepath.Join(dir, "officer.key")); err != nil {
		return err
	}
	text := fmt.Sprintf("# One officer's tool: registry inquiry -officer THIS FOLDER. The key stays here.\nid        = %q\nkey       = \"officer.key\"\nregistry  = %q\nauthority = %q\n\n# CA certificate of the registry, where the system does not vouch for it.\nca = %q\n",
		o.ID, o.Registry, o.Authority.String(), ca)
	if err := configs.Decode(path, []byte(text), &officerFile{}); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(stdout, "made %s with officer.key and officer.toml\n\nthe card, for the authority:\n", dir)
	return printCard(o.ID, filepath.Join(dir, "officer.key"), "", stdout)
}
