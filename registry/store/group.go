package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	maxGroup      = 4096             // rows of one transaction
	maxWaiting    = 1024             // callers that wait for their turn
	commitTimeout = 30 * time.Second // of one transaction
)

// group gathers what many callers store into few transactions, since the disk's
// sync costs the same for one visit and for thousands: while one transaction is
// being committed, the next gathers whoever came meanwhile.
type group struct {
	queue  chan *request
	closed chan struct{} // nobody is taken any more
	ended  chan struct{} // everybody has been served
	once   sync.Once
	done   sync.WaitGroup
}

type request struct {
	rows   []row
	answer chan error
}

var errClosed = errors.New("the database is being closed")

// newGroup starts a goroutine for each commit function given: so many
// transactions run side by side.
func newGroup(commits ...func(ctx context.Context, rows []row) error) *group {
	g := &group{queue: make(chan *request, maxWaiting), closed: make(chan struct{}), ended: make(chan struct{})}
	for _, commit := range commits {
		g.done.Go(func() { g.work(commit) })
	}
	return g
}

// put returns when rows are durable. A caller whose context ends is let go;
// its rows may be stored nevertheless.
func (g *group) put(ctx context.Context, rows []row) error {
	r := &request{rows: rows, answer: make(chan error, 1)}
	select {
	case g.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.closed:
		return errClosed
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-g.ended:
		return errClosed
	}
}

func (g *group) work(commit func(ctx context.Context, rows []row) error) {
	var all []row
	for {
		var first *request
		select {
		case first = <-g.queue:
		case <-g.closed:
			select {
			case first = <-g.queue: // the rest is still served
			default:
				return
			}
		}
		members := []*request{first}
		all = append(all[:0], first.rows...)
	gather:
		for len(all) < maxGroup {
			select {
			case r := <-g.queue:
				members, all = append(members, r), append(all, r.rows...)
			default:
				break gather
			}
		}
		err := try(commit, all)
		if len(members) == 1 || !isPoison(err) {
			for _, m := range members {
				m.answer <- err
			}
			continue
		}
		// One caller's rows must not fail those of the others: each by itself.
		for _, m := range members {
			m.answer <- try(commit, m.rows)
		}
	}
}

// try commits rows in the order of their key: two transactions that meet on
// several keys then wait for one another, but never in a circle.
func try(commit func(ctx context.Context, rows []row) error, rows []row) error {
	slices.SortFunc(rows, compareKeys)
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	return commit(ctx, rows)
}

func compareKeys(a, b row) int {
	if c := cmp.Compare(a.day, b.day); c != 0 {
		return c
	}
	if c := cmp.Compare(a.issued, b.issued); c != 0 {
		return c
	}
	if c := slices.Compare(a.sealed[:], b.sealed[:]); c != 0 {
		return c
	}
	if c := strings.Compare(a.issuer, b.issuer); c != 0 {
		return c
	}
	return strings.Compare(a.kiosk, b.kiosk)
}

// isPoison says whether the engine found fault with the data rather than with
// itself, so that others' data may well be stored.
func isPoison(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) { // data exception, integrity constraint violation
		return strings.HasPrefix(p.Code, "22") || strings.HasPrefix(p.Code, "23")
	}
	var s *driver.Error
	return errors.As(err, &s) && (s.Code()&0xff == sqlite3.SQLITE_CONSTRAINT || s.Code()&0xff == sqlite3.SQLITE_MISMATCH)
}

// close serves whoever waits, and ends.
func (g *group) close() {
	g.once.Do(func() {
		close(g.closed)
		g.done.Wait()
		close(g.ended)
	})
}
