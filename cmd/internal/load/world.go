package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

const (
	name   = "load"
	host   = "127.0.0.1"
	issuer = "kko"
	kind   = "restaurant"
)

// world is a registry's folder and the keys that tie it to issuer and kiosks.
type world struct {
	dir      string
	database string
	ca       *devices.CA
	receipt  ed25519.PrivateKey
	issuer   ed25519.PrivateKey
	bundle   *pass.Bundle
}

// The files of a registry's folder.
func file(dir, name string) string { return filepath.Join(dir, name) }

// found makes a registry in dir, on the database given.
func found(dir, database string, now time.Time) (*world, error) {
	w := &world{dir: dir, database: database}
	root, err := configs.CreateKey(file(dir, "root.key"))
	if err != nil {
		return nil, err
	}
	if w.receipt, err = configs.CreateKey(file(dir, "receipt.key")); err != nil {
		return nil, err
	}
	if w.ca, err = devices.CreateCA(file(dir, "ca.crt"), file(dir, "ca.key"), name, now); err != nil {
		return nil, err
	}
	if _, w.issuer, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	raw, err := pass.SignBundle(root, pass.Contents{
		Number: 1, Issued: now.Add(-time.Hour).Unix(), Expires: now.Add(pass.BundleLife / 2).Unix(),
		Issuers:  []pass.Issuer{{ID: issuer, Keys: []pass.Key{pass.NewKey(w.issuer.Public().(ed25519.PublicKey), now.Add(-time.Hour), now.AddDate(0, 1, 0))}}},
		Policies: map[string]pass.Policy{kind: {Mode: pass.ModeRecord, Since: now.Add(-time.Hour).Unix()}},
		Receipts: [][]byte{w.receipt.Public().(ed25519.PublicKey)},
	})
	if err != nil {
		return nil, err
	}
	if w.bundle, err = pass.OpenBundle(raw, root.Public().(ed25519.PublicKey)); err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{"bundle.cbor": raw, "database": []byte(database)} {
		if err := os.WriteFile(file(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// kiosk is one that is enrolled.
type kiosk struct {
	id      string
	cert    tls.Certificate
	batches []batch // to be sent, in order
}

type batch struct {
	body   []byte
	visits int
}

// enrol makes kiosks, ten to a facility, as a technician would: a code each, a
// key pair made on the device, the registry's certificate for it.
func (w *world) enrol(ctx context.Context, n int, now time.Time) ([]*kiosk, error) {
	keys, err := store.OpenDayKeys(file(w.dir, "day-keys"))
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, w.database, keys)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	book, err := devices.New(devices.Config{SQL: db.SQL(), CA: w.ca, Receipt: w.receipt, Root: w.root(), Name: name, Address: "https://" + host})
	if err != nil {
		return nil, err
	}
	kiosks := make([]*kiosk, n)
	var facility devices.Facility
	for i := range kiosks {
		if i%10 == 0 {
			if facility, err = book.AddFacility(ctx, fmt.Sprintf("식당 %d", i/10), kind, "", now); err != nil {
				return nil, err
			}
		}
		if kiosks[i], err = w.enrolOne(ctx, book, facility.ID, now); err != nil {
			return nil, fmt.Errorf("enrol kiosk %d: %w", i, err)
		}
	}
	return kiosks, nil
}

func (w *world) enrolOne(ctx context.Context, book *devices.Book, facility string, now time.Time) (*kiosk, error) {
	_, code, err := book.NewCode(ctx, facility, "", "", time.Hour, now)
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	request, err := wire.NewEnrol(code, csr, "load", 1)
	if err != nil {
		return nil, err
	}
	e, err := book.Enrol(ctx, request, now)
	if err != nil {
		return nil, err
	}
	return &kiosk{id: e.Kiosk, cert: tls.Certificate{Certificate: [][]byte{e.Certificate}, PrivateKey: key}}, nil
}

func (w *world) root() ed25519.PublicKey {
	root, err := configs.ReadKey(file(w.dir, "root.key"))
	if err != nil {
		return nil
	}
	return root.Public().(ed25519.PublicKey)
}

// sign prepares n visits in batches of size for each kiosk in turn: passes that
// were made now and scanned three seconds later.
func (w *world) sign(kiosks []*kiosk, n, size int, now time.Time) error {
	each := (n + size*len(kiosks) - 1) / (size * len(kiosks))
	var once sync.Once
	var failed error
	var wait sync.WaitGroup
	work := make(chan *kiosk)
	for range 2 {
		wait.Go(func() {
			for k := range work {
				if err := w.signFor(k, each, size, now); err != nil {
					once.Do(func() { failed = err })
				}
			}
		})
	}
	for _, k := range kiosks {
		work <- k
	}
	close(work)
	wait.Wait()
	return failed
}

func (w *world) signFor(k *kiosk, batches, size int, now time.Time) error {
	var seq uint64
	for range batches {
		b := wire.Batch{Kiosk: k.id, Visits: make([]wire.Visit, size)}
		for i := range b.Visits {
			seq++
			var id pass.ID
			rand.Read(id[:])
			binary.BigEndian.PutUint32(id[:], uint32(seq)) // no pass twice, whatever chance says
			text, err := pass.Issue(w.issuer, issuer, id, now, nil)
			if err != nil {
				return err
			}
			raw, err := base45.AppendDecoded(nil, strings.TrimPrefix(text, pass.Magic+string(pass.Version)))
			if err != nil {
				return err
			}
			b.Visits[i] = wire.Visit{Seq: seq, At: now.Add(3 * time.Second).UnixMilli(), Pass: raw}
		}
		body, err := b.Encode()
		if err != nil {
			return err
		}
		k.batches = append(k.batches, batch{body, size})
	}
	return nil
}
