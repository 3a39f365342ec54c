package owners

import (
	"context"
	"slices"
	"time"

	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// summary is a branch as home and proof show it.
type summary struct {
	devices.Facility
	Policy policyView
	Hours  store.Hours // of the day
	Total  int
	Kiosks []kioskView // those that are not revoked
	Old    []kioskView // the revoked ones
	First  time.Time   // when the first kiosk was enrolled; zero: none yet
	Level  level       // of the kiosk that is worst
}

type kioskView struct {
	devices.Kiosk
	Door   string // its name, or a number by enrolment
	Health health
}

type policyView struct {
	Mode  string // record, verify-only, off
	Since time.Time
}

// summarise gathers what is to be shown of a branch on a day.
func (s *Server) summarise(ctx context.Context, v *visitor, f devices.Facility, day store.Day) (summary, error) {
	sum := summary{Facility: f}
	mode, since := s.policy(f.Kind)
	sum.Policy = policyView{Mode: mode.String(), Since: since}
	var err error
	if sum.Hours, err = s.Visits.Hours(ctx, f.ID, day); err != nil {
		return sum, err
	}
	sum.Total = sum.Hours.Total()
	all, err := s.Devices.KiosksOf(ctx, f.ID)
	if err != nil {
		return sum, err
	}
	slices.SortStableFunc(all, func(a, b devices.Kiosk) int { return a.Enrolled.Compare(b.Enrolled) })
	for i, k := range all {
		one := kioskView{Kiosk: k, Door: k.Name, Health: examine(v.words, k, s.bundle(), s.Now())}
		if one.Door == "" {
			one.Door = v.words.say("kiosk.number", "n", i+1)
		}
		if sum.First.IsZero() || k.Enrolled.Before(sum.First) {
			sum.First = k.Enrolled
		}
		if !k.Revoked.IsZero() {
			sum.Old = append(sum.Old, one)
			continue
		}
		sum.Kiosks = append(sum.Kiosks, one)
		sum.Level = max(sum.Level, one.Health.Level)
	}
	return sum, nil
}
