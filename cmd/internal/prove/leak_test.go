package prove

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/cose"
)

// secret is a pass with an attestation, as text, as bytes, and what follows the pass.
func secret(t *testing.T) (text string, data, item []byte) {
	t.Helper()
	seed := sha256.Sum256([]byte("munjigi leak test"))
	now := time.Date(2026, 11, 22, 3, 40, 0, 0, time.UTC)
	h := &pass.Health{Complete: true}
	for n := range pass.MaxDoses {
		h.Doses = append(h.Doses, pass.Dose{Number: n + 1, Date: now.AddDate(0, -9+2*n, 0).Truncate(24 * time.Hour)})
	}
	text, err := pass.Issue(ed25519.NewKeyFromSeed(seed[:]), "kko", pass.ID{1}, now, h)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = base45.AppendDecoded(nil, text[len(pass.Magic)+1:]); err != nil {
		t.Fatal(err)
	}
	if _, item, err = cose.Decode(data); err != nil {
		t.Fatal(err)
	}
	return text, data, item
}

// TestSearchFinds plants an attestation in every place the kiosk and the
// registry write to, in the ways a careless line would put it there.
func TestSearchFinds(t *testing.T) {
	text, data, item := secret(t)
	m, _, err := cose.Decode(item)
	if err != nil {
		t.Fatal(err)
	}
	packed := func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write(b)
		z.Close()
		return out.Bytes()
	}
	logged := func(attrs ...any) []byte {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("admitted", attrs...)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("admitted", attrs...)
		return out.Bytes()
	}
	asJSON, err := json.Marshal(map[string]any{"a": "xy", "pass": data})
	if err != nil {
		t.Fatal(err)
	}
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	z.Write(data)
	z.Close()
	for name, place := range map[string][]byte{
		"the text":                     []byte("QR " + text),
		"the text's tail":              []byte(text[len(text)-len(item)*3/2:]),
		"the bytes":                    data,
		"half a signature":             m.Signature[32:],
		"payload in hex":               fmt.Appendf(nil, "%x", m.Payload),
		"payload in HEX":               fmt.Appendf(nil, "%X", m.Payload),
		"payload as a list":            fmt.Append(nil, m.Payload),
		"log, bytes":                   logged("pass", data),
		"log, text":                    logged("pass", text),
		"log, payload":                 logged("health", m.Payload),
		"log, string of bytes":         logged("health", string(m.Payload)),
		"json":                         asJSON,
		"base64 after one byte":        []byte(base64.StdEncoding.EncodeToString(append([]byte("x"), data...))),
		"base64url after two":          []byte(base64.URLEncoding.EncodeToString(append([]byte("xy"), data...))),
		"base64 of the payload":        []byte(base64.StdEncoding.EncodeToString(m.Payload)),
		"gzip body":                    packed(data),
		"gzip body behind its head":    append([]byte("POST / HTTP/1.1\r\n\r\n"), packed([]byte(text))...),
		"zlib body":                    deflated.Bytes(),
		"gzip of a gzip":               packed(packed(asJSON)),
		"gzip cut off in the transfer": packed(data)[:len(packed(data))-8],
	} {
		s := new(Search)
		if err := s.Add(text); err != nil {
			t.Fatal(err)
		}
		if len(s.Find(place)) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
	s := new(Search)
	if err := s.Add(text); err != nil {
		t.Fatal(err)
	}
	plain := data[:len(data)-len(item)]
	for name, place := range map[string][]byte{"the pass alone": plain, "its text": []byte(pass.Text(plain)), "its gzip": packed(plain)} {
		if found := s.Find(place); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
	if err := s.Add(pass.Text(plain)); err == nil {
		t.Error("a pass without an attestation was taken as something to search for")
	}
}

// TestSearchReadsTheStores plants it in a journal's and a registry's file.
func TestSearchReadsTheStores(t *testing.T) {
	text, data, item := secret(t)
	dir := t.TempDir()
	b, err := bolt.Open(filepath.Join(dir, "journal.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Update(func(tx *bolt.Tx) error {
		visits, err := tx.CreateBucket([]byte("visits"))
		if err != nil {
			return err
		}
		return visits.Put([]byte("1"), data)
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "registry.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), `CREATE TABLE visits (pass BLOB); INSERT INTO visits VALUES (?)`, item); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "innocent"), data[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	s := new(Search)
	if err := s.Add(text); err != nil {
		t.Fatal(err)
	}
	found, err := s.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(found, "\n")
	for _, want := range []string{"journal.db: attestation, raw", "registry.db-wal: signature, raw"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "innocent") {
		t.Errorf("found where nothing is:\n%s", all)
	}
}
