package town

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
)

// Kind is what a visitor brings.
type Kind string

const (
	Good       Kind = "good"
	Vaccinated Kind = "vaccinated" // good, with the record beside it
	Expired    Kind = "expired"    // a picture of a minute ago
	Future     Kind = "future"     // made by a phone's side whose clock is ahead
	Forged     Kind = "forged"     // a bit of the signature is changed
	Unknown    Kind = "unknown"    // signed by nobody the registry knows
	Truncated  Kind = "truncated"
	Oversized  Kind = "oversized"
	Other      Kind = "other" // some web page's code
)

// Health is the record of the town's vaccinated visitors.
func Health(now time.Time) *pass.Health {
	today := now.UTC().Truncate(24 * time.Hour)
	return &pass.Health{Complete: true, Doses: []pass.Dose{
		{Number: 1, Date: today.AddDate(0, 0, -60)}, {Number: 2, Date: today.AddDate(0, 0, -30)},
	}}
}

// Pass makes the text that a visitor of this kind shows at now.
func (t *Town) Pass(k Kind, now time.Time) (string, error) {
	brand := t.brands[0].ID
	switch k {
	case Good:
		return t.Issuer.Issue(now, brand, nil)
	case Vaccinated:
		return t.Issuer.Issue(now, brand, Health(now))
	case Expired:
		return t.Issuer.Issue(now.Add(-time.Minute), brand, nil)
	case Future:
		return t.Issuer.Issue(now.Add(time.Minute), brand, nil)
	case Unknown:
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", err
		}
		return pass.Issue(stranger, brand, pass.ID{1}, now, nil)
	case Other:
		return "HTTPS://EXAMPLE.ORG/MENU", nil
	}
	text, err := t.Issuer.Issue(now, brand, nil)
	if err != nil {
		return "", err
	}
	switch k {
	case Forged:
		data, err := base45.AppendDecoded(nil, text[len(pass.Magic)+1:])
		if err != nil {
			return "", err
		}
		data[len(data)-1] ^= 1
		return pass.Text(data), nil
	case Truncated:
		return text[:len(text)-3], nil
	case Oversized:
		return text + fmt.Sprintf("%0*d", pass.MaxText-len(text)+3, 0), nil
	}
	return "", fmt.Errorf("there is no visitor of kind %q", k)
}
