package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// exactlyOnce holds the store to doors that each sent visits 0 … n-1.
func exactlyOnce(t *testing.T, db *store.DB, doors []string, n int) {
	t.Helper()
	seen := map[string]map[uint64]int{}
	for _, v := range list(t, db, t0) {
		if seen[v.Kiosk] == nil {
			seen[v.Kiosk] = map[uint64]int{}
		}
		seen[v.Kiosk][v.Seq]++
	}
	for _, door := range doors {
		lost, twice := 0, 0
		for seq := range uint64(n) {
			switch seen[door][seq] {
			case 0:
				lost++
			case 1:
			default:
				twice++
			}
		}
		if lost > 0 || twice > 0 || len(seen[door]) != n {
			t.Errorf("%s: %d visits lost, %d twice, %d stored, want %d", door, lost, twice, len(seen[door]), n)
		}
	}
}

// Every write fault twice: failed, and failed but persisted.
func TestWriteFaults(t *testing.T) {
	fault := errors.New("the disk is on fire")
	for _, tt := range []struct {
		name    string
		persist bool
	}{{"failed", false}, {"failed but persisted", true}} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				var calls atomic.Int64
				db.Interpose(func(next func(context.Context) error) error {
					if calls.Add(1)%3 != 0 {
						return next(context.Background())
					}
					if tt.persist {
						if err := next(context.Background()); err != nil {
							return err
						}
					}
					return fault
				})
				var doors []string
				var wait sync.WaitGroup
				for d := range 6 {
					door := fmt.Sprint("door-", d)
					doors = append(doors, door)
					wait.Go(func() {
						for from := 0; from < 100; {
							fresh, err := db.Put(t.Context(), visits(door, from, from+10, t0))
							if err != nil {
								if !errors.Is(err, fault) || fresh != nil {
									t.Errorf("%v %v", fresh, err)
									return
								}
								continue // as a kiosk does: the same again
							}
							from += 10
						}
					})
				}
				wait.Wait()
				exactlyOnce(t, db, doors, 100)
			})
		})
	}
}

// One caller's rows that the database refuses fail that caller only.
func TestPoisonedNeighbour(t *testing.T) {
	db := storetest.Open(t, storetest.Database(t), storetest.Keys(t))
	poison := visit("door-\x00", 1, t0) // PostgreSQL's text holds no NUL
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			if _, err := db.Put(t.Context(), []store.Visit{poison}); err == nil {
				t.Error("the poison was stored")
			}
		})
		wait.Go(func() {
			if _, err := db.Put(t.Context(), visits("door-1", n*10, n*10+10, t0)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	exactlyOnce(t, db, []string{"door-1"}, 200)
}

// A full disk takes nothing and loses nothing, and goes on when there is room.
func TestDiskFull(t *testing.T) {
	db := storetest.Open(t, storetest.File(t), storetest.Keys(t))
	put(t, db, visits("door-1", 0, 100, t0)...)
	if _, err := db.Writer().ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // as many as it has
		t.Fatal(err)
	}
	n := 100
	for ; n < 10000; n += 100 { // until the last page is full
		if _, err := db.Put(t.Context(), visits("door-1", n, n+100, t0)); err != nil {
			if !strings.Contains(err.Error(), "full") {
				t.Errorf("got %v", err)
			}
			break
		}
	}
	if n == 10000 {
		t.Fatal("the disk is never full")
	}
	exactlyOnce(t, db, []string{"door-1"}, n)
	if _, err := db.Writer().ExecContext(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	put(t, db, visits("door-1", n, n+100, t0)...)
	exactlyOnce(t, db, []string{"door-1"}, n+100)
}

// The same on PostgreSQL, whose tables lie on a disk of 6 MB.
func TestDiskFullPostgres(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	server, err := storetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	disk := filepath.Join(filepath.Dir(server.Data()), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=6m,mode=1777"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	url, err := server.CreateOn(t.Context(), disk)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, url, storetest.Keys(t))
	n := 0
	for ; n < 100_000; n += 100 {
		if _, err := db.Put(t.Context(), visits("door-1", n, n+100, t0)); err != nil {
			if !strings.Contains(err.Error(), "No space left") {
				t.Errorf("got %v", err)
			}
			break
		}
	}
	if n == 100_000 {
		t.Fatal("the disk is never full")
	}
	exactlyOnce(t, db, []string{"door-1"}, n)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	put(t, db, visits("door-1", n, n+100, t0)...)
	exactlyOnce(t, db, []string{"door-1"}, n+100)
}

// PostgreSQL crashes under load, several times. Every caller that got an error
// sends the same again.
func TestPostgresRestarted(t *testing.T) {
	server, err := storetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	url, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, url, storetest.Keys(t))
	const crashes, size = 3, 20
	var doors []string
	var acknowledged, failed atomic.Int64
	stop := make(chan struct{})
	most := make([]int, 8)
	var wait sync.WaitGroup
	for d := range most {
		door := fmt.Sprint("door-", d)
		doors = append(doors, door)
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := db.Put(t.Context(), visits(door, most[d], most[d]+size, t0)); err != nil {
					failed.Add(1)
					continue
				}
				most[d] += size
				acknowledged.Add(size)
			}
		})
	}
	for range crashes {
		for more := acknowledged.Load() + 500; acknowledged.Load() < more; {
			<-time.After(time.Millisecond)
		}
		if err := server.Restart("immediate"); err != nil {
			t.Fatal(err)
		}
	}
	for more := acknowledged.Load() + 500; acknowledged.Load() < more; {
		<-time.After(time.Millisecond)
	}
	close(stop)
	wait.Wait()
	if failed.Load() == 0 {
		t.Error("no caller saw a crash: the test proves nothing")
	}
	for d, door := range doors {
		exactlyOnce(t, db, []string{door}, most[d])
	}
	t.Logf("%d visits acknowledged, %d batches sent again over %d crashes", acknowledged.Load(), failed.Load(), crashes)
}

// child is a registry's process that stores batches of one door from visit
// number from on and says each batch that is durable, until it is killed.
func child(ctx context.Context, url, keys, door string, from, n int) error {
	k, err := store.OpenDayKeys(keys)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, url, k)
	if err != nil {
		return err
	}
	defer db.Close()
	for ; from < n; from += 20 {
		if _, err := db.Put(ctx, visits(door, from, from+20, t0)); err != nil {
			return err
		}
		fmt.Println("durable", from+20)
	}
	return nil
}

func TestMain(m *testing.M) {
	if len(os.Args) == 7 && os.Args[1] == "child" {
		from, _ := strconv.Atoi(os.Args[5])
		n, _ := strconv.Atoi(os.Args[6])
		if err := child(context.Background(), os.Args[2], os.Args[3], os.Args[4], from, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start runs a child. heard is what it has said is durable.
func start(t *testing.T, url, keys, door string, from, n int) (c *exec.Cmd, heard *atomic.Int64, done chan struct{}) {
	t.Helper()
	c = exec.Command(os.Args[0], "child", url, keys, door, strconv.Itoa(from), strconv.Itoa(n))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	heard, done = new(atomic.Int64), make(chan struct{})
	heard.Store(int64(from))
	go func() {
		defer close(done)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "durable "))); err == nil {
				heard.Store(int64(n))
			}
		}
	}()
	return c, heard, done
}

// A registry is killed in the midst of its work, again and again; whoever comes
// after it is sent what was not acknowledged.
func TestKilled(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		keys := storetest.Keys(t)
		const kills = 6
		from := 0
		for range kills {
			c, heard, done := start(t, url, keys.Dir(), "door-1", from, 1<<30)
			for want := int64(from + 200); heard.Load() < want; {
				select {
				case <-done:
					t.Fatal("the child ended by itself")
				case <-time.After(time.Millisecond):
				}
			}
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-done
			c.Wait()
			from = int(heard.Load())
		}
		// The last batch may be there without anybody having heard of it.
		db := storetest.Open(t, url, keys)
		all, err := db.Put(t.Context(), visits("door-1", from, from+20, t0))
		if err != nil {
			t.Fatal(err)
		}
		exactlyOnce(t, db, []string{"door-1"}, from+20)
		t.Logf("%d kills, %d visits, the last batch was there already: %v", kills, from+20, !all[0])
	})
}

// Two registries on one PostgreSQL under load, one killed: the other takes over
// its kiosk, and nothing is lost and nothing twice.
func TestOneOfTwoKilled(t *testing.T) {
	url, keys := storetest.Database(t), storetest.Keys(t)
	const n = 6000
	stays, heard1, done1 := start(t, url, keys.Dir(), "door-1", 0, n)
	killed, heard2, done2 := start(t, url, keys.Dir(), "door-2", 0, 1<<30)
	for heard1.Load() < 500 || heard2.Load() < 500 {
		<-time.After(time.Millisecond)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done2
	killed.Wait()
	from := int(heard2.Load())
	to := from + 1000
	takes, heard3, done3 := start(t, url, keys.Dir(), "door-2", from, to)
	<-done3
	<-done1
	for _, c := range []*exec.Cmd{stays, takes} {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	db := storetest.Open(t, url, keys)
	exactlyOnce(t, db, []string{"door-1"}, n)
	exactlyOnce(t, db, []string{"door-2"}, int(heard3.Load()))
}
