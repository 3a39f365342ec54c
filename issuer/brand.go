// Package issuer is the issuers' server, the phone's side: a visitor chooses a
// brand, consents, is verified (SMS, PASS, certificate, mOTP), binds the phone
// and shows a QR code that lives 15 seconds.
//
// [New] makes a [Server] of brands, which are files (configs/brands). What comes
// next for a visitor is decided in one place (step.go); pages and JSON API do
// the same actions (act.go). Of a pass nothing is kept but whose it is, apart
// from the person and for 28 days (issuer/store).
package issuer

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/pass"
)

// Brand is one party that issues passes, as a file in configs/brands describes
// it.
type Brand struct {
	ID          string    `toml:"id"`
	Name        string    `toml:"name"`
	NameEN      string    `toml:"name_en"`
	Color       string    `toml:"color"` // #RRGGBB
	Ink         string    `toml:"ink"`   // #RRGGBB, writing on Color
	Renewals    int       `toml:"renewals"`
	Countdown   string    `toml:"countdown"` // {n}: seconds
	CountdownEN string    `toml:"countdown_en"`
	KeyFile     string    `toml:"key"`
	First       string    `toml:"first"`         // "consent" or "identity"
	Methods     []string  `toml:"methods"`       // of identity verification, in the order offered
	Reverify    int       `toml:"reverify_days"` // 0: never by itself
	OwnDevice   string    `toml:"own_device"`    // "page" or "code"
	PIN         bool      `toml:"pin"`           // opens the brand's pages
	Vaccination bool      `toml:"vaccination"`
	Consents    []Consent `toml:"consents"`
	Certificate struct {
		CA  string `toml:"ca"`  // file, "": the way is not offered
		CRL string `toml:"crl"` // file
	} `toml:"certificate"`

	File string `toml:"-"` // its name in the folder of brands

	Key  ed25519.PrivateKey `toml:"-"` // signs its passes
	Next []DatedKey         `toml:"-"` // sign them from later days on

	Authorities *identity.Authorities `toml:"-"` // of Certificate
}

// DatedKey is a key that signs from a moment on. Whoever verifies must know it
// before (keys are bundled 35 days before they sign).
type DatedKey struct {
	From time.Time
	Key  ed25519.PrivateKey
}

// keyAt is the key that signs at now: the one that began last.
func (b *Brand) keyAt(now time.Time) ed25519.PrivateKey {
	key, from := b.Key, time.Time{}
	for _, k := range b.Next {
		if !k.From.After(now) && !k.From.Before(from) {
			key, from = k.Key, k.From
		}
	}
	return key
}

// Consent is one text a visitor must agree to.
type Consent struct {
	Item    string `toml:"item"`
	Screen  int    `toml:"screen"`
	Version string `toml:"version"` // its date
	Title   string `toml:"title"`
	TitleEN string `toml:"title_en"`
	Text    string `toml:"text"`
	TextEN  string `toml:"text_en"`
}

// healthItem is the item of the consent to the vaccination record.
const healthItem = "health"

// maxRenewals keeps a forgotten page from making codes for ever.
const maxRenewals = 10

// LoadBrands reads every *.toml at the top of fsys, by name. Their keys are
// not read: that is left to who knows where they lie.
func LoadBrands(fsys fs.FS) ([]Brand, error) {
	names, err := fs.Glob(fsys, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list the brands: %w", err)
	}
	slices.Sort(names)
	brands := make([]Brand, 0, len(names))
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read a brand: %w", err)
		}
		var b Brand
		if err := configs.Decode(path.Join("brands", name), data, &b); err != nil {
			return nil, err
		}
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join("brands", name), err)
		}
		b.File = name
		brands = append(brands, b)
	}
	if len(brands) == 0 {
		return nil, errors.New("there is no brand: put at least one .toml file into the folder of brands")
	}
	return brands, nil
}

// SampleBrands are those of configs/brands, without their keys.
func SampleBrands() ([]Brand, error) {
	sub, err := fs.Sub(configs.Brands, "brands")
	if err != nil {
		return nil, err
	}
	return LoadBrands(sub)
}

var rgb = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (b *Brand) check() error {
	if err := pass.CheckIssuer(b.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	for key, value := range map[string]string{"name": b.Name, "name_en": b.NameEN, "key": b.KeyFile} {
		if value == "" {
			return fmt.Errorf("%s is missing", key)
		}
	}
	for key, value := range map[string]string{"color": b.Color, "ink": b.Ink} {
		if !rgb.MatchString(value) {
			return fmt.Errorf("%s is %q, want #RRGGBB", key, value)
		}
	}
	for key, value := range map[string]string{"countdown": b.Countdown, "countdown_en": b.CountdownEN} {
		if !strings.Contains(value, "{n}") {
			return fmt.Errorf("%s is %q: it must hold {n}, the number of seconds", key, value)
		}
	}
	if b.Renewals < 0 || b.Renewals > maxRenewals {
		return fmt.Errorf("renewals is %d, want 0 to %d", b.Renewals, maxRenewals)
	}
	if len(b.Consents) == 0 {
		return errors.New("consents: there must be at least one")
	}
	if b.First != "consent" && b.First != "identity" {
		return fmt.Errorf("first is %q, want consent or identity", b.First)
	}
	if b.OwnDevice != "page" && b.OwnDevice != "code" {
		return fmt.Errorf("own_device is %q, want page or code", b.OwnDevice)
	}
	if b.Reverify < 0 || b.Reverify > 365 {
		return fmt.Errorf("reverify_days is %d, want 0 to 365", b.Reverify)
	}
	if len(b.Methods) == 0 {
		return errors.New("methods: there must be at least one of " + strings.Join(methods, ", "))
	}
	for _, m := range b.Methods {
		if !slices.Contains(methods, m) {
			return fmt.Errorf("methods: there is no %q, choose of %s", m, strings.Join(methods, ", "))
		}
	}
	if (b.Certificate.CA == "") != (b.Certificate.CRL == "") {
		return errors.New("certificate: ca and crl go together: without a list of revoked certificates nobody can be verified")
	}
	return b.checkConsents()
}

// methods are the ways to verify an identity that pages exist for.
var methods = []string{"sms", "pass", byCertificate, "motp"}

// byCertificate is offered only where authorities are configured.
const byCertificate = "certificate"

func (b *Brand) checkConsents() error {
	seen := map[string]bool{}
	screen := 1
	for i, c := range b.Consents {
		switch {
		case c.Title == "" || c.TitleEN == "" || c.Text == "" || c.TextEN == "":
			return fmt.Errorf("consents: number %d lacks a title or a text", i+1)
		case c.Item == "" || c.Item == healthItem || seen[c.Item]:
			return fmt.Errorf("consents: number %d needs an item of its own, other than %s", i+1, healthItem)
		case c.Screen != screen && c.Screen != screen+1 || i == 0 && c.Screen != 1:
			return fmt.Errorf("consents: %s: screen is %d: screens are 1, 2, … in this order", c.Item, c.Screen)
		}
		if _, err := time.Parse(time.DateOnly, c.Version); err != nil {
			return fmt.Errorf("consents: %s: version is %q, want the day it was written, like 2021-07-01", c.Item, c.Version)
		}
		seen[c.Item], screen = true, c.Screen
	}
	return nil
}
