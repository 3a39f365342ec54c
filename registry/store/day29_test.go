package store_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// needles are what must not be found, by what they are.
type needles map[string][]byte

// add adds 16 bytes in every spelling a database, a log or a program may use.
func (n needles) add(what string, id [16]byte) {
	text := hex.EncodeToString(id[:])
	n[what] = id[:]
	n[what+" in hex"] = []byte(text)
	n[what+" in HEX"] = bytes.ToUpper([]byte(text))
	n[what+" as uuid"] = []byte(text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:])
	n[what+" in base64"] = []byte(base64.RawStdEncoding.EncodeToString(id[:])[:21])
}

// find says which needles lie in which files of a folder.
func (n needles) find(t *testing.T, dirs ...string) (found []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) { // a server tidies up while we look
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for what, needle := range n {
				if bytes.Contains(data, needle) {
					found = append(found, what+" in "+filepath.Base(path))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// A house is a store with all of its files in reach.
type house struct {
	engine string
	url    string
	dirs   []string // of the database
	db     *store.DB
	keys   *store.DayKeys
	server *storetest.Server
	now    time.Time
}

func (h *house) retain(t *testing.T) {
	t.Helper()
	if _, err := h.db.Retain(t.Context(), audit(h.db, "one"), h.now); err != nil {
		t.Fatal(err)
	}
}

// flush brings everything from memory to the files.
func (h *house) flush(t *testing.T) {
	t.Helper()
	if h.engine == store.Postgres {
		if _, err := h.db.SQL().ExecContext(t.Context(), "CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
	}
}

// backup makes one; restore brings it to a new database.
func (h *house) backup(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := store.Backup(t.Context(), h.url, filepath.Join(dir, "backup")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (h *house) restore(t *testing.T, dir string) (url string) {
	t.Helper()
	url = storetest.File(t)
	if h.engine == store.Postgres {
		var err error
		if url, err = h.server.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Restore(t.Context(), url, filepath.Join(dir, "backup")); err != nil {
		t.Fatal(err)
	}
	return url
}

// Day 29 arrives: nothing readable of day 1 is in any table, index, write-ahead
// log, free page or older backup, nor in the folder of keys; and the deletion
// log says what was deleted and verifies.
func TestDay29(t *testing.T) {
	sqlite := func(t *testing.T) *house {
		path := storetest.File(t)
		return &house{engine: store.SQLite, url: path, dirs: []string{filepath.Dir(path)}}
	}
	postgres := func(t *testing.T) *house {
		s, err := storetest.Start("full_page_writes = on")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		url, err := s.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return &house{engine: store.Postgres, url: url, dirs: []string{s.Data()}, server: s}
	}
	for _, build := range []func(*testing.T) *house{sqlite, postgres} {
		h := build(t)
		t.Run(h.engine, func(t *testing.T) {
			h.keys = storetest.Keys(t)
			h.db = storetest.Open(t, h.url, h.keys)
			h.now = t0
			day29(t, h)
		})
	}
}

func day29(t *testing.T, h *house) {
	const perDay = 500
	random := rand.New(rand.NewPCG(29, 1))
	day1 := store.DayOf(t0)
	open, lying := needles{}, needles{} // as the pass says, and as it lies sealed
	var stays [16]byte                  // of day 2
	var backup string
	for d := range store.Days {
		h.now = t0.AddDate(0, 0, d)
		h.retain(t)
		var all []store.Visit
		for n := range perDay {
			v := visit("door-1", n, h.now)
			for i := range v.ID {
				v.ID[i] = byte(random.UintN(256))
			}
			all = append(all, v)
		}
		put(t, h.db, all...)
		sealed, err := h.keys.Seal(store.DayOf(h.now), "kko", all[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		switch d {
		case 0:
			for _, v := range all[:20] {
				open.add(fmt.Sprint("pass id ", v.Seq), v.ID)
				s, err := h.keys.Seal(day1, "kko", v.ID)
				if err != nil {
					t.Fatal(err)
				}
				lying.add(fmt.Sprint("sealed id ", v.Seq), s)
			}
			key, err := os.ReadFile(filepath.Join(h.keys.Dir(), day1.String()+".key"))
			if err != nil {
				t.Fatal(err)
			}
			open["the day key"] = key
		case 1:
			stays = sealed
		case 5:
			backup = h.backup(t)
		}
	}
	h.flush(t)
	// The search finds what is there: a sealed id in the database and in the
	// backup, the key in its folder, and no pass id anywhere, ever.
	if found := lying.find(t, h.dirs...); len(found) == 0 {
		t.Fatal("the search does not find the sealed ids in the database")
	}
	if found := lying.find(t, unpacked(t, h, backup)); len(found) == 0 {
		t.Fatal("the search does not find the sealed ids in the backup")
	}
	for _, found := range open.find(t, append(h.dirs, backup, unpacked(t, h, backup))...) {
		t.Errorf("before day 29: %s", found)
	}
	if found := open.find(t, h.keys.Dir()); len(found) != 1 {
		t.Errorf("the folder of keys: %v", found)
	}
	if n := len(list(t, h.db, t0)); n != perDay {
		t.Fatalf("%d visits of day 1, want %d", n, perDay)
	}

	// A moment before midnight everything is there, at midnight it is not.
	h.now = (day1 + store.Days).Midnight().Add(-time.Millisecond)
	h.retain(t)
	if n := len(list(t, h.db, t0)); n != perDay {
		t.Fatalf("%d visits at the end of day 28, want %d", n, perDay)
	}
	h.now = (day1 + store.Days).Midnight()
	h.retain(t)
	h.flush(t)
	if n := len(list(t, h.db, t0)); n != 0 {
		t.Errorf("%d visits of day 1 on day 29", n)
	}
	if n := len(list(t, h.db, t0.AddDate(0, 0, 1))); n != perDay {
		t.Errorf("%d visits of day 2 on day 29, want %d", n, perDay)
	}
	for _, found := range open.find(t, append(h.dirs, backup, unpacked(t, h, backup), h.keys.Dir())...) {
		t.Errorf("day 29: %s", found)
	}
	// Tables, indexes and free pages hold not even what was sealed. PostgreSQL's
	// write-ahead log still may, and so does the backup: nobody can open it.
	tables := h.dirs
	if h.engine == store.Postgres {
		tables = []string{filepath.Join(h.dirs[0], "base")}
	}
	for _, found := range lying.find(t, tables...) {
		t.Errorf("day 29: %s", found)
	}
	if found := (needles{"day 2": stays[:]}).find(t, tables...); len(found) == 0 {
		t.Error("the search does not find what stays")
	}
	checkLog(t, h.db, day1, perDay)

	// The older backup is restored: its day 1 cannot be read, and is gone as
	// soon as the registry runs.
	old := storetest.Open(t, h.restore(t, backup), h.keys)
	if _, err := old.Visits(t.Context(), "cafe-1", t0.Add(-time.Hour), t0.Add(time.Hour)); !errors.Is(err, store.ErrSealed) {
		t.Errorf("day 1 of the backup: %v", err)
	}
	if _, err := old.Retain(t.Context(), audit(old, "one"), h.now); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, old, t0)); n != 0 {
		t.Errorf("%d visits of day 1 in the restored backup", n)
	}
	if n := len(list(t, old, t0.AddDate(0, 0, 1))); n != perDay {
		t.Errorf("%d visits of day 2 in the restored backup, want %d", n, perDay)
	}
	checkLog(t, old, day1, perDay)
}

// unpacked is a folder with the backup as it can be searched: pg_dump packs.
func unpacked(t *testing.T, h *house, backup string) (dir string) {
	t.Helper()
	if h.engine == store.SQLite {
		return backup
	}
	dir = t.TempDir()
	c := exec.CommandContext(t.Context(), "pg_restore", "--file="+filepath.Join(dir, "sql"), filepath.Join(backup, "backup"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// checkLog wants one line about day 1 and nothing else in the audit log.
func checkLog(t *testing.T, db *store.DB, day store.Day, visits int) {
	t.Helper()
	var lines []string
	if _, err := db.Verify(t.Context(), []ed25519.PublicKey{public("one")}, func(e store.Entry) error {
		lines = append(lines, e.Kind+" "+string(e.Body))
		return nil
	}); err != nil {
		t.Errorf("the deletion log: %v", err)
	}
	want := fmt.Sprintf(`visits-deleted {"day":%q,"visits":%d,"digest":"`, day, visits)
	if len(lines) != 1 || len(lines[0]) != len(want)+66 || lines[0][:len(want)] != want {
		t.Errorf("the deletion log says %q", lines)
	}
}

// Both engines digest the same visits to the same: an auditor needs not know
// which it was. (The ids are sealed under the same keys.)
func TestDigestIsTheEnginesNot(t *testing.T) {
	keys := storetest.Keys(t)
	dbs := []*store.DB{storetest.Open(t, storetest.File(t), keys), storetest.Open(t, storetest.Database(t), keys)}
	for _, db := range dbs {
		put(t, db, visits("door-2", 0, 50, t0)...)
		put(t, db, visits("door-10", 0, 50, t0)...)
	}
	var bodies []string
	for _, db := range dbs {
		if _, err := db.Retain(t.Context(), audit(db, "one"), t0.AddDate(0, 0, store.Days)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Verify(t.Context(), []ed25519.PublicKey{public("one")}, func(e store.Entry) error {
			bodies = append(bodies, string(e.Body))
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if len(bodies) != 2 || bodies[0] != bodies[1] {
		t.Errorf("got %q", bodies)
	}
}
