package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/issuer/identity"
	"github.com/munjigi/munjigi/issuer/store"
)

// file is issuer.toml as it is written; configs/issuer.toml documents it.
type file struct {
	Listen   string `toml:"listen"`
	Brands   string `toml:"brands"`
	Secure   bool   `toml:"secure"`
	Behind   bool   `toml:"forwarded"`
	Database string `toml:"database"`
	DataKey  string `toml:"data_key"`
	DayKeys  string `toml:"day_keys"`
	Helpline struct {
		Number  string `toml:"number"`
		Hours   string `toml:"hours"`
		HoursEN string `toml:"hours_en"`
	} `toml:"helpline"`
	Metrics     string `toml:"metrics"`
	SMS         hook   `toml:"sms"`
	Subscribers hook   `toml:"subscribers"`
	Health      struct {
		hook
		File string `toml:"file"`
	} `toml:"health"`
	Trace traceBlock `toml:"trace"`
	TLS   struct {
		Cert string `toml:"cert"`
		Key  string `toml:"key"`
	} `toml:"tls"`
}

// hook is an HTTP service; its token stands in a file of its own.
type hook struct {
	URL       string `toml:"url"`
	TokenFile string `toml:"token_file"`
}

// token reads the hook's token, "" where none is configured.
func (h hook) token() (string, error) {
	if h.TokenFile == "" {
		return "", nil
	}
	data, err := os.ReadFile(h.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// load reads a configuration with its brands and their keys. Paths are made
// relative to its folder.
func load(path string) (*file, []issuer.Brand, error) {
	f := &file{Listen: "127.0.0.1:8081", Brands: "brands", Database: "issuer.db", DataKey: "data.key", DayKeys: "days",
		Trace: traceBlock{Roster: "roster.cbor", Keys: "trace", Log: "trace.log"}}
	if err := configs.Load(path, f); err != nil {
		return nil, nil, err
	}
	if f.Helpline.Number == "" || f.Helpline.Hours == "" || f.Helpline.HoursEN == "" {
		return nil, nil, fmt.Errorf("%s: helpline needs number, hours and hours_en: it stands on every page", path)
	}
	if (f.TLS.Cert == "") != (f.TLS.Key == "") {
		return nil, nil, fmt.Errorf("%s: tls needs both cert and key, or neither", path)
	}
	in := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(filepath.Dir(path), p)
	}
	if f.Health.URL != "" && f.Health.File != "" {
		return nil, nil, fmt.Errorf("%s: health has url and file: choose one", path)
	}
	for _, p := range []*string{&f.Brands, &f.TLS.Cert, &f.TLS.Key, &f.Database, &f.DataKey, &f.DayKeys, &f.SMS.TokenFile, &f.Subscribers.TokenFile, &f.Health.TokenFile, &f.Health.File, &f.Trace.Roster, &f.Trace.Keys, &f.Trace.Log} {
		*p = in(*p)
	}
	brands, err := issuer.LoadBrands(os.DirFS(f.Brands))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range brands {
		b := &brands[i]
		b.KeyFile = in(b.KeyFile)
		if b.Key, err = configs.ReadKey(b.KeyFile); err != nil {
			return nil, nil, fmt.Errorf("brand %q: %w", b.ID, err)
		}
		next, err := nextKeys(b.KeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("brand %q: %w", b.ID, err)
		}
		b.Next = dated(next)
		if b.Certificate.CA != "" {
			if b.Authorities, err = identity.OpenAuthorities(in(b.Certificate.CA), in(b.Certificate.CRL)); err != nil {
				return nil, nil, fmt.Errorf("brand %q: %w", b.ID, err)
			}
		}
	}
	return f, brands, nil
}

// initialise makes a folder with configuration, sample brands and a key for
// each; what is there stays.
func initialise(dir string, now time.Time, stdout, stderr io.Writer) error {
	path := filepath.Join(dir, "issuer.toml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already and is kept: choose another folder", path)
	}
	if err := os.MkdirAll(filepath.Join(dir, "brands"), 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	brands, err := issuer.SampleBrands()
	if err != nil {
		return err
	}
	for _, b := range brands {
		if _, err := createKey(filepath.Join(dir, b.KeyFile), now.UTC().Truncate(24*time.Hour)); err != nil {
			return err
		}
		name := filepath.Join("brands", b.File)
		data, err := configs.Brands.ReadFile(filepath.ToSlash(name))
		if err != nil {
			return fmt.Errorf("write the brands: %w", err)
		}
		if err := renameio.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("write the brands: %w", err)
		}
	}
	if err := store.CreateDataKey(filepath.Join(dir, "data.key")); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, configs.Issuer, 0o644); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(stderr, "made %s with issuer.toml, %d brands, a key for each, and the key of the database (keep a copy of it elsewhere)\nnext: paste what follows into registry.toml, then issuer serve -config %s\n", dir, len(brands), path)
	return printKeys(path, stdout)
}
