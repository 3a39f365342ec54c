// Package town is everything around a kiosk in one process: an issuer, a
// registry with its database, the keys that tie them, and passes good and bad.
// The demo runs in it, and so do the tests that need the whole line.
package town

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/owners"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// name is the registry's, for people.
const name = "문지기 마을"

// Addresses are where the servers listen, host:port; port 0 picks a free one.
type Addresses struct {
	Issuer, Registry string
	// Public is the https URL that kiosks reach the registry by, "" for its own.
	Public string
}

// Town is one of each.
type Town struct {
	Dir         string
	Issuer      *issuer.Server
	Registry    *registry.Server
	Store       *store.DB
	Devices     *devices.Book
	CA          *devices.CA
	IssuerURL   string
	RegistryURL string

	root     ed25519.PrivateKey
	receipt  ed25519.PrivateKey
	brands   []issuer.Brand
	places   map[string]string // id of a facility by its name
	policies map[string]pass.Policy
	serve    []tasks.Task
	now      func() time.Time
	log      *slog.Logger
}

// New founds a town in dir. Run Tasks; Close at the end.
func New(ctx context.Context, dir string, a Addresses, now func() time.Time, log *slog.Logger) (t *Town, err error) {
	t = &Town{Dir: dir, now: now, log: log, places: map[string]string{}, policies: map[string]pass.Policy{}}
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
	keys, err := store.OpenDayKeys(filepath.Join(dir, "day-keys"))
	if err != nil {
		return nil, err
	}
	if t.Store, err = store.Open(ctx, filepath.Join(dir, "registry.db"), keys); err != nil {
		return nil, err
	}
	if err := errors.Join(t.openRegistry(a), t.openIssuer(a)); err != nil {
		return nil, errors.Join(err, t.Store.Close())
	}
	t.serve = append(t.serve, store.NewRetention(t.Store, store.NewAudit(t.Store, t.receipt, now), now, log))
	return t, nil
}

func (t *Town) openIssuer(a Addresses) (err error) {
	if t.Issuer, err = issuer.New(issuer.Config{
		Brands: t.brands, Health: issuer.DemoHealth{}, Now: t.now, Log: t.log,
		Helpline: issuer.Helpline{Number: "000-0000-0000", Hours: "시연용 번호입니다", HoursEN: "a number for the demo only"},
	}); err != nil {
		return err
	}
	t.serve = append(t.serve, issuer.NewRetention(t.Issuer))
	t.IssuerURL, err = t.listen("issuer", "http", a.Issuer, t.Issuer.Serve)
	return err
}

func (t *Town) openRegistry(a Addresses) error {
	if err := t.Publish(1, nil); err != nil {
		return err
	}
	bundles, err := registry.OpenBundleFile(t.bundleFile(), t.Root(), t.log)
	if err != nil {
		return err
	}
	if t.CA, err = devices.CreateCA(filepath.Join(t.Dir, "ca.crt"), filepath.Join(t.Dir, "ca.key"), "the town's kiosks", t.now()); err != nil {
		return err
	}
	// The address stands in what the server is made of, and a free port is known
	// only when it listens.
	if t.RegistryURL, err = t.listen("registry", "https", a.Registry, func(ctx context.Context, l net.Listener) error { return t.Registry.Serve(ctx, l) }); err != nil {
		return err
	}
	if a.Public == "" {
		a.Public = t.RegistryURL
	}
	certificate, err := t.CA.NewServer(hostOf(t.RegistryURL), t.now)
	if err != nil {
		return err
	}
	if t.Devices, err = devices.New(devices.Config{
		SQL: t.Store.SQL(), CA: t.CA, Receipt: t.receipt, Root: t.Root(), Name: name, Address: a.Public,
	}); err != nil {
		return err
	}
	pages, err := owners.New(owners.Config{
		DB: t.Store.SQL(), Devices: t.Devices, Visits: t.Store, Bundles: bundles, Address: t.RegistryURL, Registry: name,
		Mail: &owners.Outbox{Now: t.now}, Now: t.now, Log: t.log,
	})
	if err != nil {
		return err
	}
	t.serve = append(t.serve, pages)
	t.Registry, err = registry.New(registry.Config{
		Receipt: t.receipt, Bundles: bundles, Store: t.Store, Devices: t.Devices, Certificate: certificate.Certificate, Owners: pages.Handler(),
		Now: t.now, Log: t.log,
	})
	return err
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "localhost"
	}
	return u.Hostname()
}

func (t *Town) listen(name, scheme, address string, serve func(context.Context, net.Listener) error) (url string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen for the %s: another program may use %s, choose another address: %w", name, address, err)
	}
	t.serve = append(t.serve, tasks.Func{Name: name, Do: func(ctx context.Context) error { return serve(ctx, l) }})
	at := l.Addr().(*net.TCPAddr)
	if at.IP.IsUnspecified() { // listening on all addresses: this machine's own name for them
		return fmt.Sprintf("%s://localhost:%d", scheme, at.Port), nil
	}
	return scheme + "://" + at.String(), nil
}

// Tasks are the servers and what runs beside them.
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

// Kiosk is the configuration of a fresh kiosk of the town, without devices: set
// camera, sound and screen. It enrols itself when it runs, by the code in it;
// Enrol does so before.
func (t *Town) Kiosk(ctx context.Context, name, kind string) (device.Config, error) {
	c := device.Defaults()
	c.Data = filepath.Join(t.Dir, name)
	c.Kiosk = device.Kiosk{Staff: true}
	c.Screen.Panels, c.Sound.Output, c.Owner.Listen = nil, "off", ""
	var err error
	c.Registry.Code, err = t.Code(ctx, name, kind, "")
	return c, err
}

// Code makes an enrolment code for a facility of this name, which is entered
// where it is new. replaces, if not empty, is the kiosk whose place it takes.
func (t *Town) Code(ctx context.Context, name, kind, replaces string) (string, error) {
	id, known := t.places[name]
	if !known {
		f, err := t.Devices.AddFacility(ctx, name, kind, "", t.now())
		if err != nil {
			return "", err
		}
		id = f.ID
		t.places[name] = id
	}
	text, _, err := t.Devices.NewCode(ctx, id, "", replaces, 24*time.Hour, t.now())
	return text, err
}

// Enrol makes a device a kiosk over the registry's own API: its task must run.
func (t *Town) Enrol(ctx context.Context, c device.Config) (*enrol.Identity, error) {
	offer, err := (&enrol.Enroller{Dir: c.Data, Version: "town"}).Look(ctx, c.Registry.Code)
	if err != nil {
		return nil, err
	}
	return offer.Accept(ctx)
}

// Visits are those of a facility that the registry holds.
func (t *Town) Visits(ctx context.Context, name string) ([]store.Visit, error) {
	now := t.now()
	return t.Store.Visits(ctx, t.places[name], now.AddDate(0, -2, 0), now.AddDate(0, 2, 0))
}

// Uploaded says which of a facility's visits the registry holds, and how often.
func (t *Town) Uploaded(ctx context.Context, name string) (map[uint64]int, error) {
	visits, err := t.Visits(ctx, name)
	if err != nil {
		return nil, err
	}
	seen := make(map[uint64]int, len(visits))
	for _, v := range visits {
		seen[v.Seq]++
	}
	return seen, nil
}
