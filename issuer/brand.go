// Package issuer is the issuers' server, the phone's side: a page on which a
// visitor chooses a brand, consents, and shows a QR code that lives 15 seconds.
//
// Identity verification (PASS, SMS, mOTP) is not built yet: a browser session
// that has consented may make passes. Every page says so. Nothing is kept of a
// pass once its text has been handed out.
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

	"github.com/munjigi/munjigi/configs"
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
	Consents    []Consent `toml:"consents"`

	Key ed25519.PrivateKey `toml:"-"` // signs its passes
}

// Consent is one text a visitor must agree to.
type Consent struct {
	Title   string `toml:"title"`
	TitleEN string `toml:"title_en"`
	Text    string `toml:"text"`
	TextEN  string `toml:"text_en"`
}

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
	for i, c := range b.Consents {
		if c.Title == "" || c.TitleEN == "" || c.Text == "" || c.TextEN == "" {
			return fmt.Errorf("consents: number %d lacks a title or a text", i+1)
		}
	}
	return nil
}
