package owners

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// Devices is what owners do with branches (지점) and their kiosks: a
// [devices.Book]. The caller has made sure that the owner has the facility, and
// the facility the kiosk.
type Devices interface {
	AddFacility(ctx context.Context, name, kind, owner string, now time.Time) (devices.Facility, error)
	FacilitiesOf(ctx context.Context, owner string) ([]devices.Facility, error)
	KiosksOf(ctx context.Context, facility string) ([]devices.Kiosk, error)
	NewCode(ctx context.Context, facility, name, replaces string, life time.Duration, now time.Time) (text string, code wire.Code, err error)
	Revoke(ctx context.Context, kiosk string, now time.Time) error
	Words() []string
}

// Visits counts: a [store.DB], of which these pages can ask nothing else.
type Visits interface {
	// Hours counts a facility's visits of a day by the hour of their scan.
	Hours(ctx context.Context, facility string, day store.Day) (store.Hours, error)
	// Daily counts them for n days from first.
	Daily(ctx context.Context, facility string, first store.Day, n int) ([]int, error)
}

// Bundles has the newest trust bundle: a registry.BundleFile.
type Bundles interface {
	Bundle() *pass.Bundle // nil: none yet
}

// order is the one in which kinds of facility are offered; what an operator has
// added comes after it.
var order = []string{"restaurant", "cafe", "bar", "karaoke", "pc-room", "gym", "bathhouse", "cinema", "museum", "academy", "department", "hospital", "religious", "office", "other"}

// kinds are the kinds of facility an owner may choose from: those that the
// bundle has a policy for.
func (s *Server) kinds() []string {
	b := s.Bundles.Bundle()
	if b == nil {
		return nil
	}
	place := func(kind string) int {
		if i := slices.Index(order, kind); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedFunc(maps.Keys(b.Policies()), func(a, b string) int { return cmp.Or(place(a)-place(b), strings.Compare(a, b)) })
}

// policy is what a kind of facility does now, and since when; zero where it has
// always recorded.
func (s *Server) policy(kind string) (mode pass.Mode, since time.Time) {
	b := s.Bundles.Bundle()
	if b == nil {
		return pass.ModeRecord, time.Time{}
	}
	p, known := b.Policies()[kind]
	if now := s.Now(); known && now.Unix() >= p.Since && p.Since > 0 {
		since = time.Unix(p.Since, 0)
	}
	return b.Mode(kind, s.Now()), since
}

// bundle is the number of the newest bundle; 0 where there is none.
func (s *Server) bundle() uint64 {
	if b := s.Bundles.Bundle(); b != nil {
		return b.Number()
	}
	return 0
}

// rename gives an owner's branch another name; one of another owner's is
// errNotFound.
func (a accounts) rename(ctx context.Context, owner, facility, name string) error {
	n, err := affected(a.db.ExecContext(ctx, `UPDATE facilities SET name = $1 WHERE id = $2 AND owner = $3`, name, facility, owner))
	if err != nil {
		return fmt.Errorf("rename a branch: %w", err)
	}
	if n == 0 {
		return errNotFound
	}
	return nil
}

// drawQR draws a text as a QR symbol with words for those who cannot see it.
func drawQR(text, label string) (template.HTML, error) {
	code, err := symbol.Encode(text)
	if err != nil {
		return "", err
	}
	return template.HTML(symbol.SVG(code, label)), nil
}
