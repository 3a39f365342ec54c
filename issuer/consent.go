package issuer

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/munjigi/munjigi/issuer/store"
)

// agree takes one screen of consents: every one of it must be ticked. They are
// kept with text, version and time; before the person is known, in the session.
func (c *call) agree(in url.Values) error {
	screen := c.screen()
	if screen == 0 {
		return nil
	}
	var given []store.Agreement
	for _, t := range c.brand.Consents {
		if t.Screen != screen {
			continue
		}
		if !slices.Contains(in["agree"], t.Item) {
			return refuse(http.StatusUnprocessableEntity, "missing")
		}
		given = append(given, store.Agreement{Item: t.Item, Version: t.Version, Title: t.Title, Text: t.Text, At: c.now})
	}
	if c.person != nil {
		if err := c.s.Store.Agree(c.r.Context(), c.person.ID, given); err != nil {
			return err
		}
	} else {
		c.visit.Agreed = append(c.visit.Agreed, given...)
	}
	for _, a := range given {
		c.agreed[a.Item] = a
	}
	return c.save(false)
}

// identityConsents is how many consents an identity form has; web/ko.toml has
// their texts as id_1 … id_5.
const identityConsents = 5

// identityVersion is the day on which those texts were written.
const identityVersion = "2026-11-22"

// identityAgreed reads the ticks of an identity form.
func (c *call) identityAgreed(in url.Values) ([]store.Agreement, error) {
	var given []store.Agreement
	for n := 1; n <= identityConsents; n++ {
		key := "id_" + strconv.Itoa(n)
		if !slices.Contains(in["agree"], key) {
			return nil, refuse(http.StatusUnprocessableEntity, "missing")
		}
		given = append(given, store.Agreement{Item: key, Version: identityVersion, Title: c.s.pages.ko[key], Text: c.s.pages.ko[key+"_text"], At: c.now})
	}
	return given, nil
}
