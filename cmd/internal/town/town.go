// Package town is everything around a kiosk in one process: an issuer, a
// registry with its database, the keys that tie them, and passes good and bad.
// The demo runs in it, and so do the tests that need the whole line.
package town

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/store"
)

// Addresses are where the servers listen, host:port; port 0 picks a free one.
type Addresses struct{ Issuer, Registry string }

// Town is one of each.
type Town struct {
	Dir         string
	Issuer      *issuer.Server
	Registry    *registry.Server
	Store       *store.DB
	IssuerURL   string
	RegistryURL string

	root     ed25519.PrivateKey
	receipt  ed25519.PrivateKey
	brands   []issuer.Brand
	tokens   map[string]string // by kiosk id
	policies map[string]pass.Policy
	serve    []tasks.Task
	now      func() time.Time
	log      *slog.Logger
}

// New founds a town in dir with a kiosk account for each id in kiosks, all of
// the facility kind given. Run Tasks; Close at the end.
func New(ctx context.Context, dir string, a Addresses, kiosks []string, kind string, now func() time.Time, log *slog.Logger) (*Town, error) {
	t := &Town{Dir: dir, now: now, log: log, tokens: map[string]string{}, policies: map[string]pass.Policy{}}
	var err error
	if t.brands, err = issuer.SampleBrands(); err != nil {
		return nil, err
	}
	for _, key := range []*ed25519.PrivateKey{&t.root, &t.receipt} {
		if _, *key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	for i := range t.brands {
		if _, t.brands[i].Key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	if err := t.Publish(1, nil); err != nil {
		return nil, err
	}
	bundles, err := registry.OpenBundleFile(t.bundleFile(), t.root.Public().(ed25519.PublicKey), log)
	if err != nil {
		return nil, err
	}
	keys, err := store.OpenDayKeys(filepath.Join(dir, "day-keys"))
	if err != nil {
		return nil, err
	}
	if t.Store, err = store.Open(ctx, filepath.Join(dir, "registry.db"), keys); err != nil {
		return nil, err
	}
	var accounts []registry.Kiosk
	for _, id := range kiosks {
		token := make([]byte, 24)
		rand.Read(token) // never fails
		t.tokens[id] = hex.EncodeToString(token)
		accounts = append(accounts, registry.Kiosk{ID: id, Facility: facilityOf(id), Kind: kind, Token: registry.TokenHash(t.tokens[id])})
	}
	if t.Registry, err = registry.New(registry.Config{Kiosks: accounts, Receipt: t.receipt, Bundles: bundles, Store: t.Store, Now: now, Log: log}); err != nil {
		return nil, errors.Join(err, t.Store.Close())
	}
	if t.Issuer, err = issuer.New(issuer.Config{
		Brands: t.brands, Health: issuer.DemoHealth{}, Now: now, Log: log,
		Helpline: issuer.Helpline{Number: "000-0000-0000", Hours: "시연용 번호입니다", HoursEN: "a number for the demo only"},
	}); err != nil {
		return nil, errors.Join(err, t.Store.Close())
	}
	if t.IssuerURL, err = t.listen("issuer", a.Issuer, t.Issuer.Serve); err == nil {
		t.RegistryURL, err = t.listen("registry", a.Registry, t.Registry.Serve)
	}
	if err != nil {
		return nil, errors.Join(err, t.Store.Close())
	}
	t.serve = append(t.serve, store.NewRetention(t.Store, store.NewAudit(t.Store, t.receipt, now), now, log))
	return t, nil
}

func (t *Town) listen(name, address string, serve func(context.Context, net.Listener) error) (url string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen for the %s: another program may use %s, choose another address: %w", name, address, err)
	}
	t.serve = append(t.serve, tasks.Func{Name: name, Do: func(ctx context.Context) error { return serve(ctx, l) }})
	at := l.Addr().(*net.TCPAddr)
	if at.IP.IsUnspecified() { // listening on all addresses: this machine's own name for them
		return fmt.Sprintf("http://localhost:%d", at.Port), nil
	}
	return "http://" + at.String(), nil
}

// Tasks are the servers, in the order issuer, registry, retention.
func (t *Town) Tasks() []tasks.Task { return t.serve }

// Close closes the registry's database. Call it when no task runs any more.
func (t *Town) Close() error { return t.Store.Close() }

func (t *Town) bundleFile() string { return filepath.Join(t.Dir, "registry-bundle.cbor") }

// Root is the public root key.
func (t *Town) Root() ed25519.PublicKey { return t.root.Public().(ed25519.PublicKey) }

// Publish signs bundle number n; edit, if not nil, changes what it says.
func (t *Town) Publish(n uint64, edit func(*pass.Contents)) error {
	now := t.now()
	c := pass.Contents{
		Number: n, Issued: now.Unix(), Expires: now.Add(pass.BundleLife).Unix(), Policies: t.policies,
		Receipts: [][]byte{t.receipt.Public().(ed25519.PublicKey)},
	}
	for _, b := range t.brands {
		key := pass.NewKey(b.Key.Public().(ed25519.PublicKey), now.Add(-24*time.Hour), now.Add(365*24*time.Hour))
		c.Issuers = append(c.Issuers, pass.Issuer{ID: b.ID, Keys: []pass.Key{key}})
	}
	if edit != nil {
		edit(&c)
	}
	raw, err := pass.SignBundle(t.root, c)
	if err != nil {
		return err
	}
	tmp := t.bundleFile() + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	if err := os.Rename(tmp, t.bundleFile()); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

// Kiosk is the configuration of one of the town's kiosks, without devices:
// set camera, sound and screen.
func (t *Town) Kiosk(id string) device.Config {
	c := device.Defaults()
	c.Data = filepath.Join(t.Dir, id)
	c.Kiosk = device.Kiosk{ID: id, Kind: "restaurant", Staff: true}
	c.Registry = device.Registry{URL: t.RegistryURL, Token: t.tokens[id], Root: configs.PublicKey(t.Root())}
	c.Screen.Panels, c.Sound.Output = nil, "off"
	return c
}

func facilityOf(kiosk string) string { return kiosk + "'s facility" }

// Visits are those of a kiosk that the registry holds.
func (t *Town) Visits(ctx context.Context, kiosk string) ([]store.Visit, error) {
	now := t.now()
	return t.Store.Visits(ctx, facilityOf(kiosk), now.AddDate(0, -2, 0), now.AddDate(0, 2, 0))
}

// Uploaded says which of a kiosk's visits the registry holds, and how often.
func (t *Town) Uploaded(ctx context.Context, kiosk string) (map[uint64]int, error) {
	visits, err := t.Visits(ctx, kiosk)
	if err != nil {
		return nil, err
	}
	seen := make(map[uint64]int, len(visits))
	for _, v := range visits {
		seen[v.Seq]++
	}
	return seen, nil
}
