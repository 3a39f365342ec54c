package registry

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/store"
)

// No pass id, no pass and no signature of one lies in any table, in whatever
// spelling; what the store does to its files is the affair of TestDay29 there.
func TestNothingReadableIsStored(t *testing.T) {
	h := newHouse(t)
	var needles [][]byte
	for n := range uint64(20) {
		v := visit(t, "kko", n+1, t0)
		h.send(t, "door-1", v)
		h.send(t, "door-2", v)
		id := idOf(n + 1)
		needles = append(needles, id[:], []byte(id.String()), v.Pass, v.Pass[len(v.Pass)-64:], []byte(pass.Text(v.Pass)))
	}
	tables := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if h.store.Dialect() == store.Postgres {
		tables = `SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`
	}
	rows, visits := 0, 0
	for _, table := range rowsOf(t, h, tables) {
		for _, row := range rowsOf(t, h, "SELECT * FROM "+table) {
			rows++
			if strings.HasPrefix(table, "visits") {
				visits++
			}
			for _, needle := range needles {
				if bytes.Contains([]byte(strings.ReplaceAll(row, "-", "")), needle) || strings.Contains(row, string(needle)) {
					t.Fatalf("%s holds what must not be kept", table)
				}
			}
		}
	}
	if visits < 40 {
		t.Errorf("the search saw %d visits of %d rows, want 40: it proves nothing", visits, rows)
	}
}

// rowsOf is every row of a query, its cells one behind the other as they are
// and as text.
func rowsOf(t *testing.T, h *house, query string) (all []string) {
	t.Helper()
	rows, err := h.store.SQL().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells, at := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			at[i] = &cells[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		var row strings.Builder
		for _, c := range cells {
			if data, ok := c.([]byte); ok {
				c = string(data)
			}
			fmt.Fprintf(&row, "%v ", c)
		}
		all = append(all, row.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
