package main

import (
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/owners"
	"github.com/munjigi/munjigi/registry/store"
)

// owners mounts the owners' pages. Mails go to the hook, or wait in an outbox
// on the admin address.
func (f *file) owners(c *registry.Config, db *store.DB, book *devices.Book, bundles registry.Bundles) (*owners.Server, error) {
	var mail owners.Mailer
	if f.Mail.Hook != "" {
		hook, err := owners.NewHook(f.Mail.Hook)
		if err != nil {
			return nil, err
		}
		mail = hook
	} else {
		outbox := &owners.Outbox{Now: c.Now}
		mail, c.Outbox = outbox, outbox
	}
	s, err := owners.New(owners.Config{
		DB: db.SQL(), Devices: book, Visits: db, Bundles: bundles, Address: f.Address, Registry: f.Name, Mail: mail, Now: c.Now, Log: c.Log,
	})
	if err == nil {
		c.Owners = s.Handler()
	}
	return s, err
}
