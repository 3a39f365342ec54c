// Package storetest runs tests on every engine of package store: on a fresh
// SQLite file and on a fresh database of a real PostgreSQL, which it starts
// once for a test program and takes away at its end.
package storetest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
)

// Each runs f as a subtest on each engine.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { f(t, Open(t, url, Keys(t))) })
}

// EachURL runs f as a subtest with the address of a fresh, empty database on
// each engine, for tests that open it themselves.
func EachURL(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run(store.SQLite, func(t *testing.T) { f(t, File(t)) })
	t.Run(store.Postgres, func(t *testing.T) { f(t, Database(t)) })
}

// Open opens a store until the test ends.
func Open(t testing.TB, url string, keys *store.DayKeys) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Keys is a fresh folder of day keys.
func Keys(t testing.TB) *store.DayKeys {
	t.Helper()
	k, err := store.OpenDayKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// File is the path of a SQLite database that is not there yet. Its folder's
// name asks for care with addresses.
func File(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a blank & ?")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "registry.db")
}

// Database is the address of a fresh, empty database on the test program's
// PostgreSQL.
func Database(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	url, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// shared is one server for a test program; it ends with it.
var shared = sync.OnceValues(func() (*Server, error) { return Start() })
