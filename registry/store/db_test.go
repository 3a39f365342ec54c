package store_test

import (
	"testing"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// What the packages on top may rely on in their SQL.
func TestPortableSQL(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := db.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SQL().ExecContext(ctx, `CREATE TABLE things (id TEXT PRIMARY KEY, n BIGINT NOT NULL, data BYTEA)`); err != nil {
			t.Fatal(err)
		}
		put := `INSERT INTO things (id, n, data) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = things.n + excluded.n`
		for range 2 {
			if _, err := db.SQL().ExecContext(ctx, put, "a", 21, []byte{0, 1, 255}); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := db.SQL().BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		var n int64
		var data []byte
		if err := tx.QueryRowContext(ctx, `UPDATE things SET n = n + $2 WHERE id = $1 AND $2 < 2 RETURNING n, data`, "a", 1).Scan(&n, &data); err != nil {
			t.Fatal(err)
		}
		if n != 43 || string(data) != "\x00\x01\xff" {
			t.Errorf("got %d and %x", n, data)
		}
	})
}
