package registry

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// engine is what the tests run on.
var engine = store.SQLite

// TestMain runs all tests on each engine; what is measured or fuzzed, on one.
func TestMain(m *testing.M) {
	flag.Parse()
	decodeBodies()
	code := m.Run()
	for _, name := range []string{"test.bench", "test.fuzz", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			os.Exit(code)
		}
	}
	if code == 0 {
		engine = store.Postgres
		fmt.Println("the same on", engine)
		code = m.Run()
	}
	os.Exit(code)
}

// database is the address of a fresh one.
func database(t testing.TB) string {
	t.Helper()
	if engine == store.Postgres {
		return storetest.Database(t)
	}
	return storetest.File(t)
}
