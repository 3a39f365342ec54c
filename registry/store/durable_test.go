package store_test

import (
	"strings"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// A server that does not commit durably is refused with a sentence.
func TestPostgresMustBeDurable(t *testing.T) {
	url := storetest.Database(t)
	db := storetest.Open(t, url, storetest.Keys(t))
	if _, err := db.SQL().ExecContext(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`); err != nil {
		t.Fatal(err)
	}
	if other, err := store.Open(t.Context(), url, storetest.Keys(t)); err == nil {
		other.Close()
		t.Error("a database that commits later was opened")
	} else if want := "set synchronous_commit to on"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	// Whoever has it open notices at its next connection.
	if _, err := db.Put(t.Context(), visits("door-1", 0, 1, t0)); err == nil {
		t.Error("a visit was stored that a power cut takes")
	}
}
